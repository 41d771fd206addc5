"""Sprites: small drawings in a frame of their own, laid over the picture at any place and turn.

A sprite's frame has its origin at the center, half width 1 and y down. The torch backend draws it
on a window of pixels around its place, the C backend within its box.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.draw.inputs import Inputs
from lab.draw.layers import Box
from lab.draw.shapes import Color, over, solid


@dataclass
class Ink:
    """Premultiplied colors (M, 3, h, w) and coverage (M, 1, h, w), composited bottom to top."""

    rgb: Tensor
    alpha: Tensor

    @staticmethod
    def first(alpha: Tensor, color: Color) -> "Ink":
        """The first layer."""
        return Ink(over(torch.zeros_like(alpha), alpha, color), alpha)

    def lay(self, alpha: Tensor, color: Color) -> None:
        """Composite one more layer on top."""
        self.rgb = over(self.rgb, alpha, color)
        self.alpha = self.alpha + alpha * (1 - self.alpha)

    def tint(self, alpha: Tensor, color: Color) -> None:
        """Recolor what is there, without adding coverage (premultiplied: color times coverage)."""
        if isinstance(color, tuple):
            color = solid(color, alpha)
        self.rgb = self.rgb + alpha * (color * self.alpha - self.rgb)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sprite:
    """A kind of sprite.

    draw: from coordinates u and v (M, 1, h, w) in the sprite's frame, side (M, 1, 1, 1), -1 for
        left and 1 for right, pixels per unit (M, 1, 1, 1) and the inputs, to its ink.
    box: from pixels per unit and the inputs to a box outside of which there is no ink.
    half_width: half its width at the largest, in picture units.
    extent: half width and half height of its window, in half widths; no ink lies outside.
    turn: the most that it is turned, in degrees to either side.
    """

    name: str
    draw: Callable[[Tensor, Tensor, Tensor, Tensor, Inputs], Ink]
    box: Callable[[Tensor, Inputs], Box]
    half_width: float
    extent: tuple[float, float]
    turn: float

    def window(self, size: int) -> tuple[int, int]:
        """Height and width in pixels of a window that holds the sprite at any size and turn."""
        reach = self.half_width * size / 2
        wide, high = (extent * reach for extent in self.extent)
        turns = [math.radians(t) for t in range(int(self.turn) + 1)]
        tall = max(wide * math.sin(t) + high * math.cos(t) for t in turns)
        broad = max(wide * math.cos(t) + high * math.sin(t) for t in turns)
        return min(size, math.ceil(2 * tall) + 2), min(size, math.ceil(2 * broad) + 2)


@dataclass(frozen=True)
class Placements:
    """All M sprites in a block of pictures, sorted by picture and there from bottom to top; on the
    CPU."""

    picture: Tensor  # (M,) int64, row of the block
    kind: Tensor  # (M,) int64, position in `Drawing.sprites`
    slot: Tensor  # (M,) int64: no picture has two sprites of one kind and slot
    region: Tensor  # (M,) int64, position in `Drawing.regions`
    place: Tensor
    """(M, 6) float32: x and y of the center in picture units; cos and sin of the turn, over the
    half width, which lead from picture units to the sprite's frame; side, -1 left or 1 right;
    pixels per unit of the sprite's frame."""

    def __len__(self) -> int:
        return len(self.picture)

    def take(self, rows: slice | Tensor) -> "Placements":
        """Some of the rows."""
        return Placements(**{name: value[rows] for name, value in vars(self).items()})

    def of(self, kind: int) -> "Placements":
        """Those of one kind."""
        return self.take((self.kind == kind).nonzero()[:, 0])


@dataclass(frozen=True)
class Windows:
    """The pixels around each of M sprites of one kind, as many for each."""

    left: Tensor  # (M,) int64, first column
    top: Tensor
    dx: Tensor  # (M, w) float32, pixel centers relative to the sprite, in picture units
    dy: Tensor  # (M, h)

    @staticmethod
    def around(placed: Placements, sprite: Sprite, size: int) -> "Windows":
        """The windows of some placements of `sprite` in pictures of `size` pixels."""
        tall, wide = sprite.window(size)
        pixels, (x, y) = size / 2, placed.place.t()[:2]
        left = ((x + 1) * pixels - wide / 2).round().clamp(0, size - wide).long()
        top = ((y + 1) * pixels - tall / 2).round().clamp(0, size - tall).long()
        return Windows(
            left=left,
            top=top,
            dx=(left[:, None] + torch.arange(wide) + 0.5) / pixels - 1 - x[:, None],
            dy=(top[:, None] + torch.arange(tall) + 0.5) / pixels - 1 - y[:, None],
        )

    def flat(self, picture: Tensor, channels: int, size: int) -> Tensor:
        """Positions (M, C, h, w) of the windows in flattened pictures (n, C, S, S), of which they
        lie in the ones numbered `picture` (M,)."""
        row = (self.top[:, None] + torch.arange(self.dy.shape[1])) * size
        column = self.left[:, None] + torch.arange(self.dx.shape[1])
        plane = picture[:, None] * channels + torch.arange(channels)
        return (
            plane[:, :, None, None] * (size * size) + (row[:, :, None] + column[:, None])[:, None]
        )
