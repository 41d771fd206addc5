"""Changes: how often a model's predictions change under interventions of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from lab.core.estimate import Estimate
from lab.evaluators.evaluation import Evaluation, Split
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import Predictions, reliance
from lab.measure.dependent import allowing_for_dependence


@dataclass(frozen=True)
class ChangesEvaluator:
    """An evaluator: predictions on the first test examples, and on the same ones changed by each
    intervention."""

    changes: Mapping[str, Split]

    @classmethod
    def prepare(cls, setup: Setup) -> ChangesEvaluator | None:
        """Where there are interventions of the user's own."""
        return cls(setup.changes) if setup.changes else None

    def __call__(self, evaluation: Evaluation) -> Result:
        """Reliance on what each intervention changes, by tag."""
        metrics: dict[str, Estimate] = {}
        before = evaluation.on("test").logits
        for name, changed in self.changes.items():
            after = changed.predict(evaluation.model)
            first = replace(after, logits=before[: len(after)])
            metrics |= allowing_for_dependence(partial(_reliance, name), first, after)
        return Result(metrics=metrics)


def _reliance(name: str, one: Predictions, other: Predictions) -> dict[str, Estimate]:
    """Reliance on `name` by the predictions before its change and after it, by tag."""
    found = reliance(one.logits, other.logits)
    return {f"reliance/{name}": found.flips, f"logit_change/{name}": found.moved}
