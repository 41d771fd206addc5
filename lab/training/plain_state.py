"""What training changes outside of a checkpoint: what a network keeps beside its state, an
objective beside its own, and the modules of both in their globals. A checkpoint does not have it,
unless get_extra_state or state() give it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from types import ModuleType
from typing import Any

from torch import nn

from lab.core.text import plain
from lab.core.words import listed
from lab.training.held import NOTHING, Held, attributes, goes_on, hooks, is_rounded
from lab.training.objectives import Objective

NAMED = 3
"""Attributes that a line names, at most."""


@dataclass(frozen=True)
class Unkept:
    """What a dry run found that training changes and no checkpoint has: the `names` of plain
    attributes of the network and of globals of its modules, those of the `objective`, and whether
    something of that kind, named or not, `decides` the next steps."""

    names: tuple[str, ...] = ()
    decides: bool = False
    objective: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.decides or bool(self.names or self.objective)

    @classmethod
    def of(cls, state: object) -> Unkept:
        """What `state` gave; nothing for anything else."""
        if not isinstance(state, dict) or not isinstance(state.get("names"), list):
            return cls()
        objective = state.get("objective")
        return cls(
            tuple(map(str, state["names"])),
            bool(state.get("decides")),
            tuple(map(str, objective)) if isinstance(objective, list) else (),
        )

    def state(self) -> dict[str, Any]:
        """It as plain values."""
        return {**asdict(self), "names": list(self.names), "objective": list(self.objective)}

    def told(self, model: str, objective: str) -> tuple[str, ...]:
        """A line for the user about each of the two, by name, that a checkpoint lacks something
        of, before a run."""
        lines = []
        if self.decides and (self.names or not self.objective):
            what = ""
            if self.names:
                what = f". Training changes its {_named(self.names)}, which no checkpoint has"
            lines.append(
                f"--model {model}: it does not go on exactly after --resume: it keeps something"
                " beside its state_dict (a plain attribute, a random generator of its own) that"
                f" decides its training{what}"
            )
        elif self.names:
            lines.append(
                f"--model {model}: training changes its {_named(self.names)}, which no checkpoint"
                " has: if its training or its answers ever depend on that, a run goes on otherwise"
                " after --resume, and whoever opens it gets another network. Then keep it in a"
                " buffer (register_buffer), or give it to get_extra_state"
            )
        if self.objective:
            then = ": if its loss ever depends on that, a run goes on otherwise after --resume"
            if self._suspected:
                then = ", and the run does not go on exactly after --resume, likely for that"
            lines.append(
                f"--objective {objective}: training changes its {_named(self.objective)}, which no"
                f" checkpoint has{then}. Then make it a subclass of Objective with that in its"
                " state() and restore(state)"
            )
        return tuple(lines)

    def lost_at(self, step: int, model: str, objective: str) -> tuple[str, ...]:
        """What a run has lost that goes on from the checkpoint of `step`: a line about each of the
        two, by name, of which something is lost."""
        lines = []
        if self.names or (self.decides and not self.objective):
            what = "something beside its state_dict (as a random generator of its own)"
            if self.names:
                what = f"what training has changed in its {_named(self.names)}"
            then = "and if its training or its answers depend on that, the run"
            if self.decides:
                then = "and its training depends on that: the run"
            lines.append(f"--model {model}: {_goes_on(step, what, then)}")
        if self.objective:
            what = f"what training has changed in its {_named(self.objective)}"
            then = "and if its loss depends on that, the run"
            if self._suspected:
                then = "and training likely depends on that: the run"
            lines.append(f"--objective {objective}: {_goes_on(step, what, then)}")
        return tuple(lines)

    @property
    def _suspected(self) -> bool:
        """Whether the objective alone is known to keep something, and something decides."""
        return self.decides and not self.names


def plain_state(model: nn.Module) -> dict[str, Any]:
    """A copy of it by name, as 'layer.attribute'; what is of another kind, or large, is left out,
    and so is what belongs to every module (whether it is in training mode). Of its hooks there is
    what they keep in attributes and closures, as 'layer.hook.name'."""
    held = Held(_kept(model))
    for prefix, module in model.named_modules():
        for key, value in (*attributes(module).items(), *hooks(module)):
            held.add(f"{prefix}.{key}" if prefix else key, value)
    return held.found


def own_state(objective: Objective, model: nn.Module) -> dict[str, Any]:
    """A copy of what an objective from a file keeps in its attributes, by name; without what it
    refers to of the network `model` that it trains. Empty for registered ones."""
    held = Held(_kept(model))
    for key, value in vars(objective).items() if objective.space is not None else ():
        if key not in ("space", "function"):  # the function is one of the module's globals
            held.add(key, value)
    return held.found


def global_state(modules: Mapping[str, ModuleType], model: nn.Module) -> dict[str, Any]:
    """A copy of what the globals of `modules`, their functions and their classes hold, as
    'module.name'; without what they refer to of the network `model`."""
    held = Held(_kept(model))
    for name, module in modules.items():
        held.add_globals(name, module)
    return held.found


def lost(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    restored: Mapping[str, Any],
    *,
    counts_only: bool = False,
) -> list[str]:
    """The names of what steps changed, from `before` to `after`, and what differs in the
    `restored` network after the same steps. `counts_only`: leave out what rounding may change:
    tensors and numbers that are not whole. What only grows at its end, as a list of all losses
    does, is a record that the network makes, and is left out, unless it has a largest length."""
    return [
        name
        for name, value in after.items()
        if not (counts_only and is_rounded(value))
        and goes_on(before.get(name, NOTHING), value, restored.get(name, NOTHING))
    ]


def _kept(model: nn.Module) -> frozenset[int]:
    """Its modules, and its parameters, which an attribute may list besides (as that of an LSTM), by
    identity: checkpoints have them."""
    return frozenset(map(id, chain(model.modules(), model.parameters())))


def _named(names: tuple[str, ...]) -> str:
    """Some of the names in words."""
    shown = [repr(plain(name)) for name in names[:NAMED]]
    return listed(shown + (["others"] if len(names) > NAMED else []))


def _goes_on(step: int, what: str, then: str) -> str:
    return (
        f"it goes on from step {step:,} without {what}: no checkpoint has that, so it begins anew,"
        f" {then} ends otherwise than it would have without a stop"
    )
