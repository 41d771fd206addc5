"""The batch of each optimizer step, as a pure function of the step's number.

`EpochBatches` goes over a training set again and again; `OnlineBatches` never repeats an example.
In a distributed run each rank gets its own part of every batch, and all parts together are the
batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from lab.core.seeds import Indices, permutation
from lab.models.threads import pool

BLOCK, EPOCHS = 65_536, 32
"""Positions that are moved to the device at a time: half a megabyte, but no more than so many
epochs, because each needs a permutation of its own (20 microseconds)."""

AT_ONCE = 4096
"""New examples of 32 px that are drawn at a time (12 MB), or as many pixels: sampling one takes
half as long as among 1,024."""

WHOLE = slice(None)
"""The part of a batch that a single-process run gets: all of it."""


@dataclass(frozen=True)
class Batch:
    """B labeled examples, all tensors on one device."""

    images: Tensor
    """(B, C, S, S) uint8."""
    labels: Tensor
    """(B,) int64, as given to the network: label noise included."""
    groups: Tensor
    """(B,) int64, each example's group: a position in `Groups.names`."""
    indices: Tensor
    """(B,) int64, each example's number in the training set, or in the online stream: a position in
    `ObjectiveSpec.names`, and not in a folder or file, of which the run takes its pictures in an
    order that depends on its seed."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Groups:
    """The G groups of the training data: their names and how many examples each has, 0 or more.

    In online training, whose data has no end, `counts` are those of its first examples.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def counted(cls, index: Tensor, names: Sequence[str]) -> Groups:
        """The groups of examples whose positions in `names` are `index` (N,) int64."""
        counts = torch.bincount(index.cpu(), minlength=len(names)).tolist()
        if len(counts) > len(names):
            raise ValueError(f"group {len(counts) - 1} has no name: there are {len(names)} names")
        return cls(names=tuple(names), counts=tuple(counts))


class Batches(Protocol):
    """The training data of a run, batch by batch."""

    batch_size: int
    """Examples per step, of all processes together."""
    groups: Groups
    """The groups of the training data."""
    names: tuple[str, ...]
    """The names of the examples, by their numbers; (): they have none."""

    def __call__(self, step: int) -> Batch:
        """This process's part of the batch of step `step` (the first is 0)."""
        ...


class EpochBatches:
    """Batches of a fixed training set, in a new random order every epoch.

    `images` uint8 (N, C, S, S), `labels` int64 (N,) and `groups` int64 (N,), positions in
    `group_names`, are on one device. Without `groups` each class is a group of its own. `names` are
    those of the examples; (): they have none.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        batch_size: int,
        seed: int,
        part: slice = WHOLE,
        groups: Tensor | None = None,
        group_names: Sequence[str] = (),
        names: Sequence[str] = (),
    ) -> None:
        self.names = tuple(names)
        self._images = images
        self._labels = labels
        if groups is None:
            groups, group_names = labels, [str(label) for label in range(int(labels.max()) + 1)]
        self._groups = groups.to(labels.device)
        self.groups = Groups.counted(groups, group_names)
        self._order = Order(len(labels), batch_size, seed=seed, device=images.device)
        self.batch_size = self._order.batch_size
        self._part = part

    def __call__(self, step: int) -> Batch:
        """Gather the step's examples."""
        indices = self._order.positions(step)[self._part]
        return Batch(
            images=self._images.index_select(0, indices),
            labels=self._labels.index_select(0, indices),
            groups=self._groups.index_select(0, indices),
            indices=indices,
        )


class OnlineBatches:
    """Batches of new examples: step s gets the examples s·B to (s+1)·B - 1 of an endless stream.

    `draw(start, count, keep)` draws, of the `count` examples from number `start` on, those at the
    positions `keep` (M,), as a batch of M. `groups` has the names that its groups refer to.
    Examples are drawn in blocks of up to `at_once` of 32 px, or as many pixels. `ahead`: the number
    of steps for which another thread draws each next block while steps are taken with the one
    before it; None: none does.
    """

    def __init__(
        self,
        draw: Callable[[int, int, Tensor], Batch],
        *,
        batch_size: int,
        image_size: int,
        groups: Groups,
        part: slice = WHOLE,
        at_once: int = AT_ONCE,
        ahead: int | None = None,
    ) -> None:
        self.batch_size = batch_size
        self.groups = groups
        self.names: tuple[str, ...] = ()
        self._draw = draw
        count = min(at_once, at_once * 32 * 32 // image_size**2)
        self._steps = max(1, count // batch_size)  # per block
        mine = torch.arange(self._steps * batch_size).view(self._steps, batch_size)[:, part]
        self._keep = mine.reshape(-1)
        self._share = mine.shape[1]  # examples of this process per step
        self._block = lru_cache(maxsize=1)(self._next_block)
        self._last = -1 if ahead is None else (ahead - 1) // self._steps
        self._thread = pool(1, "drawing") if ahead is not None else None
        self._coming: tuple[int, Future[Batch]] | None = None

    def __call__(self, step: int) -> Batch:
        """Draw the step's examples, or fetch them if they were drawn with those of a step near."""
        number, offset = divmod(step, self._steps)
        here = slice(offset * self._share, (offset + 1) * self._share)
        block = self._block(number)
        return Batch(
            images=block.images[here],
            labels=block.labels[here],
            groups=block.groups[here],
            indices=block.indices[here],
        )

    def _next_block(self, number: int) -> Batch:
        coming, self._coming = self._coming, None
        if coming is not None and coming[0] == number:
            block = coming[1].result()
        else:
            block = self._draw_block(number)
        if self._thread is not None and number < self._last:
            self._coming = number + 1, self._thread.submit(self._draw_block, number + 1)
        return block

    def _draw_block(self, number: int) -> Batch:
        count = self._steps * self.batch_size
        return self._draw(number * count, count, self._keep)


class Order:
    """The order in which a run goes over `count` examples, as positions on `device`.

    The epochs' permutations follow one another without a break, and batches are cut from this
    endless sequence: all batches are full, each epoch has every example once, and a resumed run
    gets the batches that an uninterrupted one would have got.
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
        """The examples (B,) int64 of step `step` (the first is 0)."""
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
