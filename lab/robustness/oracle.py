"""Predictions on samples that are being changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lab.measure.reliance import log_odds
from lab.worlds import DrawnWorld, Samples

Ask = Callable[[Tensor], Tensor]
"""Pictures (N, 3, S, S) uint8 in, logits (N, C) on the CPU out."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""

PIXELS = 2**22
"""Pixels that are drawn and shown at a time: those of 4,096 samples at 32 px."""


class OracleAnswer(NamedTuple):
    """Logits (N, C), the log odds of the true label (N,), and where the answer is another (N,)."""

    logits: Tensor
    margin: Tensor
    wrong: Tensor


@dataclass(frozen=True)
class State:
    """Samples with their labels (N,), and what the network says about them."""

    samples: Samples
    labels: Tensor
    said: OracleAnswer

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Tensor) -> State:
        said = OracleAnswer(*(column[index] for column in self.said))
        return State(self.samples[index], self.labels[index], said)


class Oracle:
    """Draws samples, shows them to a network and counts them; what the population never shows is no
    failure."""

    def __init__(
        self,
        ask: Ask,
        world: DrawnWorld,
        progress: Progress,
    ) -> None:
        self.world, self.progress = world, progress
        self.shown: dict[str, int] = {}
        self._ask = ask

    def __call__(self, what: str, samples: Samples, labels: Tensor) -> OracleAnswer:
        step = max(1, PIXELS // self.world.data.image_size**2)
        logits = torch.cat(
            [
                self._ask(self.world.render(samples[at : at + step]))
                for at in range(0, max(1, len(samples)), step)
            ]
        )
        self.shown[what] = self.shown.get(what, 0) + len(samples)
        allowed = torch.ones(len(samples), dtype=torch.bool)
        for hold in self.world.population.unseen_combinations:
            allowed &= ~hold.met(samples)
        margin = log_odds(logits, labels).masked_fill(~allowed, torch.inf)
        return OracleAnswer(logits, margin, (logits.argmax(dim=1) != labels) & allowed)


def most_fooling(margin: Tensor, wrong: Tensor) -> Tensor:
    """In each row of (N, K), the first of those with the least margin, wrong answers before all."""
    pool = wrong | ~wrong.any(dim=1, keepdim=True)
    return margin.masked_fill(~pool, torch.inf).argmin(dim=1)
