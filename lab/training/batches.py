"""Which faces a step sees: a pure function of (count, batch size, seed, step), without any state.

The epochs' random orders follow one another without a break, and batches are cut from this endless
row. So all batches are full, each epoch shows every face once, and a run that goes on after a
checkpoint meets the batches that it would have met.
"""

from functools import lru_cache

import torch
from torch import Tensor

from lab.seeds import Indices, permutation

BLOCK, EPOCHS = 65_536, 32
"""Positions that are moved to the device at a time: half a megabyte, but no more than so many
epochs, because each needs an order of its own (20 microseconds)."""


class Batches:
    """The batches of a run over `count` faces, as positions on `device`."""

    def __init__(
        self, count: int, batch_size: int, *, seed: int, device: str | torch.device = "cpu"
    ) -> None:
        self.batch_size = min(batch_size, count)
        self._count = count
        self._seed = seed
        self._device = device
        self._steps = max(1, min(BLOCK, EPOCHS * count) // self.batch_size)
        self._order = lru_cache(maxsize=2)(self._draw_order)
        self._block = lru_cache(maxsize=1)(self._cut_block)

    def positions(self, step: int) -> Tensor:
        """The faces (B,) int64 that step `step` (the first is 0) is trained on."""
        block, offset = divmod(step, self._steps)
        start = offset * self.batch_size
        return self._block(block)[start : start + self.batch_size]

    def epoch(self, step: int) -> float:
        """How often every face has been shown before step `step`."""
        return step * self.batch_size / self._count

    def _draw_order(self, epoch: int) -> Indices:
        return permutation(self._count, self._seed, "batches", epoch)

    def _cut_block(self, block: int) -> Tensor:
        start = block * self._steps * self.batch_size
        stop = start + self._steps * self.batch_size
        epochs = range(start // self._count, -(-stop // self._count))
        row = torch.cat([torch.from_numpy(self._order(epoch)) for epoch in epochs])
        first = epochs.start * self._count
        return row[start - first : stop - first].to(self._device)
