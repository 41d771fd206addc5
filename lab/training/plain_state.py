"""What a network keeps beside its state: numbers, texts and tensors in plain attributes and in
buffers that are not saved. A checkpoint does not have them, unless get_extra_state gives them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from lab.core.text import plain
from lab.core.words import listed
from lab.models import same_tensor

NAMED = 3
"""Attributes of a network that a line names, at most."""

MOST = 1000
"""Entries of a container, and letters of a text, that are looked at, at most."""

LARGEST = 2**22
"""Numbers of a tensor that are looked at, at most."""

DEEP = 3
"""Containers within containers."""

_OWN = frozenset(vars(nn.Module()))
_NONE = object()


@dataclass(frozen=True)
class Unkept:
    """What a dry run found that training changes and no checkpoint has: the `names` of plain
    attributes, and whether something of that kind, named or not, `decides` the next steps."""

    names: tuple[str, ...] = ()
    decides: bool = False

    def __bool__(self) -> bool:
        return self.decides or bool(self.names)

    @classmethod
    def of(cls, state: object) -> Unkept:
        """What `state` gave; nothing for anything else."""
        if not isinstance(state, dict) or not isinstance(state.get("names"), list):
            return cls()
        return cls(tuple(map(str, state["names"])), bool(state.get("decides")))

    def state(self) -> dict[str, Any]:
        """It as plain values."""
        return {**asdict(self), "names": list(self.names)}

    @property
    def named(self) -> str:
        """The names in words; empty: there are none."""
        shown = [repr(plain(name)) for name in self.names[:NAMED]]
        shown += ["others"] if len(self.names) > NAMED else []
        return listed(shown) if shown else ""

    def lost_at(self, step: int) -> str:
        """What a run has lost that goes on from the checkpoint of `step`, in one line about its
        network."""
        what = f"what training has changed in its {self.named}"
        if not self.names:
            what = "something beside its state_dict (as a random generator of its own)"
        then = "and if its training or its answers depend on that, the run"
        if self.decides:
            then = "and its training depends on that: the run"
        return (
            f"it goes on from step {step:,} without {what}: no checkpoint has that, so it begins"
            f" anew, {then} ends otherwise than it would have without a stop"
        )


def plain_state(model: nn.Module) -> dict[str, Any]:
    """A copy of it by name, as 'layer.attribute'; what is of another kind, or large, is left out,
    and so is what belongs to every module (its hooks, whether it is in training mode)."""
    found = {}
    for prefix, module in model.named_modules():
        kept = {key: value for key, value in vars(module).items() if key not in _OWN}
        kept |= {key: module._buffers.get(key) for key in module._non_persistent_buffers_set}
        for key, value in kept.items():
            copy = _copied(value, DEEP)
            if copy is not _NONE:
                found[f"{prefix}.{key}" if prefix else key] = copy
    return found


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
    does, is a record that the network makes, and is left out."""
    return [
        name
        for name, value in after.items()
        if not (counts_only and _rounded(value))
        and not _equal(before.get(name, _NONE), value)
        and not _equal(restored.get(name, _NONE), value)
        and not _is_record(before.get(name), value)
    ]


def _copied(value: Any, deep: int) -> Any:
    """A copy of a value; `_NONE` if it is of another kind."""
    if value is None or type(value) in (bool, int, float, complex):
        return value
    if isinstance(value, str):
        return value if len(value) <= MOST else _NONE
    if type(value) in (Tensor, nn.Parameter):
        return value.detach().clone() if value.numel() <= LARGEST else _NONE
    if isinstance(value, (list, tuple, deque, dict)) and deep and len(value) <= MOST:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        copies = {key: _copied(each, deep - 1) for key, each in items}
        return _NONE if any(each is _NONE for each in copies.values()) else copies
    return _NONE


def _is_record(before: Any, after: Any) -> bool:
    """Whether copies of containers differ by what was added at the end alone."""
    if not (isinstance(before, dict) and isinstance(after, dict) and len(before) < len(after)):
        return False
    return all(key in after and _equal(value, after[key]) for key, value in before.items())


def _rounded(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_rounded, value.values()))
    return isinstance(value, (float, complex, Tensor))


def _equal(one: Any, other: Any) -> bool:
    """Whether two copies are equal up to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return same_tensor(one, other, rounding=True)
    if isinstance(one, (float, complex)) and isinstance(other, (float, complex)):
        return one == other or one != one != other or abs(one - other) <= 1e-6 + 1e-4 * abs(one)
    return type(one) is type(other) and bool(one == other)
