"""Hold-outs: combinations of nuisances that training never shows, to be tested on.

What a network makes of blue eyes with long hair, when it has seen both, but never together:
compositional generalization.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.seeds import uniforms
from lab.worlds.cues import Cue, nuisance
from lab.worlds.faces import Faces, attribute
from lab.worlds.faces.batch import as_column
from lab.worlds.tasks import Task

Indices = npt.NDArray[np.int64]

FLAG = "--unseen-combinations"


@dataclass(frozen=True)
class UnseenCombination:
    """One combination: attributes, and the option of each (a value, or a half)."""

    conditions: tuple[tuple[str, int], ...]
    yields: str
    """The attribute that changes where training would show the combination."""

    def met(self, faces: Faces) -> Tensor:
        """Which faces (N,) show the whole combination."""
        met = torch.ones(len(faces), dtype=torch.bool)
        for name, option in self.conditions:
            options = attribute(name).option_of(faces.values[name].numpy())
            met &= torch.from_numpy(options == option)
        return met

    def __str__(self) -> str:
        return ",".join(f"{n}={attribute(n).options[option]}" for n, option in self.conditions)


def parse_unseen_combinations(
    texts: Sequence[str], task: Task, cues: Sequence[Cue], *, variation: float
) -> tuple[UnseenCombination, ...]:
    """The combinations written as `attribute=value,attribute=value`.

    Raises `ValueError` in one line if one cannot be held out: an unknown or relevant attribute, or
    nothing left for training to show instead.
    """
    return tuple(_parse(text, task, {cue.attribute for cue in cues}, variation) for text in texts)


def _parse(text: str, task: Task, tied: Collection[str], variation: float) -> UnseenCombination:
    conditions = {}
    for condition in text.split(","):
        name, equals, word = condition.strip().partition("=")
        if not equals:
            raise ValueError(f"{FLAG} {text!r}: write attribute=value,attribute=value")
        row = nuisance(name, task, f"{FLAG} {text!r}")
        if name in conditions:
            raise ValueError(f"{FLAG} {text!r} names {name} twice")
        conditions[name] = row.option(word)
    for name in reversed(conditions):
        others = np.delete(attribute(name).mass(variation), conditions[name])
        if name not in tied and others.sum() > 0:
            return UnseenCombination(tuple(conditions.items()), yields=name)
    raise ValueError(
        f"{FLAG} {text!r}: training has nothing to show instead; add an attribute that is no cue"
        " and varies"
    )


def avoid(
    holds: Sequence[UnseenCombination], faces: Faces, indices: Indices, *, seed: int, split: str,
    variation: float,
) -> Faces:  # fmt: skip
    """The faces without the combinations: where one shows, the attribute that yields is redrawn
    among its other options. Raises `ValueError` if the combinations leave no way out."""
    for turn in range(10 * len(holds)):
        met = [hold.met(faces) for hold in holds]
        if not any(bool(hit.any()) for hit in met):
            return faces
        for hold, hit in zip(holds, met, strict=True):
            row, option = attribute(hold.yields), dict(hold.conditions)[hold.yields]
            mass = row.mass(variation)
            mass[option] = 0
            stream = (seed, split, "hold out", hold.yields, turn)
            ends = (mass / mass.sum()).cumsum()
            ends /= ends[-1]
            other = np.searchsorted(ends, uniforms(indices, *stream), side="right")
            column = as_column(
                row, row.within(other, uniforms(indices, *stream, "level"), variation=variation)
            )
            old = faces.values[hold.yields]
            faces = faces.redrawn({hold.yields: torch.where(hit, column, old)})
    if any(bool(hold.met(faces).any()) for hold in holds):
        raise ValueError(
            f"{FLAG} {' '.join(map(str, holds))}: together they leave nothing for training to show"
        )
    return faces


def show(
    holds: Sequence[UnseenCombination], faces: Faces, indices: Indices, *, seed: int, split: str,
    variation: float,
) -> Faces:  # fmt: skip
    """The faces, each with one of the combinations."""
    which = (uniforms(indices, seed, split, "held out") * len(holds)).astype(np.int64)
    for number, hold in enumerate(holds):
        mine = torch.from_numpy(which == number)
        for name, option in hold.conditions:
            row = attribute(name)
            u = uniforms(indices, seed, split, "held out", name)
            values = row.within(np.full(len(indices), option), u, variation=variation)
            column = as_column(row, values)
            faces = faces.redrawn({name: torch.where(mine, column, faces.values[name])})
    return faces
