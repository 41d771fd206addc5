"""Groups (class × cue values): their accuracy on unbiased examples, and mistakes on conflicting
ones."""

from __future__ import annotations

from dataclasses import dataclass

from lab.core.estimate import Estimate
from lab.core.words import interval
from lab.evaluators.evaluation import Evaluation, LoadedSplit
from lab.evaluators.evaluator import Result
from lab.evaluators.memorization import predicted_examples
from lab.evaluators.setup import Setup
from lab.measure import group_accuracies, worst
from lab.tracking import texts, views
from lab.tracking.predicted import PredictedExamples
from lab.tracking.writer import Tracker


@dataclass(frozen=True)
class GroupsEvaluator:
    """An evaluator: the accuracy of each group of the unbiased set, and the mistakes on the
    conflicting one."""

    conflicting: LoadedSplit
    noun: str

    @classmethod
    def prepare(cls, setup: Setup) -> GroupsEvaluator | None:
        """Where the world has cues."""
        conflicting = setup.splits.get("conflicting")
        if "unbiased" in setup.splits and isinstance(conflicting, LoadedSplit):
            return cls(conflicting, setup.world.noun)
        return None

    def __call__(self, evaluation: Evaluation) -> GroupsResult:
        """Accuracy of each group and of the worst."""
        unbiased = evaluation.on("unbiased")
        members = {name: unbiased.groups == i for i, name in enumerate(unbiased.group_names)}
        found = group_accuracies(unbiased.logits, unbiased.labels, members)
        metrics = {"accuracy/worst_group": worst(found)[1]}
        metrics |= {f"group_accuracy/{name}": share for name, share in found.items()}
        return GroupsResult(
            metrics=metrics,
            accuracies=found,
            conflicting=predicted_examples(self.conflicting, evaluation.on("conflicting")),
            noun=self.noun,
        )


@dataclass(frozen=True, kw_only=True)
class GroupsResult(Result):
    """Accuracy by group, and the predictions where the cues contradict the label."""

    accuracies: dict[str, Estimate]
    conflicting: PredictedExamples
    noun: str

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log a sheet of mistakes where the cues contradict the label."""
        views.write_conflicting(tracker, step, self.conflicting)

    def show_final(self, tracker: Tracker, step: int) -> None:
        """Log the table of groups, the worst first."""
        rows = [
            (name, f"{share.count:,}", f"{share.value:.3f}", interval(share, 3))
            for name, share in sorted(self.accuracies.items(), key=lambda x: x[1].value)
        ]
        header = ("group", f"unbiased test {self.noun}", "accuracy", "95 % interval")
        tracker.text("group_accuracies", texts.table(header, rows), step)
