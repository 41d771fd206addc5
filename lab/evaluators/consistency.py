"""Consistency: whether the final model's predictions are a function of the picture, and how many
are the same."""

from __future__ import annotations

from dataclasses import dataclass

from lab.evaluators.evaluation import Evaluation, Split
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import consistency
from lab.measure.class_shares import same_answer


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
        same = same_answer(evaluation.on("test").predicted)
        asked = consistency(fed.model, fed.stored, to_input=fed.to_input, batch_size=fed.batch_size)
        return Result(metrics={**asked, "answers/most_frequent": same})
