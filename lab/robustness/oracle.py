"""Ask a network about faces that are being changed, and keep what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lab.measure.reliance import log_odds
from lab.worlds import Population
from lab.worlds.faces import Faces, render

Ask = Callable[[Tensor], Tensor]
"""Pictures (N, 3, S, S) uint8 in, logits (N, C) on the CPU out."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""

PIXELS = 2**22
"""Pixels that are drawn and shown at a time: those of 4,096 faces at 32 px."""


class OracleAnswer(NamedTuple):
    """Logits (N, C), the log odds of the true label (N,), and where the answer is another (N,)."""

    logits: Tensor
    margin: Tensor
    wrong: Tensor


@dataclass(frozen=True)
class State:
    """Faces with their labels (N,), and what the network says about them."""

    faces: Faces
    labels: Tensor
    said: OracleAnswer

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: Tensor) -> State:
        said = OracleAnswer(*(column[index] for column in self.said))
        return State(self.faces[index], self.labels[index], said)


class Oracle:
    """Draws faces, shows them, counts them; faces that the population holds out fool nobody."""

    def __init__(
        self,
        ask: Ask,
        population: Population,
        size: int,
        device: str | torch.device,
        progress: Progress,
    ) -> None:
        self.population, self.progress = population, progress
        self.shown: dict[str, int] = {}
        self._ask, self._size, self._device = ask, size, device

    def __call__(self, what: str, faces: Faces, labels: Tensor) -> OracleAnswer:
        step = max(1, PIXELS // self._size**2)
        logits = torch.cat(
            [
                self._ask(render(faces[at : at + step], size=self._size, device=self._device))
                for at in range(0, max(1, len(faces)), step)
            ]
        )
        self.shown[what] = self.shown.get(what, 0) + len(faces)
        allowed = torch.ones(len(faces), dtype=torch.bool)
        for hold in self.population.unseen_combinations:
            allowed &= ~hold.met(faces)
        margin = log_odds(logits, labels).masked_fill(~allowed, torch.inf)
        return OracleAnswer(logits, margin, (logits.argmax(dim=1) != labels) & allowed)


def most_fooling(margin: Tensor, wrong: Tensor) -> Tensor:
    """In each row of (N, K), the first of those with the least margin, wrong answers before all."""
    pool = wrong | ~wrong.any(dim=1, keepdim=True)
    return margin.masked_fill(~pool, torch.inf).argmin(dim=1)
