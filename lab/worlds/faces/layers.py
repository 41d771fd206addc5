"""A layer: one thing that is laid over a picture, and the box outside of which it changes nothing.

Boxes spare work and never change a picture: outside of them a layer's coverage is exactly 0. They
are (left, right, top, bottom) in the frame of what is drawn, and may be generous.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.worlds.faces.shapes import root

Numbers = dict[str, Tensor]  # name -> (n, 1, 1, 1), or (n, 3, 1, 1) for a color
Side = Tensor | float
Box = tuple[Side, Side, Side, Side]
Draw = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Numbers], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a picture.

    `draw` takes the canvas (n, 3, h, w), the subject's coverage so far (n, 1, h, w), coordinates in
    the frame of the head, pixels per unit and numbers, and returns canvas and coverage. `box` takes
    pixels per unit and numbers. `cases` are numbers that are often met: for each of them, the
    first that fits, the compiled drawing has code of its own without what then makes no difference.
    """

    name: str
    draw: Draw
    box: Callable[[Tensor, Numbers], Box]
    cases: tuple[Mapping[str, float], ...] = ()


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
    """How many times as big as an ellipse is one that holds all that `ellipse` puts closer than
    `distance` (positive) to it.

    With R² = (x / rx)² + (y / ry)² the estimate is at least least(rx, ry) (R - 1 / R) / 2.
    """
    share = distance / -greatest(-rx, -ry)
    return share + root(share * share + 1)
