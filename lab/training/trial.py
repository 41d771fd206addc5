"""The dry run: a few training steps and a checkpoint round trip, before anything is written.

It uses networks and objectives of its own, built as the run's are, trained by the same code as the
run's, saved as a checkpoint and read back, so that what would fail in a run fails in a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lab.core.config import TrainConfig
from lab.core.run_dir import LAST
from lab.core.seeds import torch_seed
from lab.models import (
    SQUASHED,
    TRIED,
    ModelSpec,
    NetworkError,
    are_probabilities,
    ask,
    device_of,
    first_pass,
    is_known,
    isolated,
    last_operation,
    random_pictures,
    same_tensor,
    space_of,
    untouched,
)
from lab.models.installed import warn
from lab.training.batches import Batch
from lab.training.checkpoint import Checkpoint, decode, encode, give_state, why_not_taken
from lab.training.held import changed
from lab.training.objectives import (
    Numbering,
    Objective,
    ObjectiveError,
    check_objective,
    create_objective,
    objective_file,
    shares_code,
)
from lab.training.objectives.numbers import in_groups, tried_groups
from lab.training.optimizer import hidden_matrices
from lab.training.plain_state import Unkept, global_state, lost, own_state, plain_state
from lab.training.train_step import Diverged, TrainStep, trained_weights
from lab.training.unregistered import unregistered_weights

STEPS = 2
"""Training steps before the checkpoint; one more follows it."""

PAIRED = 2 * TRIED
"""Pictures per step with an objective of the user's own: two of a class, and two of another, as a
contrastive loss needs them."""

PASSES = 12
"""Passes that look for gradients of weights that got none in the steps: a layer that is dropped in
half of all steps is missed by all of them once in 4,096 times."""

RATE = 1e-3
"""Learning rate of the dry run: the run's own may be too high on purpose."""

ROUNDING = 1e-3
"""Difference of logits that counts as rounding, as a share of the largest logit."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The result of a dry run. `unfinished`: the network creates parameters or buffers in its first
    forward pass (lazy layers), so it needs one before it can be trained. `warnings`: one line each,
    for the user. `unkept`: what a resumed run would lose, which is among them."""

    unfinished: bool
    warnings: tuple[str, ...]
    unkept: Unkept = field(default_factory=Unkept)


def try_out(
    build: Callable[[int], nn.Module],
    spec: ModelSpec,
    config: TrainConfig,
    *,
    name: str,
    seed: int,
    device: str | torch.device = "cpu",
    numbering: Numbering | None = None,
    batch_sizes: Sequence[int] = (),
    noun: str = "faces",
) -> Trial:
    """Do a dry run on `device`. `build` makes, on the CPU, the untrained network of a run with a
    given seed; `seed` is the run's, and so is the `numbering` of its training examples (None: not
    known). With batches of each of the `batch_sizes` one more step is taken, at the end. `noun` is
    what its pictures are called.

    Raises `ValueError` with one line about what would go wrong in the run: in the objective, the
    forward pass, a training step, the checkpoint, or in loading it.
    """
    with isolated(device, reseeded=True):
        place = torch.device(device)
        dry_run = _DryRun(build, spec, config, name, seed, place, numbering, noun)
        return dry_run.trial(batch_sizes)


def unfinished(model: nn.Module, spec: ModelSpec, *, name: str, seed: int) -> bool:
    """Whether the first forward pass of `model`, done here, changes which parameters and buffers it
    has.

    Raises `ValueError` if it fails, or if some of them have no numbers even then.
    """
    _refuse_hollow(model, name, lazy=False)
    before = _structure(model)
    first_pass(model, spec, name=name, seed=first_seed(seed))
    _refuse_hollow(model, name)
    return before != _structure(model)


def first_seed(seed: int) -> int:
    """The seed of a run's first forward pass, in which lazy layers draw their weights."""
    return torch_seed(seed, "weights", "first pass")


def _compiles(module: nn.Module) -> bool:
    """Whether a module is one that torch.compile has made, or compiles itself."""
    return type(module).__name__ == "OptimizedModule" or module._compiled_call_impl is not None


class _DryRun:
    def __init__(
        self,
        build: Callable[[int], nn.Module],
        spec: ModelSpec,
        config: TrainConfig,
        name: str,
        seed: int,
        device: torch.device,
        numbering: Numbering | None,
        noun: str,
    ) -> None:
        self._build, self._spec, self._name, self._seed = build, spec, name, seed
        self._device, self._numbering, self._noun = device, numbering, noun
        own = objective_file(config.objective) is not None
        self._batch = min(PAIRED if own else TRIED, config.batch_size)
        self._config = replace(config, compile=False, augment=False, learning_rate=RATE)
        self._warnings: list[str] = []
        self._missed: dict[str, nn.Parameter] = {}
        self._unkept = Unkept()

    def trial(self, batch_sizes: Sequence[int]) -> Trial:
        """Check the objective, then the network with it, at last in batches of other sizes."""
        self._warnings += self._check_objective()
        network, unready = self._make(self._seed)
        drawn = _numbers(network)
        with self._named():
            weights = trained_weights(network)
        if self._config.optimizer == "muon" and not hidden_matrices(weights):
            self._warn(
                "--optimizer muon changes nothing in this network, which has no weight matrix"
                " between its first and its last one: AdamW trains all of it"
            )
        pictures = random_pictures(self._spec, self._batch)
        ask(network, pictures, self._spec, name=self._name, training=True)
        train_step = self._train_step(network)
        with self._named():
            self._train(train_step, weights)
            kept = self._read_back(Checkpoint(**train_step.state()))
        other, _ = self._make(self._seed)
        of_another_seed, _ = self._make(self._seed ^ 1)
        if not _same(drawn, _numbers(other)):
            self._warn(
                "it is another network when it is built again with the same --seed: what it draws"
                " its weights from is not seeded by random.seed, numpy.random.seed or"
                " torch.manual_seed"
            )
        elif _same(drawn, _numbers(of_another_seed)):
            self._warn(
                "its weights are the same with every --seed (does it seed a generator itself, or"
                f" read weights from a file?): runs of several seeds differ in their {self._noun}"
                " alone"
            )
        self._warn_of_unregistered(of_another_seed, pictures)  # which is of no further use
        self._warn_of_probabilities(of_another_seed, pictures)
        try:
            give_state(other, kept.model)
        except Exception as error:
            raise ValueError(
                f"--model {self._name} cannot take back its own state: {why_not_taken(error)}"
            ) from error
        self._compare(network, other)
        self._go_on(train_step, other, kept)
        self._look_at_missed(network, drawn)
        for size in batch_sizes:
            self._try_batches(of_another_seed, size)
        return Trial(unfinished=unready, warnings=tuple(self._warnings), unkept=self._unkept)

    def _check_objective(self) -> tuple[str, ...]:
        """What the user is told about the objective. One that shares code with the network and
        fails alone is tried again beside networks, whose passes it may need."""
        name = self._config.objective

        def make(network: nn.Module | None = None) -> Objective:
            return create_objective(name, beside=network)

        check = partial(
            check_objective,
            make,
            lambda state: self._read_back(Checkpoint(step=0, model={}, objective=state)).objective,
            name=name,
            classes=self._spec.num_outputs,
            image_size=self._spec.image_size,
            device=self._device,
            numbering=self._numbering,
        )
        try:
            return check()
        except ObjectiveError:
            if not shares_code(name, self._name):
                raise
        return check(network=lambda device: self._make(self._seed)[0].to(device))

    def _read_back(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint as it is read from its file."""
        return decode(encode(checkpoint), Path(LAST), device=self._device)

    def _make(self, seed: int) -> tuple[nn.Module, bool]:
        network = self._build(seed)
        if any(map(_compiles, network.modules())):
            warn(
                f"--model {self._name} calls torch.compile: the dry run compiles it for batches of"
                " several sizes, which may take minutes. With --compile in its place only the"
                " training steps are compiled"
            )
        unready = unfinished(network, self._spec, name=self._name, seed=seed)
        network.to(self._device)  # its own `to` may return nothing
        return network, unready

    def _warn_of_unregistered(self, network: nn.Module, pictures: Tensor) -> None:
        """Warn of weights that are no parameters."""
        weights = unregistered_weights(network, pictures.to(self._device))
        if weights:
            count = sum(weight.numel() for weight in weights)
            self._warn(
                f"{count:,} weights that its answers depend on are no parameters of it, so they are"
                " neither trained nor saved: are there layers in a plain list or dictionary (use"
                " nn.ModuleList or nn.ModuleDict), or plain tensors (use nn.Parameter)?"
            )

    def _warn_of_probabilities(self, network: nn.Module, pictures: Tensor) -> None:
        """Warn if the network returns probabilities in place of logits, in training mode or in eval
        mode."""
        found = ""
        for training in (True, False):
            logits = ask(network, pictures, self._spec, name=self._name, training=training)
            sure = are_probabilities(logits)
            operation = self._last_operation(network, pictures, training=training)
            if sure or operation in SQUASHED:
                found = SQUASHED.get(operation, "softmax")
                found += "" if training else " in eval mode"
                break
        if found:
            self._warn(
                "it returns probabilities, which are taken for logits: all its metrics would be"
                f" those of other answers. Leave out its {found}"
            )

    def _last_operation(self, network: nn.Module, pictures: Tensor, *, training: bool) -> str:
        """What makes its logits, as `last_operation`."""
        with untouched(network, training=training), torch.enable_grad():
            return last_operation(network(pictures.to(self._device).clone()))

    def _try_batches(self, network: nn.Module, size: int) -> None:
        """Take a step with a batch of this size, unless it is clear that none matters;
        `NetworkError` if the network or the objective cannot."""
        registered = objective_file(self._config.objective) is None
        if size == self._batch or (registered and is_known(network)):
            return
        try:
            self._train_step(network, size).take()
        except Diverged:
            pass
        except NetworkError as error:
            raise NetworkError(
                f"--model {self._name}, in batches of {size:,} pictures: {error}"
            ) from error

    def _train_step(self, network: nn.Module, size: int | None = None) -> TrainStep:
        numbering = self._numbering or Numbering(self._batch)
        batches = _RandomBatches(self._spec, size or self._batch, self._device, numbering)
        return TrainStep(network, batches, self._config, seed=self._seed)

    def _train(self, train_step: TrainStep, weights: list[nn.Parameter]) -> None:
        """Take a few steps; `ValueError` if their gradients do not reach the weights."""
        model = train_step.model
        parameters = {id(parameter): name for name, parameter in model.named_parameters()}
        reached: set[int] = set()
        for _ in range(STEPS):
            try:
                train_step.take()
                train_step.check()
            except Diverged as error:
                if error.step == 0:
                    raise ValueError(f"its training would break at once: {error}") from None
                return
            reached |= {id(weight) for weight in weights if weight.grad is not None}
            if not reached:
                raise ValueError("its logits do not depend on any parameter that is to be trained")
        late = [n for n, p in model.named_parameters() if id(p) not in parameters]
        if late and late[0] in parameters.values():
            raise ValueError(
                f"it puts another parameter in the place of its {late[0]!r} while it is trained:"
                " change that one in place (under torch.no_grad(), with copy_), or make it a buffer"
                " if it is not to be trained"
            )
        if late:
            raise ValueError(
                f"it makes its parameter {late[0]!r} while it is trained, too late to be trained:"
                " make it when the network is built"
            )
        self._missed = {
            name: weight
            for name, weight in model.named_parameters()
            if weight.requires_grad and id(weight) not in reached
        }

    def _compare(self, network: nn.Module, other: nn.Module) -> None:
        """Raise `ValueError` if the logits differ after the checkpoint round trip."""
        pictures = random_pictures(self._spec, 2 * TRIED, seed=1)
        one, again, read = (
            ask(asked, pictures, self._spec, name=self._name) for asked in (network, network, other)
        )
        if not _near(one, again):
            self._warn(
                "in eval mode it gives the same pictures other logits when it is asked again: all"
                " its metrics depend on what it was asked before"
            )
        elif not _near(one, read):
            raise ValueError(
                f"--model {self._name} answers otherwise after its checkpoint is read back: what"
                " it learns is not all in its state_dict. Keep what training changes in parameters"
                " or persistent buffers, not in plain attributes"
            )
        others = random_pictures(self._spec, 2 * TRIED, seed=2)
        two = ask(network, others, self._spec, name=self._name)
        trained, also = (
            ask(network, asked, self._spec, name=self._name, training=True)
            for asked in (pictures, others)
        )
        if not torch.equal(one, two) or torch.equal(trained, also):
            return
        if _near(one, one[:1].expand_as(one)):
            self._warn(
                "in eval mode it gives all pictures the same logits after two steps, though not in"
                " training mode: a deep network whose normalization (BatchNorm) needs more steps"
                " before it can be asked, or one that keeps what it computed first"
            )
        else:
            self._warn(
                "in eval mode its answers do not depend on the pictures, as they do in training:"
                " does it keep what it computed first?"
            )

    def _go_on(self, train_step: TrainStep, other: nn.Module, kept: Checkpoint) -> None:
        """Warn if the step after the checkpoint differs from that of a resumed run (on a CPU only,
        where a step is bit-identical each time), or leaves it with other plain attributes: what
        the network computes anew is equal then, and what it counts is not. Elsewhere rounding may
        differ, and networks of known layers, which keep no such attributes, take no such step."""
        registered = objective_file(self._config.objective) is None
        if self._device.type != "cpu" and registered and is_known(train_step.model):
            return
        resumed = self._train_step(other)
        resumed.restore(kept)
        before = _Beside.of(train_step)
        try:
            for each in (train_step, resumed):
                each.take()
                each.check()
        except Diverged:
            return
        on_cpu = self._device.type == "cpu"
        after, again = _Beside.of(train_step), _Beside.of(resumed)
        network, objective, common = (
            lost(*states, counts_only=not on_cpu)
            for states in zip(before, after, again, strict=True)
        )
        if common:
            passed = self._changed_by_forward(train_step)
            network += [name for name in common if name in passed]
            objective += [name for name in common if name not in passed]
        one, two = train_step.state(), resumed.state()
        parts = ("model", "optimizer", "objective")
        apart = on_cpu and not all(_same(one[part], two[part]) for part in parts)
        self._unkept = Unkept(tuple(network), decides=apart, objective=tuple(objective))
        self._warnings += self._unkept.told(self._name, self._config.objective)

    def _changed_by_forward(self, train_step: TrainStep) -> list[str]:
        """Which globals of the modules that network and objective have in common a pass of the
        network changes, without a call of the objective."""
        before = _Beside.of(train_step).common
        pictures = random_pictures(self._spec, self._batch)
        ask(train_step.model, pictures, self._spec, name=self._name, training=True)
        return changed(before, _Beside.of(train_step).common)

    def _look_at_missed(self, network: nn.Module, drawn: dict[str, Tensor]) -> None:
        """Warn of weights that affect the logits and get no gradient; weights without any effect
        are ignored, and so are those that get one from other pictures, as of a network that routes
        each picture to one of several parts, or in another step, as of one that drops whole layers
        at random, and those that are no longer as they were `drawn`: the network itself changes
        them, as averages of its other weights. Changes the network."""
        pictures = random_pictures(self._spec, self._batch)
        self._missed = {
            name: weight
            for name, weight in self._missed.items()
            if name in drawn and same_tensor(weight.detach(), drawn[name])
        }
        for _ in range(PASSES):
            if not self._missed:
                return
            reached = _reached(network, pictures)
            self._missed = {n: p for n, p in self._missed.items() if id(p) not in reached}
        one, again = (ask(network, pictures, self._spec, name=self._name) for _ in range(2))
        with torch.no_grad():
            for weight in self._missed.values():
                weight.add_(torch.randn_like(weight))
        other = ask(network, pictures, self._spec, name=self._name)
        if _near(one, again) and not _near(one, other):
            missed = sum(weight.numel() for weight in self._missed.values())
            total = sum(weight.numel() for _, weight in network.named_parameters())
            self._warn(
                f"{missed:,} of its {total:,} parameters get no gradient in its first steps, though"
                " its answers depend on them: unless that changes later, they stay as they are"
                f" drawn ({next(iter(self._missed))!r} is the first). Is a part of forward under"
                " torch.no_grad, or detached? If that is meant for the whole run, set their"
                " requires_grad to False"
            )

    def _warn(self, what: str) -> None:
        self._warnings.append(f"--model {self._name}: {what}")

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Prefix errors with the flag that names the network."""
        try:
            yield
        except ObjectiveError:
            raise
        except NetworkError as error:
            raise NetworkError(f"--model {self._name}: {error}") from error
        except ValueError as error:
            raise ValueError(f"--model {self._name}: {error}") from error


class _Beside(NamedTuple):
    """Copies of what is outside of the checkpoints of a training, by name: what belongs to the
    network, to the objective, and the globals of the modules that both have in `common`."""

    network: dict[str, Any]
    objective: dict[str, Any]
    common: dict[str, Any]

    @classmethod
    def of(cls, train_step: TrainStep) -> _Beside:
        """Of a training as it is now."""
        model, objective = train_step.model, train_step.objective
        spaces = space_of(model), objective.space
        one, two = (dict(space.modules) if space is not None else {} for space in spaces)
        both = {name: one[name] for name in one if one[name] is two.get(name)}
        own = ({n: module for n, module in m.items() if n not in both} for m in (one, two))
        network, others = (global_state(modules, model) for modules in own)
        return cls(
            {**network, **plain_state(model)},
            {**others, **own_state(objective, model)},
            global_state(both, model),
        )


def _reached(network: nn.Module, pictures: Tensor) -> set[int]:
    """The ids of the weights that get a gradient from the logits of `pictures` in training mode;
    none if it cannot be computed. Changes the network's gradients."""
    network.zero_grad()
    try:
        with torch.enable_grad():
            logits = network.train()(pictures.to(device_of(network)).clone())
            (logits.float() * torch.randn(logits.shape, device=logits.device)).sum().backward()
    except Exception:  # networks are anybody's code, and this is for a warning only
        return set()
    return {id(p) for p in network.parameters() if p.grad is not None and bool(p.grad.any())}


class _RandomBatches:
    """Batches of random pictures whose labels are the classes in turn, each twice in a row from
    `PAIRED` pictures on."""

    def __init__(
        self, spec: ModelSpec, batch_size: int, device: torch.device, numbering: Numbering
    ) -> None:
        self.batch_size = batch_size
        self._spec, self._device = spec, device
        count = spec.num_outputs * batch_size
        self.groups = tried_groups(count, spec.num_outputs, numbering.groups)
        self.names = numbering.names

    def __call__(self, step: int) -> Batch:
        pictures = random_pictures(self._spec, self.batch_size, seed=step)
        times = 2 if self.batch_size >= PAIRED else 1
        labels = (torch.arange(self.batch_size) // times + step) % self._spec.num_outputs
        images = ((pictures + 1) * 127.5).to(torch.uint8)
        labels = labels.to(self._device)
        indices = torch.arange(self.batch_size, device=self._device)
        groups = in_groups(labels, self.groups, self._spec.num_outputs)
        return Batch(images=images.to(self._device), labels=labels, groups=groups, indices=indices)


def _refuse_hollow(model: nn.Module, name: str, *, lazy: bool = True) -> None:
    """Raise `ValueError` if a parameter or buffer has no numbers, or (`lazy`) no shape yet."""
    for key, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if is_lazy(tensor):
            if not lazy:
                continue
            raise ValueError(
                f"--model {name}: its {key!r} never gets a shape: forward makes no use of that lazy"
                " layer. Leave the layer out"
            )
        if tensor.is_meta:
            raise ValueError(
                f"--model {name}: its {key!r} has no numbers: it lies on the device meta. Give it"
                " some on the CPU (to_empty, and then draw them)"
            )


def _structure(model: nn.Module) -> list[tuple[str, int, tuple[int, ...]]]:
    """All parameters and buffers: name, identity and shape."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return [
        (name, id(tensor), () if is_lazy(tensor) or tensor.is_nested else tuple(tensor.shape))
        for name, tensor in tensors
    ]


def _numbers(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the parameters and buffers, by name."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in tensors}


def _same(one: Any, other: Any) -> bool:
    """Whether the tensors of two nested states are equal up to rounding."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and same_tensor(one, other, rounding=True)
    if isinstance(one, dict):
        return all(key in other and _same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return all(map(_same, one, other))
    return True


def _near(one: Tensor, other: Tensor) -> bool:
    one, other = one.double(), other.double()
    return bool((one - other).abs().max() <= ROUNDING * one.abs().max())
