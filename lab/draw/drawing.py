"""`Drawing`: the description of a family of pictures that both backends execute.

Its functions work on tensors, and on the symbols of `lab.draw.trace`, from which the C backend
generates its code. They may use what `lab.draw.shapes` offers and the operations named there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from lab.draw.display_list import DisplayList
from lab.draw.inputs import Inputs
from lab.draw.layers import Case, Layer
from lab.draw.sprites import Sprite

FRAME = ("x", "y", "cos", "sin")
"""The inputs that place the subject: its center in picture units; cos and sin of its turn, over its
scale."""
SCALE, NOISE = "scale", "noise"
"""The inputs with the subject's scale, and the deviation of the pixel noise."""
REQUIRED = (*FRAME, SCALE, NOISE)
"""The inputs that every drawing has."""

Self = TypeVar("Self")


class Batch(Protocol):
    """N rows of attribute values, of which some can be taken."""

    def __len__(self) -> int:
        """The number of pictures."""

    def take(self: Self, index: slice | Tensor) -> Self:
        """The rows at `index`: a slice or positions (M,)."""


B = TypeVar("B", bound=Batch)


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing(Generic[B]):
    """How batches of type `B` become pictures.

    Bottom to top: the background, the layers in `base`, those of the picture's subject, sprites;
    then shading, blur and grain. Layers are drawn in the frame of the subject.

    name: a word, part of the compiled library's file name.
    subject_of: from a batch to the position (N,) int64 of each picture's subject in `subjects`.
    prepare: from a batch and a size in pixels to the display list.
    examples: a batch in which every subject, layer and sprite occurs; the C backend is used only if
        it draws this batch bit for bit as torch does.
    background: from pixel centers x and y in picture units, pixels per unit and the inputs to the
        canvas (n, 3, h, w).
    background_cases: its specializations, as in `Layer.cases`.
    shade: from canvas, the subject's coverage, u, v, x, y and the inputs to the lit canvas.
    sprites: kinds of sprites, in the order in which they are laid.
    regions: what `masks` tells apart: names that `Placements.region` points to.
    """

    name: str
    subject_of: Callable[[B], Tensor]
    prepare: Callable[[B, int], DisplayList]
    examples: Callable[[], B]
    background: Callable[[Tensor, Tensor, Tensor, Inputs], Tensor]
    subjects: Mapping[str, tuple[Layer, ...]]
    shade: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Inputs], Tensor]
    base: tuple[Layer, ...] = ()
    background_cases: tuple[Case, ...] = ()
    sprites: tuple[Sprite, ...] = ()
    regions: tuple[str, ...] = ()

    def paint(
        self, subject: int, x: Tensor, y: Tensor, pixels: Tensor, n: Inputs
    ) -> tuple[Tensor, Tensor]:
        """Background and layers: canvas (n, 3, S, S) and the subject's coverage (n, 1, S, S).

        `pixels` (1, 1, 1, 1) is half the picture's size.
        """
        canvas = self.background(x, y, pixels, n)
        cover = torch.zeros_like(canvas[:, :1])
        for layer in (*self.base, *tuple(self.subjects.values())[subject]):
            canvas, cover = lay(layer, canvas, cover, x, y, pixels, n)
        return canvas, cover

    def light(self, canvas: Tensor, cover: Tensor, x: Tensor, y: Tensor, n: Inputs) -> Tensor:
        """The canvas after shading."""
        u, v = to_subject(x, y, n)
        return self.shade(canvas, cover, u, v, x, y, n)


def lay(
    layer: Layer, canvas: Tensor, cover: Tensor, x: Tensor, y: Tensor, pixels: Tensor, n: Inputs
) -> tuple[Tensor, Tensor]:
    """Canvas and coverage with one more layer."""
    u, v = to_subject(x, y, n)
    return layer.draw(canvas, cover, u, v, pixels * n[SCALE], n)


def to_subject(x: Tensor, y: Tensor, n: Inputs) -> tuple[Tensor, Tensor]:
    """Picture coordinates in the frame of the subject."""
    dx, dy = x - n["x"], y - n["y"]
    return dx * n["cos"] + dy * n["sin"], dy * n["cos"] - dx * n["sin"]
