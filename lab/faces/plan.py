"""A plan: all that is computed once per face before any pixel is touched."""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.faces.anatomy import Numbers, numbers_of
from lab.faces.attributes import PARTS
from lab.faces.batch import Faces
from lab.faces.scene import blur_weights, noise_start
from lab.faces.stamps import LANES, Stamps, stamps_of

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Plan:
    """The numbers of a block of N faces at one picture size."""

    size: int
    subjects: tuple[int, ...]  # N codes
    numbers: Numbers
    stamps: dict[str, Stamps]
    blur: Tensor  # (N, taps + 1)
    noise_start: Tensor  # (N,)
    boxes: Tensor  # (N, 6) int32: first and last row of the cloth, columns and rows of the subject

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
        """The stamps of some rows."""
        marks = self.stamps[part]
        ends = torch.searchsorted(marks.face, torch.tensor([rows.start, rows.stop])).tolist()
        return marks.take(slice(*ends))


def make_plan(faces: Faces, size: int) -> Plan:
    """The plan of some faces."""
    numbers = numbers_of(faces)
    return Plan(
        size=size,
        subjects=tuple(faces["subject"].tolist()),
        numbers=numbers,
        stamps={part: stamps_of(faces, part, size=size) for part in PARTS},
        blur=blur_weights(faces["blur"], size),
        noise_start=noise_start(faces.identity),
        boxes=_boxes(faces, numbers, size),
    )


def _boxes(faces: Faces, numbers: Numbers, size: int) -> Tensor:
    """Pixels outside of which the cloth, or the subject, leaves a picture as it is.

    Generous: the boxes of the shapes' frames, turned; a drawing on the full frame is the test.
    """
    n = {name: value.flatten(1) for name, value in numbers.named(slice(None), CPU).items()}
    head = (faces["subject"] == 0)[:, None]
    wide = torch.where(head, n["rx"] + n["hair_wide"].clamp_min(0.12) + 0.06, 0.80)
    top = torch.where(head, -n["ry"] - n["hair_thick"] - 0.20, torch.tensor(-0.96))
    bottom = torch.where(head, (n["hair_end"] + 0.08).clamp_min(0.90), 0.96)
    scale = faces["scale"][:, None]
    square = scale * scale
    cos, sin = n["cos"] * square, n["sin"] * square  # of the turn, times the scale
    u = torch.cat([-wide, wide, -wide, wide], dim=1)
    v = torch.cat([top, top, bottom, bottom], dim=1)
    x, y = n["x"] + u * cos - v * sin, n["y"] + u * sin + v * cos
    # the cloth is an ellipse around (0, 1.20) of half sizes 0.86 and 0.60
    rise = torch.sqrt((0.86 * sin) ** 2 + (0.60 * cos) ** 2)
    cloth = n["y"] + 1.20 * cos - rise
    first = torch.cat([cloth, x.amin(1, keepdim=True), y.amin(1, keepdim=True)], dim=1)
    last = torch.cat([torch.ones_like(cloth), x.amax(1, keepdim=True), y.amax(1, keepdim=True)], 1)
    first = ((first + 1) * size / 2).floor() - 1
    last = ((last + 1) * size / 2).ceil() + 1
    first[:, 1] = (first[:, 1] / LANES).floor() * LANES
    last[:, 1] = (last[:, 1] / LANES).ceil() * LANES
    first, last = first.clamp(0, size), last.clamp(0, size)
    return torch.stack([first, torch.maximum(first, last)], dim=2).flatten(1).int()
