"""Faces as samples of the attribute table, and `sample_prior`, which draws some from the priors."""

import numpy as np
import numpy.typing as npt

from lab.worlds import samples
from lab.worlds.faces.attributes import ATTRIBUTES
from lab.worlds.samples import Samples, Value, as_column, draw

__all__ = ["Faces", "as_column", "draw", "sample_at", "sample_prior"]

Faces = Samples
"""N faces: `Samples` whose schema is `ATTRIBUTES`."""


def sample_prior(
    count: int,
    *,
    seed: int,
    split: str = "sample",
    start: int = 0,
    variation: float = 1.0,
    **fixed: Value,
) -> Faces:
    """`count` faces with every attribute drawn on its own from its prior, but for those `fixed`.

    Face i depends on (seed, split, i) alone, whatever the batch: `start` is the first i, `split`
    any name. This is the world at large and no task's population: some 6 % are persons, the others
    objects, scrambled or incomplete faces. `lab.worlds.population_of(DataConfig()).sample` draws
    the faces that runs see, half of them persons.
    """
    if count < 0 or start < 0:
        raise ValueError(f"count and start must not be negative, not {count} and {start}")
    return sample_at(
        np.arange(start, start + count), seed=seed, split=split, variation=variation
    ).do(**fixed)


def sample_at(
    indices: npt.NDArray[np.int64], *, seed: int, split: str, variation: float = 1.0
) -> Faces:
    """The faces with the addresses (seed, split, i) for i in `indices` (N,)."""
    return samples.sample_at(ATTRIBUTES, indices, seed=seed, split=split, variation=variation)
