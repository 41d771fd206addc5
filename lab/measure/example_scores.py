"""Scores of training examples that one training gives: how hard each example was to learn.

Each is said to tell memorized or mislabeled examples from others at the price of one training,
where the memorization score (`lab.measure.memorization_scores`) takes many. `SCORES` is their
table; scores that take a second training are in `lab.measure.second_split`. `ScoreCollector`
measures them along a training: after each epoch it predicts the whole training set in eval mode,
which changes nothing of the network or of any random state. Two scores take gradients, which some
networks do not have in eval mode: these are left out then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from torch.nn.utils import get_total_norm

from lab.core.seeds import torch_seed
from lab.measure.accuracy import example_losses
from lab.measure.predict import BATCH, predict
from lab.measure.predictions import right
from lab.models import NOT_REACHED, NetworkError, blamed, device_of, to_input, untouched

EARLY = 10
"""The epoch after which EL2N and the gradient norm are measured (Paul et al. 2021 measure both
within the first 20); where training has fewer, they are those of its end."""

CURVATURE_EVERY = 5
"""Epochs from one measurement of the loss curvature to the next; the first is after epoch 1."""

DIRECTIONS, STEP = 2, 1e-3
"""Random directions of a measurement of the curvature, and the length of the step along each, in
units of the network's input (pixels from -1 to 1). Garg et al. 2024 take ten directions after every
epoch, for ten times the time of the training itself."""


NO_SLOPES = (
    "no gradients lead from its answers in eval mode to its input (it turns them off, or detaches"
    " what it is fed)"
)
"""What is said of a network without gradients with respect to its input."""


def error_norm(logits: Tensor, labels: Tensor) -> Tensor:
    """The Euclidean norm (N,) of softmax(`logits` (N, C)) minus the label's one-hot vector, 0 to
    the square root of 2, float64 (EL2N: Paul et al. 2021, definition 2.3)."""
    errors = logits.double().softmax(dim=1) - one_hot(labels, logits.shape[1])
    norms: Tensor = torch.linalg.vector_norm(errors, dim=1)
    return norms


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The logit of the label minus the largest other one (N,), float64 (Pleiss et al. 2020, eq.
    1)."""
    own = labels[:, None]
    others = logits.double().scatter(1, own, -torch.inf)
    return logits.double().gather(1, own)[:, 0] - others.max(dim=1).values


def doubt(logits: Tensor) -> Tensor:
    """1 minus the largest probability (N,), float64; tiny ones stay distinct."""
    logits = logits.double()
    others = logits.scatter(1, logits.argmax(dim=1, keepdim=True), -torch.inf)
    return (others.logsumexp(dim=1) - logits.logsumexp(dim=1)).exp()


class NoGradients(NetworkError):
    """In eval mode no gradients lead to what they are asked for; the message says so in a line."""


def gradient_norms(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    to_input: Callable[[Tensor], Tensor] = to_input,
) -> Tensor:
    """The norm (N,) of the gradient of each example's loss with respect to all trainable
    parameters together, float64 on the CPU (GraNd: Paul et al. 2021, definition 2.1).

    In eval mode, one example at a time, in about five times the time of a training epoch. Raises
    `NoGradients` for a network whose answers in eval mode have none with respect to these
    parameters: they are then not what it answers by, so that the score is not defined.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    norms = []
    with _gradients_of(model):
        for image, label in zip(images, labels, strict=True):
            logits = model(to_input(image[None].to(device_of(model))))
            loss = cross_entropy(logits, label[None].to(logits.device))
            if not weights or not loss.requires_grad:
                raise NoGradients(NOT_REACHED)
            # Kept for the next example: a network may compute its weights once for all of them.
            slopes = torch.autograd.grad(loss, weights, allow_unused=True, retain_graph=True)
            found = [each for each in slopes if each is not None]
            if not found:
                raise NoGradients(NOT_REACHED)
            norms.append(get_total_norm(found))
    return torch.stack(norms).cpu().double() if norms else torch.zeros(0, dtype=torch.float64)


def loss_curvature(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    seed: int,
    directions: int = DIRECTIONS,
    step: float = STEP,
    to_input: Callable[[Tensor], Tensor] = to_input,
) -> Tensor:
    """The curvature (N,) of the loss around each example, float64 on the CPU: the mean over random
    `directions` v, of ±1 for each number of the input x, of |g(x + h v) - g(x)| / h, where g is the
    gradient of the loss with respect to x, |·| the Euclidean norm and h the `step`.

    Garg, Ravikumar & Roy, ICML 2024. v of picture i follows from `seed` and i. In eval mode. Raises
    `NoGradients` for a network that has none with respect to its input.
    """
    device, found = device_of(model), []

    def gradient(inputs: Tensor, given: Tensor) -> Tensor:
        inputs = inputs.detach().clone().requires_grad_()
        loss = cross_entropy(model(inputs), given, reduction="sum")
        slope = None
        if loss.requires_grad:
            (slope,) = torch.autograd.grad(loss, inputs, allow_unused=True)
        if slope is None:
            raise NoGradients(NO_SLOPES)
        return slope

    generator = torch.Generator().manual_seed(seed)
    with _gradients_of(model):
        for start in range(0, len(images), BATCH):
            inputs = to_input(images[start : start + BATCH].to(device))
            given = labels[start : start + BATCH].to(device)
            signs = torch.randint(2, (directions, *inputs.shape), generator=generator)
            here = gradient(inputs, given)
            bent = torch.zeros(len(inputs), dtype=torch.float64)
            for each in signs:
                there = gradient(inputs + step * (2 * each - 1).to(inputs), given)
                bent += (there - here).flatten(1).norm(dim=1).cpu().double() / step
            found.append(bent / directions)
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)


@dataclass(frozen=True, kw_only=True)
class Dynamics:
    """What is kept of a training for each of its N examples, (N,) each on the CPU.

    Args:
        epochs: epochs after which the examples were predicted.
        loss_sum: sum over these of the loss, in nats.
        margin_sum: sum over these of the margin.
        right: whether the last of these predictions was right.
        learned: whether any of them was.
        forgotten: how often a right one was followed by a wrong one.
        error_norm: of `EARLY` epochs.
        gradient_norm: of `EARLY` epochs.
        curvature_sum: sum of the measured curvatures.
        curvatures: how many these were.
        final_loss: of the network that training ended with.
        final_doubt: of the same.
    """

    epochs: int
    loss_sum: Tensor
    margin_sum: Tensor
    right: Tensor
    learned: Tensor
    forgotten: Tensor
    error_norm: Tensor
    gradient_norm: Tensor
    curvature_sum: Tensor
    curvatures: int
    final_loss: Tensor
    final_doubt: Tensor

    @classmethod
    def none(cls, count: int) -> Dynamics:
        """Those of `count` examples before training; NaN: not measured."""
        zero, unknown = (torch.full((count,), x, dtype=torch.float64) for x in (0.0, torch.nan))
        never = torch.zeros(count, dtype=torch.bool)
        return cls(
            epochs=0, loss_sum=zero, margin_sum=zero, right=never, learned=never,
            forgotten=torch.zeros(count, dtype=torch.int64), error_norm=unknown,
            gradient_norm=unknown, curvature_sum=zero, curvatures=0, final_loss=unknown,
            final_doubt=unknown,
        )  # fmt: skip

    def after_epoch(self, logits: Tensor, labels: Tensor) -> Dynamics:
        """Those after one more epoch, with the predictions `logits` (N, C) after it."""
        hits = right(logits, labels)
        return replace(
            self,
            epochs=self.epochs + 1,
            loss_sum=self.loss_sum + example_losses(logits, labels),
            margin_sum=self.margin_sum + margin(logits, labels),
            right=hits,
            learned=self.learned | hits,
            forgotten=self.forgotten + (self.right & ~hits),
        )


def forgetting_events(dynamics: Dynamics) -> Tensor:
    """How often an example was forgotten; one that was never right counts as forgotten after every
    epoch."""
    never = torch.full_like(dynamics.forgotten, dynamics.epochs)
    return torch.where(dynamics.learned, dynamics.forgotten, never).double()


def negative_area_under_margin(dynamics: Dynamics) -> Tensor:
    """Minus the mean margin."""
    return -dynamics.margin_sum / dynamics.epochs


def early_error_norm(dynamics: Dynamics) -> Tensor:
    """The error norm after `EARLY` epochs."""
    return dynamics.error_norm


def early_gradient_norm(dynamics: Dynamics) -> Tensor:
    """The gradient norm after `EARLY` epochs."""
    return dynamics.gradient_norm


def mean_loss(dynamics: Dynamics) -> Tensor:
    """The mean loss over the epochs, in nats."""
    return dynamics.loss_sum / dynamics.epochs


def mean_curvature(dynamics: Dynamics) -> Tensor:
    """The mean of the measured curvatures."""
    return dynamics.curvature_sum / dynamics.curvatures


def final_loss(dynamics: Dynamics) -> Tensor:
    """The loss at the end, in nats."""
    return dynamics.final_loss


def final_doubt(dynamics: Dynamics) -> Tensor:
    """1 minus the confidence at the end."""
    return dynamics.final_doubt


Kept = TypeVar("Kept")
"""What is kept of a training, of which scores are read off."""


@dataclass(frozen=True, kw_only=True)
class Score(Generic[Kept]):
    """A row of a table of scores.

    Args:
        name: the column of `example_scores.csv`.
        heading: its name in words.
        formula: what it is, for an example with label y.
        source: where it is from.
        flipped: whether the source's own number is lower for harder examples. Here all scores are
            higher for harder ones.
        of: the scores (N,) float64 of a training's examples.
    """

    name: str
    heading: str
    formula: str
    source: str
    flipped: bool = False
    of: Callable[[Kept], Tensor]


SCORES: tuple[Score[Dynamics], ...] = (
    Score(
        name="forgetting_events",
        heading="forgetting events",
        formula="number of epochs after which y is not predicted, and was after the epoch before;"
        " the number of all epochs, if it never was",
        source="Toneva et al., ICLR 2019 (who compare an example's predictions in the batches that"
        " it is in)",
        of=forgetting_events,
    ),
    Score(
        name="negative_aum",
        heading="low area under the margin (AUM)",
        formula="minus the mean over the epochs of (logit of y − largest other logit)",
        source="Pleiss et al., NeurIPS 2020",
        flipped=True,
        of=negative_area_under_margin,
    ),
    Score(
        name="el2n",
        heading="error norm (EL2N)",
        formula=f"Euclidean norm of (probabilities − one-hot vector of y) after {EARLY} epochs",
        source="Paul et al., NeurIPS 2021",
        of=early_error_norm,
    ),
    Score(
        name="gradient_norm",
        heading="gradient norm (GraNd)",
        formula="Euclidean norm of the gradient of the loss with respect to all parameters after"
        f" {EARLY} epochs",
        source="Paul et al., NeurIPS 2021",
        of=early_gradient_norm,
    ),
    Score(
        name="mean_loss",
        heading="mean loss (CSL)",
        formula="mean over the epochs of the cross-entropy of y, in nats",
        source="cumulative sample loss: Ravikumar et al., ICML 2025 (the sum, which ranks alike)",
        of=mean_loss,
    ),
    Score(
        name="curvature",
        heading="loss curvature",
        formula="mean of |g(x + hv) − g(x)| / h, with g the gradient of the loss with respect to"
        f" the input x, {DIRECTIONS} random v of ±1 and h = {STEP:g}, after epochs 1,"
        f" {1 + CURVATURE_EVERY}, {1 + 2 * CURVATURE_EVERY}, …",
        source="Garg, Ravikumar & Roy, ICML 2024 (10 directions after every epoch)",
        of=mean_curvature,
    ),
    Score(
        name="final_loss",
        heading="loss at the end",
        formula="cross-entropy of y of the trained network, in nats",
        source="membership inference by losses: Yeom et al., CSF 2018",
        of=final_loss,
    ),
    Score(
        name="final_doubt",
        heading="low confidence at the end",
        formula="1 − the trained network's largest probability",
        source="maximum softmax probability: Hendrycks & Gimpel, ICLR 2017",
        flipped=True,
        of=final_doubt,
    ),
)  # fmt: skip
"""All scores of one training. Higher: harder to learn, more likely memorized."""


def by_heading(left_out: Mapping[str, str]) -> dict[str, str]:
    """Scores that are left out with the reasons, by their headings in place of their names."""
    return {each.heading: left_out[each.name] for each in SCORES if each.name in left_out}


def ends_epoch(step: int, *, batch_size: int, count: int) -> bool:
    """Whether a pass over `count` examples ends with step number `step` (the first is 1)."""
    return step * batch_size // count > (step - 1) * batch_size // count


class ScoreCollector:
    """The scores of the examples of one training, whose `images` (N, C, S, S) uint8 and given
    `labels` (N,) it predicts after each epoch: after the first step by which `batch_size` times the
    steps are so many times N. `seed` decides the directions of the curvature.

    `due` and `collect` go into the training loop, `state` and `restore` into its checkpoints; after
    its end `finish` has the scores. `left_out` are those that the network has no gradients for, or
    fails at, by name with the reason.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        batch_size: int,
        seed: int,
        to_input: Callable[[Tensor], Tensor] = to_input,
    ) -> None:
        self._images, self._labels, self._batch_size = images, labels.cpu(), batch_size
        self._seed, self._to_input = seed, to_input
        self.dynamics = Dynamics.none(len(labels))
        self.left_out: dict[str, str] = {}

    def due(self, step: int) -> bool:
        """Whether an epoch ends with step number `step` (the first is 1)."""
        return ends_epoch(step, batch_size=self._batch_size, count=len(self._labels))

    def collect(self, model: nn.Module) -> None:
        """Measure the network after an epoch."""
        logits = self._predict(model)
        known = self.dynamics.after_epoch(logits, self._labels)
        if known.epochs == EARLY:
            known = self._with_early(known, model, logits)
        if (known.epochs - 1) % CURVATURE_EVERY == 0:
            seed = torch_seed(self._seed, "curvature", known.epochs)
            bent = self._unless_left_out("curvature", partial(loss_curvature, model, seed=seed))
            known = replace(
                known,
                curvature_sum=known.curvature_sum + bent,
                curvatures=known.curvatures + 1,
            )
        self.dynamics = known

    def finish(self, model: nn.Module) -> dict[str, Tensor]:
        """All scores (N,) by name but those that are left out, after training has ended with
        `model`; a training without a whole epoch counts as one."""
        if self.dynamics.epochs == 0:
            self.collect(model)
        logits, known = self._predict(model), self.dynamics
        if known.epochs < EARLY:
            known = self._with_early(known, model, logits)
        known = replace(
            known, final_loss=example_losses(logits, self._labels), final_doubt=doubt(logits)
        )
        return {s.name: s.of(known) for s in SCORES if s.name not in self.left_out}

    def state(self) -> dict[str, Any]:
        """What a resumed training needs, as tensors and plain values."""
        return {**vars(self.dynamics), "left_out": dict(self.left_out)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from such a state; `ValueError` if it is of other examples."""
        kept: dict[str, Any] = {
            name: value.cpu() if isinstance(value, Tensor) else value
            for name, value in state.items()
        }
        left_out = kept.pop("left_out", {})  # an earlier version did without
        dynamics = Dynamics(**kept)
        if len(dynamics.loss_sum) != len(self._labels):
            raise ValueError(f"its scores are of {len(dynamics.loss_sum):,} examples")
        self.dynamics, self.left_out = dynamics, dict(left_out)

    def _predict(self, model: nn.Module) -> Tensor:
        return predict(model, self._images, to_input=self._to_input)

    def _with_early(self, known: Dynamics, model: nn.Module, logits: Tensor) -> Dynamics:
        slopes = self._unless_left_out("gradient_norm", partial(gradient_norms, model))
        return replace(known, error_norm=error_norm(logits, self._labels), gradient_norm=slopes)

    def _unless_left_out(self, name: str, measure: Callable[..., Tensor]) -> Tensor:
        """What `measure` finds of all examples (N,); NaN where that score is left out, as it is
        from now on if the network has no gradients for it, or its code fails."""
        if name not in self.left_out:
            try:
                return measure(self._images, self._labels, to_input=self._to_input)
            except NetworkError as error:
                self.left_out[name] = str(error)
        return torch.full((len(self._labels),), torch.nan, dtype=torch.float64)


@contextmanager
def _gradients_of(model: nn.Module) -> Iterator[None]:
    """The network in eval mode, with gradients, and left as it was."""
    with blamed("the network"), untouched(model), torch.enable_grad():
        yield
