"""The check of an objective before a run: a few steps on random logits, and a save and restore of
its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lab.models import NetworkError, blamed, isolated, settings_kept, to_input
from lab.models.isolation import seed_all
from lab.training.batches import Batch, Groups
from lab.training.objectives.answers import Asked, Fault, answers_fault
from lab.training.objectives.numbers import (
    ROUNDING,
    Numbering,
    goes_by_numbers,
    in_groups,
    tried_groups,
)
from lab.training.objectives.objective import Objective, ObjectiveSpec
from lab.training.objectives.registry import objective_file
from lab.training.unregistered import leaves_of

SURE = 1.0
"""A right output, of others that are 0, that an objective of logits would still raise."""

STEPS = 3
"""Steps before its state is kept; one more follows."""

DRAWS = 8
"""Times that an objective is asked whether it draws random numbers."""

SMALL = 0.1
"""Of the logits from -3 to 3, those of an untrained network."""

EXAMPLES = 32
"""Training examples of the trial, unless a run's are told."""


_OTHERS = (
    "All metrics take the largest output for the answer, so accuracies, losses, calibration and"
    " membership AUC are those of answers that it does not train."
)
_FAULTS = {
    "differences": (
        "it stays the same when a number is added to one output of all examples, since it compares"
        f" these with each other alone: no output need be the largest for any of them. {_OTHERS}"
        " What ranks examples can be seen in the area under the ROC curve, which the verdict tells"
        " where it matters"
    ),
    "others": (
        "where it is smallest the largest output need not be that of the right class."
        f" {_OTHERS} Let the network return logits whose largest is the answer: of an expected"
        " value, -(k - expected) ** 2 for each class k"
    ),
}
"""What is said of each fault but none."""


class ObjectiveError(NetworkError):
    """An objective's code raised an exception, or its loss is of no use: one line that begins with
    the flag and the objective's name."""


def check_objective(
    make: Callable[..., Objective],
    read_back: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    *,
    name: str,
    classes: int,
    batch_size: int = 8,
    image_size: int = 16,
    device: str | torch.device = "cpu",
    numbering: Numbering | None = None,
    network: Callable[[torch.device], nn.Module] | None = None,
) -> tuple[str, ...]:
    """Try the objective that `make` makes on random logits for `classes` classes, on `device`, and
    return a line for the user about each thing that is likely not meant.

    `read_back` gives its state as it comes back from a checkpoint; `numbering` is the run's. With
    `network`, which makes one on a device, the objective may read what the pass of a network has
    left in a module that they share: each is made by `make(network)`, beside one of its own, which
    is shown each batch before the objective is called. That its state is complete is then left to
    steps of training.

    Raises `ValueError` with one line that begins with --objective and its name: its code fails,
    also for the last examples of the run, its loss is no scalar, not finite or without a gradient,
    its state cannot be kept, or it goes on otherwise from it.
    """
    place, numbering = torch.device(device), numbering or Numbering(EXAMPLES)
    first = torch.arange(batch_size) % numbering.total  # the same each time, for what it may keep
    groups = tried_groups(numbering.count, classes, numbering.groups)

    def batch(step: int, indices: Tensor, there: torch.device) -> tuple[Tensor, Batch]:
        return _batch(classes, image_size, there, step, indices=indices, groups=groups)

    batches = [batch(step, first, place) for step in range(STEPS + 1)]
    spec = ObjectiveSpec(groups=groups, names=numbering.names, device=place)

    def tried(there: torch.device) -> _Tried:
        if network is None:
            return _Tried(make())
        beside = network(there)
        return _Tried(make(beside), beside)

    objective, other = tried(place), tried(place)
    with isolated(place), named(name):
        cpu = torch.device("cpu")  # a GPU could do nothing more after an index out of range
        last = (numbering.total - batch_size + torch.arange(batch_size)).clamp(min=0)
        _try_last(
            tried(cpu), replace(spec, device=cpu), batch(0, first, cpu), batch(1, last, cpu),
            numbering=numbering,
        )  # fmt: skip
        for each in (objective, other):
            with blamed("its start(spec)"), settings_kept():
                each.objective.start(spec)
        reached = torch.zeros(classes, dtype=torch.bool, device=place)
        aside: list[bool] = []
        losses = [
            _loss(objective, *batches[step], seed=step, reached=reached, aside=aside)
            for step in range(STEPS)
        ]
        with blamed("its state()"), settings_kept():
            state = objective.objective.state()
        if not isinstance(state, dict):
            raise ValueError(f"its state() must be a dict, not a {type(state).__name__}")
        state = read_back(state)
        with blamed("its restore(state)"), settings_kept():
            other.objective.restore(state)
        ends = [_loss(each, *batches[STEPS], seed=STEPS) for each in (objective, other)]
        one, two = (loss.detach() for loss in ends)
        if network is None and not torch.allclose(one, two, rtol=ROUNDING, atol=ROUNDING):
            raise ValueError(
                f"its loss is {float(two):.4g} in place of {float(one):.4g} once its state is"
                " restored in another one: what its steps change must be in its state(), and what"
                " its file draws at random must come from a seed"
            )
        # one draw tells of no output what the objective does with it in the long run
        drawn = network is None and _draws(make, spec, *batches[0])
        bounded = not drawn and _bounded(lambda: tried(place), spec, batches[0][1], classes)
        fault: Fault = ""
        if network is None and not drawn and objective_file(name) is not None:
            fault = _answers(make, spec, numbering, classes, image_size, bounded=bounded)

        def loss_of(batch: Batch, names: Sequence[str]) -> Tensor:
            fresh = tried(place)
            fresh.objective.start(replace(spec, names=names))
            loss, _ = fresh.with_network(batches[0][0], batch, seed=0)
            return loss

        with settings_kept():
            by_number = goes_by_numbers(loss_of, batches[0][1], numbering.names)
    doubts = list(_doubts(losses, name, known=objective.weights))
    labels = {label for _, batch in batches[:STEPS] for label in batch.labels.tolist()}
    asked = network is None and not drawn
    idle = [label for label in sorted(labels) if asked and not reached[label]]
    if by_number:
        doubts.append(
            f"--objective {name}: its loss goes by batch.indices, the numbers of pictures in the"
            " order in which this run takes them, which depends on its seed. What it knows of each"
            " picture it must find by the names of the pictures, names[batch.indices[k]] of the"
            " names that start(spec) gets as spec.names (as cats/001.png, or x[17])"
        )
    if any(aside):
        doubts.append(
            f"--objective {name}: it trains what the network's forward keeps for it, and not the"
            " logits. All metrics take those for logits: losses, calibration and membership AUC are"
            " those of their softmax, not of this objective; accuracies are what they are"
        )
    elif idle:
        doubts.append(
            f"--objective {name}: output {idle[0]} of {classes}, counted from 0, gets no gradient"
            " from it, also for examples of its class, so what it trains are no logits. All metrics"
            " take the largest output for the answer, accuracies too. For two classes the"
            " difference logits[:, 1] - logits[:, 0] trains both outputs"
        )
    elif fault:
        doubts.append(f"--objective {name}: {_FAULTS[fault]}")
    elif bounded:
        doubts.append(
            f"--objective {name}: it does not raise a right output above {SURE:g}, of others that"
            " are 0, so what it trains are no logits. All metrics take outputs for logits: losses,"
            " calibration and membership AUC are those of their softmax, not of this objective;"
            " accuracies are right where the largest output is meant as the answer"
        )
    return tuple(doubts)


@dataclass(frozen=True)
class _Tried:
    """An objective that is tried, and the network beside it whose code it shares, if there is
    one."""

    objective: Objective
    network: nn.Module | None = None

    @property
    def weights(self) -> set[int]:
        """The network's parameters, by identity."""
        return set() if self.network is None else {id(p) for p in self.network.parameters()}

    def __call__(self, logits: Tensor, batch: Batch, *, seed: int) -> Tensor:
        """The loss of these logits, after the network's pass in training mode."""
        self._passed(batch, seed)
        return self._asked(logits, batch, seed)

    def with_network(self, logits: Tensor, batch: Batch, *, seed: int) -> tuple[Tensor, Tensor]:
        """The loss, and the logits that it is of: the network's in training mode, which depend on
        all that its pass leaves; without one, or where these are no such logits, the given ones."""
        made = self._passed(batch, seed)
        if (
            isinstance(made, Tensor)
            and made.requires_grad
            and made.is_floating_point()
            and made.shape == logits.shape
        ):
            logits = made
        return self._asked(logits, batch, seed), logits

    def _passed(self, batch: Batch, seed: int) -> Any:
        if self.network is None:
            return None
        seed_all(seed)
        with blamed("the network beside it"), settings_kept():
            return self.network.train()(to_input(batch.images))

    def _asked(self, logits: Tensor, batch: Batch, seed: int) -> Tensor:
        seed_all(seed)
        with settings_kept():
            return self.objective(logits, batch)

    def trains(self, loss: Tensor) -> bool:
        """Whether the loss has a gradient for a weight of the network."""
        if self.network is None:
            return False
        weights = [each for each in self.network.parameters() if each.requires_grad]
        with blamed("the gradient of its loss"):
            found = torch.autograd.grad(loss, weights, allow_unused=True, retain_graph=True)
        return any(each is not None and bool(each.any()) for each in found)


def _try_last(
    tried: _Tried,
    spec: ObjectiveSpec,
    first: tuple[Tensor, Batch],
    last: tuple[Tensor, Batch],
    *,
    numbering: Numbering,
) -> None:
    """Raise `ValueError` if an objective takes a batch of the first examples, and fails for one of
    the last."""
    try:
        with settings_kept():
            tried.objective.start(spec)
        tried(*first, seed=0)
    except (Exception, SystemExit):  # it fails for any examples, or on this device: told elsewhere
        return
    with blamed(f"its __call__(logits, batch) for {numbering.told}"):
        tried(*last, seed=1)


def refuse_bad_loss(loss: object, logits: Tensor) -> None:
    """Raise `ValueError` if a loss is no scalar tensor, or has no gradient though `logits` have."""
    if not isinstance(loss, Tensor):
        raise ValueError(f"its loss must be a scalar tensor, not a {type(loss).__name__}")
    if loss.ndim != 0:
        raise ValueError(
            f"its loss must be a scalar, not a tensor of shape {tuple(loss.shape)}: take the mean"
            " over the batch"
        )
    if loss.is_complex():
        raise ValueError(f"its loss must be a real number, not {loss.dtype}")
    if logits.requires_grad and not loss.requires_grad:
        raise ValueError(
            "its loss carries no gradient: it must depend on the logits, not on detached numbers"
        )


@contextmanager
def named(name: str) -> Iterator[None]:
    """Prefix errors with the flag that names the objective."""
    try:
        yield
    except ObjectiveError:
        raise
    except ValueError as error:
        raise ObjectiveError(f"--objective {name}: {error}") from error


def _loss(
    tried: _Tried,
    logits: Tensor,
    batch: Batch,
    *,
    seed: int,
    reached: Tensor | None = None,
    aside: list[bool] | None = None,
    smaller: bool = True,
) -> Tensor:
    """The loss of one step, checked with its gradient, and with the graph of its computation. In
    `reached` (C,) bool the outputs are noted that get a gradient of some example, and in `aside`
    whether the loss trains a network, but not its logits. `smaller`: where it has no gradient, as a
    margin that large logits keep, it is asked once more with logits as of an untrained network."""
    given = logits
    free = logits.clone().requires_grad_()
    with blamed(f"its __call__(logits, batch), given logits {_shape(free)},"):
        loss, logits = tried.with_network(free, batch, seed=seed)
    of = "logits from -3 to 3" if logits is free else "the logits of the network beside it"
    refuse_bad_loss(loss, logits)
    if not loss.isfinite():
        raise ValueError(f"its loss is {float(loss.detach())} for {of}")
    with blamed("the gradient of its loss"):
        (gradient,) = torch.autograd.grad(loss, logits, allow_unused=True, retain_graph=True)
    if gradient is None or not gradient.any():
        beside = tried.trains(loss)
        if aside is not None:
            aside.append(beside)
        if beside:
            return loss
    if gradient is None:
        raise ValueError("its loss does not depend on the logits")
    if not gradient.isfinite().all():
        raise ValueError(f"the gradient of its loss is not finite for {of}")
    if not gradient.any() and smaller and logits is free:
        again = SMALL * given
        return _loss(tried, again, batch, seed=seed, reached=reached, aside=aside, smaller=False)
    if not gradient.any():
        raise ValueError("the gradient of its loss is 0 for every logit: nothing is learned")
    if reached is not None:
        reached |= (gradient != 0).any(dim=0)
    return loss


def _draws(
    make: Callable[[], Objective], spec: ObjectiveSpec, logits: Tensor, batch: Batch
) -> bool:
    """Whether the first loss of the objective that `make` makes is another one with other random
    numbers; False where it cannot be asked."""
    losses = []
    try:
        for seed in range(DRAWS):
            fresh = _Tried(make())
            fresh.objective.start(spec)
            losses.append(fresh(logits, batch, seed=seed).detach())
    except Exception:  # objectives are anybody's code, and this is for warnings only
        return False
    first, *others = losses
    return not all(torch.allclose(each, first, rtol=ROUNDING, atol=ROUNDING) for each in others)


def _bounded(tried: Callable[[], _Tried], spec: ObjectiveSpec, batch: Batch, classes: int) -> bool:
    """Whether the objective would raise no example's right output above `SURE`, as a squared error
    from 1 and 0 or a margin, though its softmax is far from 1 there; False where it cannot be
    asked.

    Not so where it asks for less certain answers on purpose, as one of a teacher's or with a lower
    bound of the loss: it changes outputs there, and goes by their differences alone, as a softmax.
    """
    logits = SURE * torch.nn.functional.one_hot(batch.labels, classes).float()

    def asked(logits: Tensor) -> Tensor:
        fresh = tried()
        fresh.objective.start(spec)
        return fresh(logits, batch, seed=0)

    try:
        with settings_kept():
            loss = asked(logits.requires_grad_())
            (gradient,) = torch.autograd.grad(loss, logits)
            moved = asked(logits.detach() + SURE)
    except Exception:  # objectives are anybody's code, and this is for a warning only
        return False
    right = gradient.gather(1, batch.labels[:, None])
    if not (gradient.isfinite().all() and (right >= 0).all()):
        return False
    by_differences = torch.isclose(moved.detach(), loss.detach(), rtol=1e-4, atol=1e-5)
    return not (gradient.any() and by_differences)


def _answers(
    make: Callable[[], Objective],
    spec: ObjectiveSpec,
    numbering: Numbering,
    classes: int,
    image_size: int,
    *,
    bounded: bool,
) -> Fault:
    """What is wrong with taking the largest logit for the answer that the objective trains, as
    `answers_fault`, on the CPU; empty where it cannot be asked."""
    cpu = torch.device("cpu")

    def batch(labels: Tensor) -> Batch:
        indices = torch.arange(len(labels)) % numbering.total
        _, drawn = _batch(classes, image_size, cpu, 0, indices=indices, groups=spec.groups)
        return replace(drawn, labels=labels, groups=in_groups(labels, spec.groups, classes))

    def ask() -> Asked:
        objective = make()
        objective.start(replace(spec, device=cpu))

        def asked(logits: Tensor, batch: Batch) -> Tensor:
            seed_all(0)
            return objective(logits, batch)

        return asked

    try:
        with settings_kept():
            return answers_fault(ask, batch, classes=classes, bounded=bounded)
    except Exception:  # objectives are anybody's code, and this is for a warning only
        return ""


def _shape(logits: Tensor) -> str:
    return f"of the shape (N, C) = {tuple(logits.shape)}, one tensor"


def _doubts(losses: Sequence[Tensor], name: str, *, known: set[int]) -> Iterator[str]:
    """A line about weights of its own that the losses of several steps depend on; those that are
    `known`, by identity, are a network's."""
    found = [leaves_of(loss) for loss in losses]
    own = [leaf for key, leaf in found[0].items() if all(key in leaves for leaves in found)]
    own = [leaf for leaf in own if id(leaf) not in known]
    if own:
        count = sum(leaf.numel() for leaf in own)
        yield (
            f"--objective {name}: its loss has a gradient for numbers of its own ({count:,}), and"
            " only the network's parameters are trained: they stay what they are unless it changes"
            " them itself"
        )


def _batch(
    classes: int,
    image_size: int,
    device: torch.device,
    step: int,
    *,
    indices: Tensor,
    groups: Groups,
) -> tuple[Tensor, Batch]:
    """Logits from -3 to 3 and a batch, both random but the same at each call, of the examples with
    these `indices`: two of a class in a row, as a loss of pairs needs them, and two of the next."""
    draw = torch.Generator().manual_seed(step)
    size = len(indices)
    logits = torch.rand(size, classes, generator=draw) * 6 - 3
    start = torch.randint(classes, (1,), generator=draw)
    labels = (torch.arange(size) // 2 + start) % classes
    shape = (size, 3, image_size, image_size)
    images = torch.randint(256, shape, generator=draw, dtype=torch.uint8)
    places = in_groups(labels, groups, classes)
    return logits.to(device), Batch(*(t.to(device) for t in (images, labels, places, indices)))
