"""Groups: the accuracy of each class × cue values on unbiased examples, and mistakes on conflicting
ones; or of each class × values of columns of your own on the test set."""

from __future__ import annotations

from dataclasses import dataclass

from lab.core.estimate import Estimate
from lab.core.words import interval
from lab.evaluators.evaluation import Evaluation, LoadedSplit
from lab.evaluators.evaluator import Result
from lab.evaluators.memorization import predicted_examples
from lab.evaluators.setup import Setup
from lab.measure import Predictions, group_accuracies, worst
from lab.measure.dependent import allowing_for_dependence
from lab.tracking import texts, views
from lab.tracking.predicted import PredictedExamples
from lab.tracking.writer import Tracker


@dataclass(frozen=True)
class GroupsEvaluator:
    """An evaluator: the accuracy of each group of `split`, the unbiased or the test set, and the
    mistakes on the conflicting one, where there is such a set."""

    split: str
    conflicting: LoadedSplit | None
    noun: str
    """What the table of groups counts."""
    called: str
    """What the world calls its pictures."""

    @classmethod
    def prepare(cls, setup: Setup) -> GroupsEvaluator | None:
        """Where the world has cues, or the test set has groups of the user's own."""
        conflicting, called = setup.splits.get("conflicting"), setup.world.noun
        if "unbiased" in setup.splits and isinstance(conflicting, LoadedSplit):
            return cls("unbiased", conflicting, f"unbiased test {called}", called)
        if setup.grouped or setup.world.grouped_by:
            return cls("test", None, f"test {called}", called)
        return None

    def __call__(self, evaluation: Evaluation) -> GroupsResult:
        """Accuracy of each group and of the worst."""
        grouped = evaluation.on(self.split)
        found = allowing_for_dependence(lambda _, unseen: _by_group(unseen), grouped, grouped)
        metrics = {"accuracy/worst_group": worst(found)[1]}
        metrics |= {f"group_accuracy/{name}": share for name, share in found.items()}
        against = self.conflicting
        return GroupsResult(
            metrics=metrics,
            accuracies=found,
            conflicting=predicted_examples(against, evaluation.on("conflicting"))
            if against
            else None,
            noun=self.noun,
            called=self.called,
        )


def _by_group(predictions: Predictions) -> dict[str, Estimate]:
    """The accuracy of each group that occurs, by name."""
    members = {name: predictions.groups == i for i, name in enumerate(predictions.group_names)}
    met = {name: where for name, where in members.items() if where.any()}
    return group_accuracies(predictions.logits, predictions.labels, met)


@dataclass(frozen=True, kw_only=True)
class GroupsResult(Result):
    """Accuracy by group, and the predictions where the cues contradict the label."""

    accuracies: dict[str, Estimate]
    conflicting: PredictedExamples | None
    noun: str
    called: str

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log a sheet of mistakes where the cues contradict the label."""
        if self.conflicting is not None:
            views.write_conflicting(tracker, step, self.conflicting, noun=self.called)

    def show_final(self, tracker: Tracker, step: int) -> None:
        """Log the table of groups, the worst first."""
        rows = [
            (name, f"{share.count:,}", f"{share.value:.3f}", interval(share, 3))
            for name, share in sorted(self.accuracies.items(), key=lambda x: x[1].value)
        ]
        header = ("group", self.noun, "accuracy", "95 % interval")
        tracker.text("group_accuracies", texts.table(header, rows), step)
