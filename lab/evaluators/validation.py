"""Validation: figures on examples outside training and test set, by which weights are chosen."""

from __future__ import annotations

from torch import nn

from lab.core.estimate import Estimate
from lab.measure import accuracy, loss, predict
from lab.worlds import Examples


class ValidationEvaluator:
    """An evaluator: the figures on the validation set, by which early stopping and the best
    checkpoint are chosen.

    Whatever chooses among evaluations goes by these, so that the figures on the test set are those
    of examples that nothing was chosen by. The lowest of many validation losses is too good by
    itself.
    """

    def __init__(self, examples: Examples) -> None:
        self._images, self._labels = examples.images, examples.labels.cpu()

    def __call__(self, model: nn.Module) -> dict[str, Estimate]:
        """Accuracy and loss, by tag."""
        logits = predict(model, self._images)
        return {
            "accuracy/validation": accuracy(logits, self._labels),
            "loss/validation": loss(logits, self._labels),
        }
