"""Memorization: the gap, membership inference and fitted label noise, with their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lab.core.estimate import Estimate
from lab.evaluators.evaluation import Evaluation, LoadedSplit
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import Predictions, example_losses, memorization_metrics
from lab.measure.class_shares import MEAN, at_test_shares, class_mean
from lab.measure.dependent import allowing_for_dependence
from lab.measure.ranking import ROC_AUC, roc_auc
from lab.measure.right_labels import of_right_labels, rightly_labeled
from lab.models import features
from lab.tracking import views
from lab.tracking.predicted import PredictedExamples
from lab.tracking.writer import Tracker
from lab.worlds import DrawnWorld
from lab.worlds.groups import groups_are_kinds


@dataclass(frozen=True)
class MemorizationEvaluator:
    """An evaluator: predictions on the training set against those on the test set."""

    train: LoadedSplit
    test: LoadedSplit
    noun: str
    drawn: bool
    """Whether both sets are drawn from one population, so that classes differ by chance only."""
    kinds: bool = False
    """Whether groups are kinds of pictures, such as sites, and not clusters, such as patients."""

    @classmethod
    def prepare(cls, setup: Setup) -> MemorizationEvaluator | None:
        """Where there is a training set, and both sets are in memory."""
        train, test = setup.splits.get("train"), setup.splits["test"]
        if isinstance(train, LoadedSplit) and isinstance(test, LoadedSplit):
            world = setup.world
            kinds = groups_are_kinds(world)
            return cls(train, test, world.noun, isinstance(world, DrawnWorld), kinds)
        return None

    def __call__(self, evaluation: Evaluation) -> MemorizationResult:
        """Gaps, membership inference and label noise."""
        train, test = evaluation.on("train"), evaluation.on("test")
        judged = rightly_labeled(train) or train
        alike = {} if self.drawn else at_test_shares(judged, test, kinds=self.kinds)
        alike |= of_right_labels(train, test)
        if not self.drawn and len(test):
            alike |= allowing_for_dependence(lambda _, one: {MEAN: class_mean(one)}, test, test)
            alike |= allowing_for_dependence(_ranked, test, test)
        return MemorizationResult(
            metrics=memorization_metrics(train, test) | alike,
            evaluation=evaluation,
            splits=(self.train, self.test),
            noun=self.noun,
        )


def _ranked(_: Predictions, test: Predictions) -> dict[str, Estimate]:
    ranked = roc_auc(test)
    return {} if ranked is None else {ROC_AUC: ranked}


@dataclass(frozen=True, kw_only=True)
class MemorizationResult(Result):
    """Metrics of memorization; the predictions and the pictures on both sets."""

    evaluation: Evaluation
    splits: tuple[LoadedSplit, LoadedSplit]
    noun: str

    def show_distributions(self, tracker: Tracker, step: int) -> None:
        """Log how the losses are distributed over each set."""
        train, test = (
            example_losses(each.logits, each.labels)
            for each in map(self.evaluation.on, ("train", "test"))
        )
        views.write_losses(tracker, step, train=train, test=test)

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log sheets of examples, and precision against recall."""
        train, test = self._predicted
        views.write_sheets(tracker, step, train=train, test=test, noun=self.noun)
        views.write_curves(tracker, step, test)

    def show_projector(self, tracker: Tracker) -> None:
        """Log what the last layer is given of some examples, where there is such a layer."""
        points = {}
        for split, predicted in zip(self.splits, self._predicted, strict=True):
            few = split.first(views.PROJECTOR_FACES)
            fed = split.feed(self.evaluation.model, len(few))
            seen = features(fed.model, fed.to_input(fed.stored))
            if seen is None or len(seen) != len(few):  # its last layer sees parts of examples
                return
            points[split.name] = views.Points(
                answers=predicted.first(len(few)),
                features=seen,
                attributes={name: few.samples.names(name) for name in few.samples.schema},
            )
        views.write_projector(tracker, points)

    @cached_property
    def _predicted(self) -> tuple[PredictedExamples, PredictedExamples]:
        train, test = (
            predicted_examples(split, self.evaluation.on(split.name)) for split in self.splits
        )
        return train, test


def predicted_examples(split: LoadedSplit, predictions: Predictions) -> PredictedExamples:
    """A split's pictures with the predictions on them, as sheets and curves take them."""
    return PredictedExamples(
        images=split.on_cpu.images,
        probabilities=predictions.logits.double().softmax(dim=1),  # close ones stay distinct
        labels=predictions.labels,
        clean_labels=predictions.clean_labels,
        classes=predictions.classes,
    )
