"""Examples with their predictions, as plain tensors, for pictures and curves."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class PredictedExamples:
    """Predictions on N examples; everything on the CPU.

    images: uint8 (N, 3, S, S). probabilities: float64 (N, C), rows of softmax. labels: int64 (N,),
    as given in training or testing. clean_labels: int64 (N,), the truth. classes: C names.
    """

    images: Tensor
    probabilities: Tensor
    labels: Tensor
    clean_labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> Tensor:
        """The most probable class, int64 (N,)."""
        return self.probabilities.argmax(dim=1)

    @property
    def confidence(self) -> Tensor:
        """The probability of that class (N,)."""
        return self.probabilities.amax(dim=1)

    @property
    def right(self) -> Tensor:
        """Whether that is the given label, bool (N,); False where a probability is NaN."""
        return (self.predicted == self.labels) & ~self.probabilities.isnan().any(dim=1)

    @property
    def mislabeled(self) -> Tensor:
        """Whether the given label differs from the true one, bool (N,)."""
        return self.labels != self.clean_labels

    def first(self, count: int) -> "PredictedExamples":
        """The first `count` of them, or all."""
        return self.take(torch.arange(min(count, len(self))))

    def take(self, index: Tensor) -> "PredictedExamples":
        """Those at `index` (M,)."""
        return PredictedExamples(
            images=self.images[index],
            probabilities=self.probabilities[index],
            labels=self.labels[index],
            clean_labels=self.clean_labels[index],
            classes=self.classes,
        )

    def surest(self, chosen: Tensor, count: int) -> "PredictedExamples":
        """The at most `count` most confident ones among the `chosen` (N,), surest first."""
        where = chosen.nonzero()[:, 0]
        order = self.confidence[where].argsort(descending=True, stable=True)
        return self.take(where[order[:count]])
