"""Subpopulations: accuracy on each kind of picture of the test set, of the final model."""

from __future__ import annotations

from lab.core.estimate import Estimate
from lab.evaluators.evaluation import Evaluation
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import Predictions, group_accuracies
from lab.measure.dependent import allowing_for_dependence


class SubpopulationsEvaluator:
    """An evaluator: accuracy by subpopulation."""

    @classmethod
    def prepare(cls, setup: Setup) -> SubpopulationsEvaluator:
        """For any world."""
        return cls()

    def __call__(self, evaluation: Evaluation) -> Result:
        """The accuracy of each subpopulation that the test set has, by tag."""
        test = evaluation.on("test")
        found = allowing_for_dependence(lambda _, unseen: _by_subpopulation(unseen), test, test)
        return Result(
            metrics={f"subpopulation_accuracy/{name}": share for name, share in found.items()}
        )


def _by_subpopulation(test: Predictions) -> dict[str, Estimate]:
    members = {n: test.subpopulations == i for i, n in enumerate(test.subpopulation_names)}
    return group_accuracies(test.logits, test.labels, members)
