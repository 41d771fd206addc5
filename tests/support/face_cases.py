"""For tests of the drawing: extreme faces, an attribute's levels, what differs between
counterfactuals."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from lab.draw import Backend
from lab.draw.render import can_draw_in_c
from lab.worlds.faces import (
    ATTRIBUTES,
    STRAYS,
    Faces,
    attribute,
    masks,
    render,
    sample_prior,
)
from lab.worlds.faces.drawing import DRAWING

NO_STRAYS = dict.fromkeys(STRAYS.values(), 0)
MOST_STRAYS = {name: len(ATTRIBUTES[name].values) - 1 for name in STRAYS.values()}


def extremes(count: int, *, seed: int = 0) -> Faces:
    """Faces with every continuous attribute at one of its ends and any other value for the rest."""
    rng = np.random.default_rng(seed)
    ends = {
        name: (row.low, row.high) if row.kind == "continuous" else row.values
        for name, row in ATTRIBUTES.items()
    }
    chosen = {name: rng.choice(values, count).tolist() for name, values in ends.items()}
    return sample_prior(count, seed=seed, split="extremes").do(**chosen)


def levels(name: str) -> list[str | int | float]:
    """All values of an attribute, or its two ends."""
    row = attribute(name)
    return [row.low, row.high] if row.kind == "continuous" else list(row.values)


@functools.cache
def fastest() -> Backend:
    """The backend to draw many pictures: C, if there is a compiler."""
    return "c" if can_draw_in_c(DRAWING) else "torch"


def picture(faces: Faces, size: int = 48) -> Tensor:
    """The pictures as numbers that can be subtracted: int32 (N, 3, size, size)."""
    return render(faces, size=size, backend=fastest()).int()


class Drawn:
    """Faces at one level of an attribute: their pictures and the regions of their parts.

    All levels are drawn at once, which is quicker: `everybody` is one batch after the other.
    """

    def __init__(self, everybody: "Everybody", rows: slice) -> None:
        self._everybody, self._rows = everybody, rows
        self.faces = everybody.faces[rows]

    @property
    def picture(self) -> Tensor:
        """int32 (N, 3, size, size)"""
        return self._everybody.picture[self._rows]

    @property
    def parts(self) -> dict[str, Tensor]:
        """As `masks`."""
        return {name: region[self._rows] for name, region in self._everybody.parts.items()}


@dataclass(frozen=True)
class Everybody:
    """Some faces at all levels of an attribute, drawn when asked for."""

    faces: Faces
    size: int

    @functools.cached_property
    def picture(self) -> Tensor:
        """int32 (N, 3, size, size)"""
        return picture(self.faces, self.size)

    @functools.cached_property
    def parts(self) -> dict[str, Tensor]:
        """As `masks`."""
        return masks(self.faces, size=self.size)


def counterfactuals(
    faces: Faces, name: str, size: int = 48
) -> Iterator[tuple[Drawn, Drawn, Tensor]]:
    """The faces with an attribute at every two of its levels, and how much each pixel differs.

    Differences (N, size, size) are the largest over the channels, in 0..255.
    """
    count, values = len(faces), levels(name)
    everybody = Everybody(Faces.cat([faces.do(**{name: value}) for value in values]), size)
    drawn = [Drawn(everybody, slice(k * count, (k + 1) * count)) for k in range(len(values))]
    for one, other in combinations(drawn, 2):
        yield one, other, (one.picture - other.picture).abs().amax(dim=1)


def same(one: Faces, other: Faces) -> bool:
    """Whether two batches are the same faces."""
    pairs = ((one[name], other[name]) for name in ATTRIBUTES)
    return torch.equal(one.identity, other.identity) and all(torch.equal(a, b) for a, b in pairs)
