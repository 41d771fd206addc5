"""Perturbations: how often predictions change when test pictures from disk are perturbed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lab.core.estimate import Estimate
from lab.evaluators.evaluation import Evaluation, LoadedSplit, loaded_split
from lab.evaluators.evaluator import Result
from lab.evaluators.memorization import predicted_examples
from lab.evaluators.setup import Setup
from lab.measure import Predictions, predict, reliance
from lab.measure.dependent import allowing_for_dependence
from lab.measure.perturbations import GRID, PERTURBATIONS, occlusions
from lab.tracking.occlusion import occlusion_sheet
from lab.tracking.predicted import PredictedExamples
from lab.tracking.writer import Tracker
from lab.worlds import StoredWorld

PICTURES = 400
"""Test pictures that are perturbed, at most: intervals are then at most 10 points wide."""


@dataclass(frozen=True)
class PerturbationsEvaluator:
    """An evaluator: predictions on test pictures once more with each perturbation, and with each
    patch occluded."""

    test: LoadedSplit

    @classmethod
    def prepare(cls, setup: Setup) -> PerturbationsEvaluator | None:
        """For a folder of pictures, whose attributes cannot be changed."""
        world = setup.world
        if not isinstance(world, StoredWorld) or not setup.counterfactuals:
            return None
        some = world.load("test", min(PICTURES, world.data.num_test))
        return cls(loaded_split(world, "test", some))

    def __call__(self, evaluation: Evaluation) -> PerturbationsResult:
        """The shares of predictions that change, by tag."""
        images, model = self.test.examples.images, evaluation.model
        predictions = self.test.predict(model)
        before = predictions.logits
        metrics: dict[str, Estimate] = {}
        for name, perturb in PERTURBATIONS.items():
            after = predict(model, perturb(images))
            metrics[f"perturbation/{name}"] = _flips(predictions, after)
        predicted, drops = before.argmax(dim=1, keepdim=True), []
        for name, occluded in occlusions(images):
            after = predict(model, occluded)
            metrics[f"occlusion/{name}"] = _flips(predictions, after)
            drops.append((before.softmax(dim=1) - after.softmax(dim=1)).gather(1, predicted)[:, 0])
        return PerturbationsResult(
            metrics=metrics,
            examples=predicted_examples(self.test, predictions),
            drops=torch.stack(drops, dim=1).reshape(-1, GRID, GRID),
        )


def _flips(predictions: Predictions, after: Tensor) -> Estimate:
    """The share of predictions that change if the logits are those (N, C) afterwards."""

    def flips(one: Predictions, other: Predictions) -> dict[str, Estimate]:
        return {"flips": reliance(one.logits, other.logits).flips}

    return allowing_for_dependence(flips, predictions, replace(predictions, logits=after))["flips"]


@dataclass(frozen=True, kw_only=True)
class PerturbationsResult(Result):
    """The shares, and for N pictures by how much the probability of the predicted class falls when
    each patch is occluded: `drops` (N, GRID, GRID), -1 to 1."""

    examples: PredictedExamples
    drops: Tensor

    def show_final(self, tracker: Tracker, step: int) -> None:
        """Log the first pictures with their patches shaded by how much they matter."""
        tracker.image("occlusion_maps", step, occlusion_sheet(self.examples, self.drops))
