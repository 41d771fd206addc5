"""The display list of a block of pictures: everything computed before any pixel is touched."""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.draw.inputs import InputTable
from lab.draw.sprites import Placements


@dataclass(frozen=True)
class DisplayList:
    """What N pictures of one size are drawn from."""

    size: int  # pixels a side
    subjects: tuple[int, ...]  # N positions in `Drawing.subjects`
    inputs: InputTable
    sprites: Placements
    blur: Tensor  # (N, taps + 1), see `blur_weights`
    noise_start: Tensor  # (N,), see `noise_start`

    def __len__(self) -> int:
        return len(self.subjects)

    def runs(self, rows: slice, *, most: int) -> Iterator[tuple[int, slice]]:
        """Stretches of `rows` with one subject each, at most `most` long; the pictures must be
        sorted by subject."""
        start = rows.start
        while start < rows.stop:
            subject = self.subjects[start]
            end = bisect.bisect_right(self.subjects, subject, start, rows.stop)
            for a in range(start, end, most):
                yield subject, slice(a, min(a + most, end))
            start = end

    def sprites_in(self, rows: slice, kind: int) -> Placements:
        """The sprites of one kind in some rows."""
        bounds = torch.tensor([rows.start, rows.stop])
        ends = torch.searchsorted(self.sprites.picture, bounds).tolist()
        return self.sprites.take(slice(*ends)).of(kind)
