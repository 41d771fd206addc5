"""Changes: how often a model's predictions change under interventions of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.core.estimate import Estimate
from lab.evaluators.evaluation import Evaluation, Split
from lab.evaluators.evaluator import Result
from lab.evaluators.setup import Setup
from lab.measure import reliance


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
            after = changed.predict(evaluation.model).logits
            found = reliance(before[: len(after)], after)
            metrics[f"reliance/{name}"] = found.flips
            metrics[f"logit_change/{name}"] = found.moved
        return Result(metrics=metrics)
