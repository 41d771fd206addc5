"""Consistency: whether the final model's predictions are a function of the picture."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lab.evaluators.evaluation import Evaluation
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import consistency
from lab.measure.consistency import SAMPLE


@dataclass(frozen=True)
class ConsistencyEvaluator:
    """An evaluator: predictions on some test pictures once more, and on each of them alone."""

    images: Tensor

    @classmethod
    def prepare(cls, setup: Setup) -> ConsistencyEvaluator:
        """For any world."""
        return cls(setup.splits["test"].first(SAMPLE).images)

    def __call__(self, evaluation: Evaluation) -> Result:
        """The shares of predictions that change, by tag."""
        return Result(metrics=consistency(evaluation.model, self.images))
