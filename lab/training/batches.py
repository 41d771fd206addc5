"""Which faces a step sees: a pure function of the step's number, without any state.

`EpochBatches` shows the same faces again and again; `OnlineBatches` never shows a face twice. In a
run of several processes each gets its own part of every batch, and all parts together are the
batch.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from lab.core.seeds import Indices, permutation

BLOCK, EPOCHS = 65_536, 32
"""Positions that are moved to the device at a time: half a megabyte, but no more than so many
epochs, because each needs an order of its own (20 microseconds)."""

DRAWN = 2**20
"""Pixels of fresh faces that are drawn at a time (1,024 faces of 32 px)."""

ALL = slice(None)
"""The part of a batch that a process gets who is alone."""


class Batches(Protocol):
    """Pictures and labels for every step of a run."""

    batch_size: int
    """Faces per step, of all processes together."""

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """This process's part of step `step` (the first is 0): images uint8 (B, 3, S, S) and labels
        int64 (B,)."""
        ...


class EpochBatches:
    """The same faces in a new order every epoch: `images` uint8 (N, 3, S, S), `labels` (N,)."""

    def __init__(
        self, images: Tensor, labels: Tensor, *, batch_size: int, seed: int, part: slice = ALL
    ) -> None:
        self._images = images
        self._labels = labels
        self._order = Order(len(labels), batch_size, seed=seed, device=images.device)
        self.batch_size = self._order.batch_size
        self._part = part

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Fetch the step's faces."""
        positions = self._order.positions(step)[self._part]
        return self._images.index_select(0, positions), self._labels.index_select(0, positions)


class OnlineBatches:
    """New faces at every step: step s shows the faces number s·B to (s+1)·B - 1 of an endless row.

    `draw(start, count, keep)` draws those of the `count` faces from number `start` on that stand at
    the positions `keep` (M,): images uint8 (M, 3, S, S) and labels (M,).
    """

    def __init__(
        self,
        draw: Callable[[int, int, Tensor], tuple[Tensor, Tensor]],
        *,
        batch_size: int,
        image_size: int,
        part: slice = ALL,
    ) -> None:
        self.batch_size = batch_size
        self._draw = draw
        self._steps = max(1, DRAWN // image_size**2 // batch_size)  # to a block
        mine = torch.arange(self._steps * batch_size).view(self._steps, batch_size)[:, part]
        self._keep = mine.reshape(-1)
        self._share = mine.shape[1]  # faces of mine per step
        self._block = lru_cache(maxsize=1)(self._draw_block)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Draw the step's faces, or fetch them where they were drawn with their neighbors."""
        block, offset = divmod(step, self._steps)
        here = slice(offset * self._share, (offset + 1) * self._share)
        images, labels = self._block(block)
        return images[here], labels[here]

    def _draw_block(self, block: int) -> tuple[Tensor, Tensor]:
        count = self._steps * self.batch_size
        return self._draw(block * count, count, self._keep)


class Order:
    """The order in which a run shows `count` faces, as positions on `device`.

    The epochs' random orders follow one another without a break, and batches are cut from this
    endless row. So all batches are full, each epoch shows every face once, and a run that goes on
    after a checkpoint meets the batches that it would have met.
    """

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

    def _draw_order(self, epoch: int) -> Indices:
        return permutation(self._count, self._seed, "batches", epoch)

    def _cut_block(self, block: int) -> Tensor:
        start = block * self._steps * self.batch_size
        stop = start + self._steps * self.batch_size
        epochs = range(start // self._count, -(-stop // self._count))
        row = torch.cat([torch.from_numpy(self._order(epoch)) for epoch in epochs])
        first = epochs.start * self._count
        return row[start - first : stop - first].to(self._device)
