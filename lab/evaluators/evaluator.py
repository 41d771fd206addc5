"""The evaluator protocol: a named measurement, prepared once, that returns a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lab.core.estimate import Estimate
from lab.evaluators.evaluation import Evaluation
from lab.tracking.writer import Tracker

Metrics = Mapping[str, "Estimate | float"]
"""Tag -> number, with or without an interval."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an evaluator found: metrics by tag, and what its pictures and texts are made of.

    An evaluator that shows something returns a subclass with that as fields.
    """

    metrics: Metrics

    def show_distributions(self, tracker: Tracker, step: int) -> None:
        """Log histograms, at every evaluation."""

    def show_pictures(self, tracker: Tracker, step: int) -> None:
        """Log pictures and curves, at a few evaluations."""

    def show_final(self, tracker: Tracker, step: int) -> None:
        """Log texts about the final model."""

    def show_projector(self, tracker: Tracker) -> None:
        """Log points for the embedding projector, of the final model."""


class Evaluator(Protocol):
    """A measurement of a model, prepared on a world; it keeps nothing from one call to the next."""

    def __call__(self, evaluation: Evaluation) -> Result:
        """Measure the model of an evaluation, with the predictions that it shares."""
