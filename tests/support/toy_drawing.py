"""A drawing that has nothing to do with faces: a tilted slab or a ring, with a dot laid over it."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lab.draw import Box, Drawing, Ink, Inputs, InputTable, Layer, Placements, Sprite, grown
from lab.draw.display_list import DisplayList
from lab.draw.finish import blur_weights, noise_start
from lab.draw.shapes import box, disc, ellipse, fill, over, turned

DOT = 0.2


@dataclass(frozen=True)
class Toys:
    """A batch: identities, codes of the subjects, widths, and turns in degrees, each (N,)."""

    identity: Tensor
    subject: Tensor
    width: Tensor
    turn: Tensor

    def __len__(self) -> int:
        return len(self.subject)

    def take(self, index: slice | Tensor) -> "Toys":
        """Some of the rows."""
        return Toys(*(column[index] for column in vars(self).values()))


def toys(count: int) -> Toys:
    """A batch of slabs and rings of all widths and turns."""
    k = torch.arange(count)
    return Toys(k, k * 7 % 2, 0.3 + 0.05 * (k % 7).double(), (k * 13 % 31 - 15).double())


def _prepare(batch: Toys, size: int) -> DisplayList:
    cos, sin = turned(batch.turn)
    zero, every = torch.zeros(len(batch), dtype=torch.float64), torch.arange(len(batch))
    numbers = {
        "x": zero + 0.1, "y": zero, "cos": cos, "sin": sin, "scale": zero + 1, "noise": zero + 0.01,
        "width": batch.width,
    }  # fmt: skip
    place = torch.stack([zero - 0.4, zero + 0.3, zero + 1 / DOT, zero, zero + 1,
                         zero + DOT * size / 2], dim=1)  # fmt: skip
    return DisplayList(
        size=size,
        subjects=tuple(batch.subject.tolist()),
        inputs=InputTable.of(numbers, {"paint": torch.stack([zero + 0.9, batch.width, zero])}),
        sprites=Placements(every, every * 0, every * 0, every * 0, place.float()),
        blur=blur_weights(zero + 0.01, size, most=0.02),
        noise_start=noise_start(batch.identity),
    )


def _wall(x: Tensor, y: Tensor, pixels: Tensor, n: Inputs) -> Tensor:
    return n["paint"] * 0.2 + (x * 0.1 + y * 0.2)


def _slab(
    canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs
) -> tuple[Tensor, Tensor]:
    alpha = fill(box(u, v, n["width"], 0.3), pixels)
    return over(canvas, alpha, n["paint"]), alpha


def _box_slab(pixels: Tensor, n: Inputs) -> Box:
    edge = 0.5 * (1 / pixels)
    wide, high = n["width"] + edge, edge + 0.3
    return -wide, wide, -high, high


def _ring(
    canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs
) -> tuple[Tensor, Tensor]:
    alpha = fill(ellipse(u, v, n["width"], 0.4).abs() - 0.05, pixels)
    return over(canvas, alpha, (0.1, 0.2, 0.9)), cover


def _box_ring(pixels: Tensor, n: Inputs) -> Box:
    times = grown(n["width"], 0.4, 0.5 * (1 / pixels) + 0.05)
    wide, high = times * n["width"], times * 0.4
    return -wide, wide, -high, high


def _dot(u: Tensor, v: Tensor, side: Tensor, pixels: Tensor, n: Inputs) -> Ink:
    return Ink.first(fill(disc(u, v, 1.0), pixels), n["paint"])


def _box_dot(pixels: Tensor, n: Inputs) -> Box:
    edge = 0.5 * (1 / pixels) + 1.0
    return -edge, edge, -edge, edge


def _shade(
    canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, x: Tensor, y: Tensor, n: Inputs
) -> Tensor:
    return canvas * (1 - 0.3 * cover * v)


SLAB = Layer(name="slab", draw=_slab, box=_box_slab, cases=({"width": 0.3},))
RING = Layer(name="ring", draw=_ring, box=_box_ring)
TOYS = Drawing[Toys](
    name="toys",
    subject_of=lambda batch: batch.subject,
    prepare=_prepare,
    examples=lambda: toys(14),
    background=_wall,
    subjects={"slab": (SLAB,), "ring": (RING,)},
    shade=_shade,
    sprites=(
        Sprite(name="dot", draw=_dot, box=_box_dot, half_width=DOT, extent=(1.4, 1.4), turn=0.0),
    ),
    regions=("dot",),
)


def reading(name: str) -> Drawing[Toys]:
    """The toys, but their background reads the input `name` besides."""

    def wall(x: Tensor, y: Tensor, pixels: Tensor, n: Inputs) -> Tensor:
        return _wall(x, y, pixels, n) + n[name]

    return replace(TOYS, background=wall)


def with_input(name: str) -> Drawing[Toys]:
    """The toys, but they compute the input `name` besides."""

    def prepare(batch: Toys, size: int) -> DisplayList:
        listed = _prepare(batch, size)
        table = listed.inputs
        packed = torch.cat([table.packed, torch.ones(len(batch), 1)], dim=1)
        return replace(listed, inputs=InputTable(packed, (*table.columns, (name, 1))))

    return replace(TOYS, prepare=prepare)
