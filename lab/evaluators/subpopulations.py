"""Subpopulations: accuracy on each kind of picture of the test set, of the final model."""

from __future__ import annotations

from lab.evaluators.evaluation import Evaluation
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import group_accuracies


class SubpopulationsEvaluator:
    """An evaluator: accuracy by subpopulation."""

    @classmethod
    def prepare(cls, setup: Setup) -> SubpopulationsEvaluator:
        """For any world."""
        return cls()

    def __call__(self, evaluation: Evaluation) -> Result:
        """The accuracy of each subpopulation that the test set has, by tag."""
        test = evaluation.on("test")
        members = {n: test.subpopulations == i for i, n in enumerate(test.subpopulation_names)}
        found = group_accuracies(test.logits, test.labels, members)
        return Result(
            metrics={f"subpopulation_accuracy/{name}": share for name, share in found.items()}
        )
