"""A domain: the description of one kind of drawn pictures, such as faces, for the rest of the lab.

Tasks, populations, cues, counterfactuals and evaluators use a drawing through this description
only. A new kind of drawing is a schema, a function that draws, and its tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.config import DataConfig
from lab.core.text import unknown
from lab.worlds.samples import Samples
from lab.worlds.schema import Attribute, Schema, find

Indices = npt.NDArray[np.int64]


class Render(Protocol):
    """Draws samples: uint8 (N, 3, size, size) on `device`, a pure function of the samples."""

    def __call__(
        self, samples: Samples, /, *, size: int, device: str | torch.device = ...
    ) -> Tensor: ...


class Masks(Protocol):
    """The region of each component: name -> bool (N, size, size)."""

    def __call__(self, samples: Samples, /, *, size: int) -> dict[str, Tensor]: ...


class Finish(Protocol):
    """What follows from the drawn attributes: the samples with some nuisances adjusted to the
    others, but those in `keep`. `indices` (N,) are their addresses in the streams of `split`."""

    def __call__(
        self, samples: Samples, indices: Indices, /, *, seed: int, split: str, keep: Collection[str]
    ) -> Samples: ...


def _unfinished(
    samples: Samples, indices: Indices, /, *, seed: int, split: str, keep: Collection[str]
) -> Samples:
    return samples


@dataclass(frozen=True, kw_only=True, eq=False)
class Domain:
    """One kind of drawn pictures: its attributes, how they are drawn, and what belongs to it."""

    name: str
    """The first part of the versions of its pictures: shapes-0123456789ab."""
    noun: str
    """What its pictures are called in sentences, in the plural."""
    schema: Schema
    render: Render
    arithmetic: Callable[[], str]
    """A text that changes whenever the drawing does."""
    tied: DataConfig
    """A population that makes use of all that can be asked of one, for the version."""
    palettes: Mapping[str, Tensor] = field(default_factory=dict)
    """Color attribute -> its colors (K, 3) from 0 to 1: these can be faded, and differ as colors
    do."""
    masks: Masks | None = None
    components: tuple[str, ...] = ()
    """Counts of what a picture can be made of and lack; there for sure at their last value."""
    compose: Callable[[Samples, Sequence[str]], Samples] | None = None
    """The samples with all of some components in their places, and no other component."""
    finish: Finish = _unfinished
    adjusted: tuple[str, ...] = ()
    """Nuisances that `finish` lets go along with the label."""
    showcase: tuple[str, ...] = ()
    """Nuisances whose values are shown side by side where there are no cues."""

    def attribute(self, name: str) -> Attribute:
        """The row called `name`; `ValueError` with the nearest match if there is none."""
        return find(self.schema, name)

    def check_components(self, names: Collection[str]) -> None:
        """Raise `ValueError` for a name in `--missing` that is no component."""
        for name in names:
            if not self.components:
                raise ValueError(
                    f"--missing {name}: {self.noun} have no parts that could be missing; leave it"
                    " out"
                )
            if name not in self.components:
                raise ValueError(f"--missing: {unknown('part', name, self.components)}")


def subsets(components: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """All 2^k sets of k components; position `number` holds component j where bit j is set."""
    return tuple(
        tuple(each for j, each in enumerate(components) if number >> j & 1)
        for number in range(2 ** len(components))
    )
