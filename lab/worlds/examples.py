"""Examples: pictures with their labels, ready for training and measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lab.worlds.samples import Samples
from lab.worlds.tasks import Subpopulation


@dataclass(frozen=True, kw_only=True)
class Examples:
    """N labeled pictures. `samples` stay on the CPU; the tensors live on one device."""

    images: Tensor  # (N, 3, S, S) uint8
    labels: Tensor  # (N,) int64, as given to the network: label noise included
    clean_labels: Tensor  # (N,) int64, the truth
    subpopulations: Tensor  # (N,) int64, positions in `all_subpopulations`
    classes: tuple[str, ...]
    """The names that the labels stand for."""
    all_subpopulations: tuple[Subpopulation, ...]
    """The subpopulations that the classes are made of."""
    samples: Samples
    """What was drawn; without any attribute for pictures that were not."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def mislabeled(self) -> Tensor:
        """Which labels (N,) are wrong."""
        return self.labels != self.clean_labels

    def take(self, index: slice | Tensor | Sequence[int]) -> Examples:
        """The examples at `index`: a slice, a boolean mask (N,) or positions (M,)."""
        on_cpu = index.cpu() if isinstance(index, Tensor) else index
        there = index.to(self.labels.device) if isinstance(index, Tensor) else index
        return replace(
            self,
            samples=self.samples.take(on_cpu),
            images=self.images[there],
            labels=self.labels[there],
            clean_labels=self.clean_labels[there],
            subpopulations=self.subpopulations[there],
        )

    def to(self, device: str | torch.device) -> Examples:
        """The same examples with their tensors on `device`."""
        return replace(
            self,
            images=self.images.to(device),
            labels=self.labels.to(device),
            clean_labels=self.clean_labels.to(device),
            subpopulations=self.subpopulations.to(device),
        )
