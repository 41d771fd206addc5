"""Metrics of one split: accuracy, loss, calibration and the user's own, on each set there is."""

from __future__ import annotations

from dataclasses import dataclass

from lab.core.estimate import Estimate, wilson
from lab.core.finite import NOT_FINITE
from lab.evaluators.evaluation import Evaluation
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import Predictions, SplitMetric, registered_metrics, split_metrics
from lab.measure.dependent import allowing_for_dependence


@dataclass(frozen=True)
class SplitMetricsEvaluator:
    """An evaluator: every listed function of the predictions on one split."""

    metrics: tuple[SplitMetric, ...]

    @classmethod
    def prepare(cls, setup: Setup) -> SplitMetricsEvaluator:
        """For any world: the lab's metrics, those registered in this process, and `setup.own`."""
        return cls((*split_metrics(), *registered_metrics(), *setup.own))

    def __call__(self, evaluation: Evaluation) -> Result:
        """Each metric on each split that it is for and that there is, by tag; and of the splits
        with logits that are not finite, the share of those examples."""
        found: dict[str, Estimate | float] = {}
        for metric in self.metrics:
            for split in metric.tags:
                if split in evaluation.splits:
                    found |= metric(evaluation.on(split))
        for split in evaluation.splits:
            predictions = evaluation.on(split)
            if bool(predictions.not_finite.any()):
                found |= allowing_for_dependence(_not_finite, predictions, predictions)
        return Result(metrics=found)


def _not_finite(_: Predictions, one: Predictions) -> dict[str, Estimate]:
    return {f"{NOT_FINITE}{one.split}": wilson(int(one.not_finite.sum()), len(one))}
