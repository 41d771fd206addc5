"""Layers: shapes that are laid over a picture, each with a box outside of which it changes nothing.

Boxes spare work and never change a picture: outside of its box a layer's coverage is exactly 0. A
box is (left, right, top, bottom) in the layer's own frame, and may be generous.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.draw.inputs import Inputs
from lab.draw.shapes import root

Side = Tensor | float
Box = tuple[Side, Side, Side, Side]
Case = Mapping[str, float]
"""Inputs with known values, for which the C backend has a specialized kernel."""

DrawLayer = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Inputs], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer of a picture.

    draw: from the canvas (n, 3, h, w), the subject's coverage so far (n, 1, h, w), coordinates u
        and v in the frame of the subject, pixels per unit of it and the inputs, to the new canvas
        and coverage.
    box: from pixels per unit and the inputs to the layer's box, the same for all pixels.
    cases: specializations for the C backend. For each mapping (e.g. {"width": 0.0}) a kernel of its
        own is generated with these inputs as constants, so that dead arithmetic is dropped; the
        first mapping that fits a picture is used, otherwise the general kernel.
    """

    name: str
    draw: DrawLayer
    box: Callable[[Tensor, Inputs], Box]
    cases: tuple[Case, ...] = ()


def greatest(*sides: Side) -> Side:
    """The greatest of some numbers."""
    most, *others = sides
    for other in others:
        if isinstance(most, float) and isinstance(other, float):
            most = max(most, other)
        elif isinstance(most, float):
            most = other.clamp_min(most)  # type: ignore[union-attr]
        elif isinstance(other, float):
            most = most.clamp_min(other)
        else:
            most = torch.maximum(most, other)
    return most


def grown(rx: Side, ry: Side, distance: Tensor) -> Tensor:
    """The factor by which an ellipse must grow to hold every point that `ellipse` estimates closer
    than `distance` (positive) to it.

    With R² = (x / rx)² + (y / ry)² the estimate is at least least(rx, ry) (R - 1 / R) / 2.
    """
    share = distance / -greatest(-rx, -ry)
    return share + root(share * share + 1)
