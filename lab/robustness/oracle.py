"""The oracle of the search: predictions on changed samples, and their number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lab.measure.predictions import log_odds
from lab.worlds import DrawnWorld, Samples

Predict = Callable[[Tensor], Tensor]
"""Pictures (N, 3, S, S) uint8 in, logits (N, C) on the CPU out."""

Progress = Callable[[str, int, int], None]
"""Called with the name of the stage, the work done and the total."""

PIXELS = 2**22
"""Pixels that are drawn and predicted at a time: those of 4,096 samples at 32 px."""


class OraclePredictions(NamedTuple):
    """Logits (N, C), the log odds of the true label (N,), and whether another class is predicted
    (N,) bool."""

    logits: Tensor
    margin: Tensor
    wrong: Tensor


@dataclass(frozen=True)
class State:
    """N samples with their labels (N,) and the predictions on them."""

    samples: Samples
    labels: Tensor
    predictions: OraclePredictions

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Tensor) -> State:
        predictions = OraclePredictions(*(column[index] for column in self.predictions))
        return State(self.samples[index], self.labels[index], predictions)


class Oracle:
    """Draws samples, predicts them with a network and counts them by stage (`shown`).

    A sample with an excluded combination of values is outside the population and never counts as
    misclassified.
    """

    def __init__(
        self,
        predict: Predict,
        world: DrawnWorld,
        progress: Progress,
    ) -> None:
        self.world, self.progress = world, progress
        self.shown: dict[str, int] = {}
        self._predict = predict

    def __call__(self, what: str, samples: Samples, labels: Tensor) -> OraclePredictions:
        step = max(1, PIXELS // self.world.data.image_size**2)
        logits = torch.cat(
            [
                self._predict(self.world.render(samples[at : at + step]))
                for at in range(0, max(1, len(samples)), step)
            ]
        )
        self.shown[what] = self.shown.get(what, 0) + len(samples)
        allowed = torch.ones(len(samples), dtype=torch.bool)
        for hold in self.world.population.unseen_combinations:
            allowed &= ~hold.met(samples)
        margin = log_odds(logits, labels).masked_fill(~allowed, torch.inf)
        return OraclePredictions(logits, margin, (logits.argmax(dim=1) != labels) & allowed)


def worst_in_rows(margin: Tensor, wrong: Tensor) -> Tensor:
    """The column (N,) of the least margin in each row of (N, K), misclassified ones first; of equal
    ones the first."""
    pool = wrong | ~wrong.any(dim=1, keepdim=True)
    return margin.masked_fill(~pool, torch.inf).argmin(dim=1)
