"""What is doubtful about a loop when it has ended: examples that it has not seen, other labels,
another threshold, and outputs of which the smallest is the right one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lab.core.estimate import Estimate
from lab.core.words import in_steps, percent
from lab.evaluators import SuiteResult
from lab.measure import Predictions
from lab.measure.accuracy import example_losses
from lab.measure.better_threshold import BetterThreshold, better_threshold
from lab.measure.exchanged import exchanged_classes
from lab.measure.known_before import known_before
from lab.measure.smallest_right import SmallestRight, share_of_smallest, smallest_right
from lab.measure.unmet import Unmet, unmet_answers
from lab.verdict import Relabeled
from lab.verdict.doubts import UNRECOGNIZED
from lab.watching.smallest import told_of_smallest
from lab.watching.sources import Source
from lab.watching.threshold import Threshold, other_threshold

STEADY = 0.9
"""Share of the training examples that get the usual answer to their class, from which on it is
asked whether these are other labels."""

UNDRAWN = 0.05
"""Share of the training examples that a sampler has not drawn, above which it is said."""


def unseen_in(source: Source, *, steps: int, batches: int) -> str:
    """What is to be said of training examples that a loop has not seen in `steps`, each of so many
    `batches` of the training loader `source`, over all processes."""
    count, batch = source.count, source.batch
    if not batch or not steps:
        return ""
    gone = steps * batches * batch
    if gone < count:
        one = ", if a step takes one batch" if batches == 1 else ""
        return (
            f"{in_steps(steps)} with batches of {batch:,} go through"
            f" {gone:,} of the {count:,} training examples{one}: all of them count as studied, so"
            " give what the loop goes through"
        )
    never = source.never_drawn(gone)
    if never > UNDRAWN * count:
        return (
            f"train is a loader that draws with replacement: about {never:,.0f} of its {count:,}"
            " examples were never drawn, and all of them count as studied, so that the gap and the"
            " membership AUC are too small"
        )
    return ""


@dataclass(frozen=True)
class AtFirst:
    """Of the training examples before the loop: the mean `loss`, and the share `smallest` of which
    the output for their label is the smallest of all. `right` is the share of the test examples
    that it gets right, where no untrained network would get so many with so small a loss."""

    loss: float
    smallest: float
    right: Estimate | None = None

    @classmethod
    def of(cls, result: SuiteResult, *, steps: int = 0) -> AtFirst:
        """What the first measurement gives, after so many `steps` of the loop."""
        train = result.evaluation.on("train")
        share = share_of_smallest(train.logits, train.labels)
        right = None
        if not steps:
            test = result.evaluation.on("test")
            losses = example_losses(test.logits, test.labels)
            right = known_before(result.metrics, test.labels, losses)
        return cls(_value(result.metrics["loss/train"]), share.value, right)

    @property
    def told(self) -> str:
        """What is to be said of a network that knew the test examples before the loop."""
        if self.right is None:
            return ""
        return (
            f"the model gets {percent(self.right.value)} of the test examples right before the"
            " first step: if it was trained before, as one that the folds of a cross-validation"
            " share, it may have studied some of them, and what is said of the test set is too good"
        )

    def differs_from(self, result: SuiteResult) -> bool:
        """Whether a later measurement has another loss."""
        return _value(result.metrics["loss/train"]) != self.loss


@dataclass(frozen=True)
class Meant:
    """What the outputs seem to mean to the loop, if it is something else than here: the `smallest`
    is the right one, or they are answers in other labels (`relabeled`); `told` is what is to be
    said of it."""

    smallest: SmallestRight | None = None
    relabeled: Relabeled = ""
    told: str = ""

    @classmethod
    def of(cls, result: SuiteResult, first: AtFirst, *, logits: bool, unrecognized: bool) -> Meant:
        """What the last measurement shows; `logits`: the outputs are no probabilities;
        `unrecognized`: no inputs of the loop are known."""
        train, metrics = result.evaluation.on("train"), result.metrics
        if logits and (found := smallest_right(train.logits, train.labels, before=first.smallest)):
            told = told_of_smallest(found, metrics["accuracy/train"])
            if unrecognized:
                told += f". Or does the loop change the inputs itself ({UNRECOGNIZED})?"
            return cls(smallest=found, told=told)
        relabeled = _relabeled(train, metrics, first.loss)
        if not relabeled:
            return cls()
        why = "fewer than one answer to all would get"
        if relabeled == "classes":
            why = "and gives nearly all examples of a class one answer, mostly another class"
        told = (
            f"the model gets {percent(_value(metrics['accuracy/train']))} of its training examples"
            f" right, {why}: does the loop train it with other labels, changed on the way, made"
            " coarser or numbered in another order?"
        )
        if unrecognized:
            told += f" Or does it change the inputs ({UNRECOGNIZED})?"
        return cls(relabeled=relabeled, told=told)


@dataclass(frozen=True)
class Ending:
    """What the last measurement shows beside its figures: what the outputs seem to be `meant` for;
    another `threshold` that the loop seems to take for one output, or by which outputs tell the
    classes better (`ranked`); answers that are no class (`unmet`) and classes that were
    `exchanged` in one of the sets; `in_training`: what is right in training mode, where that is far
    more than in eval mode, and then nothing else follows from its outputs."""

    meant: Meant = field(default_factory=Meant)
    threshold: Threshold | None = None
    ranked: BetterThreshold | None = None
    unmet: Unmet | None = None
    exchanged: tuple[tuple[str, str], ...] = ()
    in_training: Estimate | None = None

    @classmethod
    def of(
        cls,
        result: SuiteResult,
        first: AtFirst | None,
        *,
        logits: bool,
        unrecognized: bool,
        settled: bool,
        bounded: Callable[[], bool],
        in_training: Estimate | None,
    ) -> Ending:
        """What a `result` shows: `first` is that from before the loop (None: nothing follows from
        it), `logits` and `unrecognized` are as for `Meant.of`; `settled`: the network was seen to
        be trained, for a while, on inputs as they are measured; `bounded` says whether what makes
        the outputs keeps them on one side of 0; `in_training` is as for the class."""
        train, test = (result.evaluation.on(name) for name in ("train", "test"))
        if in_training is not None:
            return cls(unmet=unmet_answers(train, test), in_training=in_training)
        meant = Meant()
        if first is not None:
            meant = Meant.of(result, first, logits=logits, unrecognized=unrecognized)
        return cls(
            meant=meant,
            threshold=_threshold(train, test, bounded) if settled and logits else None,
            ranked=better_threshold(train, test) if settled else None,
            unmet=unmet_answers(train, test),
            exchanged=exchanged_classes(train, test),
        )

    @property
    def told(self) -> list[str]:
        """What is to be said of it, a line each."""
        threshold = self.threshold.told if self.threshold is not None else ""
        modes = ""
        if self.in_training is not None:
            modes = (
                f"in training mode the model gets {percent(self.in_training.value)} of its training"
                " examples right, far more than in eval mode, in which it is measured: does it do"
                " something in one mode alone, such as a normalization, or have its running"
                " statistics not settled?"
            )
        return [said for said in (modes, self.meant.told, threshold) if said]


def _threshold(
    train: Predictions, test: Predictions, bounded: Callable[[], bool]
) -> Threshold | None:
    """The threshold that the loop seems to take for the one output of a binary classifier, if that
    is not 0."""
    if train.logits.shape[1] != 2 or bool(train.logits[:, 0].any()):
        return None
    every = torch.cat([train.logits[:, 1], test.logits[:, 1]])
    sided = not bool((every < 0).any()) or not bool((every > 0).any())
    return other_threshold(train.logits[:, 1], train.labels, one_sided=sided and bounded())


def _relabeled(
    train: Predictions, metrics: Mapping[str, Estimate | float], first_loss: float
) -> Relabeled:
    """Whether the loop's labels are not those of the training set: the loss has risen beyond that
    of a guess, and training accuracy is surely below what any one answer to all examples gets
    ("others"), or nearly all examples of each class get one answer, which is another label for most
    of them and not the same for all ("classes"); else empty."""
    labels, classes = train.labels, len(train.classes)
    right, loss = metrics["accuracy/train"], _value(metrics["loss/train"])
    if not (math.isfinite(loss) and loss > max(first_loss, math.log(classes))):
        return ""
    least = int(torch.bincount(labels, minlength=classes).min()) / len(labels)
    high = right.interval[1] if isinstance(right, Estimate) else 1.0
    if high < least:
        return "others"
    answers = train.predicted
    table: Tensor = torch.zeros(classes, int(answers.max()) + 1 + classes)
    table.index_put_((labels, answers), torch.ones(len(labels)), accumulate=True)
    usual, answer = table.max(dim=1)
    several = len(set(answer[usual > 0].tolist())) > 1
    steady = float(usual.sum()) >= STEADY * len(labels)
    return "classes" if high < 0.5 and several and steady else ""


def _value(metric: Estimate | float) -> float:
    return metric.value if isinstance(metric, Estimate) else metric
