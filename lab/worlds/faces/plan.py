"""A plan: all that is computed once per face before any pixel is touched."""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.worlds.faces.batch import Faces
from lab.worlds.faces.geometry import Numbers, numbers_of
from lab.worlds.faces.scene import blur_weights, noise_start
from lab.worlds.faces.sprites import Stamps, stamps_of


@dataclass(frozen=True)
class Plan:
    """The numbers of a block of N faces at one picture size."""

    size: int
    subjects: tuple[int, ...]  # N codes
    numbers: Numbers
    stamps: Stamps
    blur: Tensor  # (N, taps + 1)
    noise_start: Tensor  # (N,)

    def __len__(self) -> int:
        return len(self.subjects)

    def runs(self, rows: slice, *, most: int) -> Iterator[tuple[int, slice]]:
        """Stretches of `rows` with one subject each, none longer than `most`; the faces must be
        sorted by subject."""
        start = rows.start
        while start < rows.stop:
            subject = self.subjects[start]
            end = bisect.bisect_right(self.subjects, subject, start, rows.stop)
            for a in range(start, end, most):
                yield subject, slice(a, min(a + most, end))
            start = end

    def stamps_in(self, part: str, rows: slice) -> Stamps:
        """The stamps of one part in some rows."""
        ends = torch.searchsorted(self.stamps.face, torch.tensor([rows.start, rows.stop])).tolist()
        return self.stamps.take(slice(*ends)).of(part)


def make_plan(faces: Faces, size: int) -> Plan:
    """The plan of some faces."""
    return Plan(
        size=size,
        subjects=tuple(faces["subject"].tolist()),
        numbers=numbers_of(faces),
        stamps=stamps_of(faces, size=size),
        blur=blur_weights(faces["blur"], size),
        noise_start=noise_start(faces.identity),
    )
