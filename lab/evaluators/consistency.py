"""Consistency: whether the final model's predictions are a function of the picture, and how many
are the same."""

from __future__ import annotations

from dataclasses import dataclass

from lab.core.estimate import Estimate
from lab.evaluators.evaluation import Evaluation, Split
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import Predictions, consistency
from lab.measure.class_shares import same_answer
from lab.measure.dependent import allowing_for_dependence
from lab.worlds.association import first_ones


@dataclass(frozen=True)
class ConsistencyEvaluator:
    """An evaluator: predictions on some test pictures once more, and on each of them alone."""

    test: Split
    count: int

    @classmethod
    def prepare(cls, setup: Setup) -> ConsistencyEvaluator:
        """For any world."""
        return cls(setup.splits["test"], setup.asked_again)

    def __call__(self, evaluation: Evaluation) -> Result:
        """The shares of predictions that change, and that of the most frequent one, by tag."""
        fed = self.test.feed(evaluation.model, self.count)
        test = evaluation.on("test")
        asked = consistency(
            fed.model, fed.stored, to_input=fed.to_input, batch_size=fed.batch_size,
            own=None if test.copies is None else first_ones(test.copies.tolist()),
        )  # fmt: skip
        return Result(metrics={**asked, **allowing_for_dependence(_most_frequent, test, test)})


def _most_frequent(_: Predictions, test: Predictions) -> dict[str, Estimate]:
    return {"answers/most_frequent": same_answer(test.predicted)}
