"""Unseen combinations: values of nuisances that never occur together in training, for testing.

They measure compositional generalization: accuracy for blue eyes with long hair, say, when both
occur in training, but never together.
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
from lab.worlds.samples import Samples, as_column
from lab.worlds.tasks import Task

Indices = npt.NDArray[np.int64]

FLAG = "--unseen-combinations"


@dataclass(frozen=True)
class UnseenCombination:
    """One combination: attributes, and the option of each (a value, or a half)."""

    conditions: tuple[tuple[str, int], ...]
    yields: str
    """The attribute that changes where training would show the combination."""
    words: tuple[str, ...]
    """The options in words."""

    def met(self, samples: Samples) -> Tensor:
        """Which samples (N,) show the whole combination."""
        met = torch.ones(len(samples), dtype=torch.bool)
        for name, option in self.conditions:
            options = samples.schema[name].option_of(samples.values[name].numpy())
            met &= torch.from_numpy(options == option)
        return met

    def __str__(self) -> str:
        pairs = zip(self.conditions, self.words, strict=True)
        return ",".join(f"{name}={word}" for (name, _), word in pairs)


def parse_unseen_combinations(
    texts: Sequence[str], task: Task, cues: Sequence[Cue], *, variation: float
) -> tuple[UnseenCombination, ...]:
    """The combinations written as `attribute=value,attribute=value`.

    Raises `ValueError` in one line if one cannot be held out: an unknown or relevant attribute, or
    nothing left for training to show instead.
    """
    return tuple(_parse(text, task, {cue.attribute for cue in cues}, variation) for text in texts)


def _parse(text: str, task: Task, tied: Collection[str], variation: float) -> UnseenCombination:
    conditions: dict[str, int] = {}
    for condition in text.split(","):
        name, equals, word = condition.strip().partition("=")
        if not equals:
            raise ValueError(f"{FLAG} {text!r}: write attribute=value,attribute=value")
        row = nuisance(name, task, f"{FLAG} {text!r}")
        if name in conditions:
            raise ValueError(f"{FLAG} {text!r} names {name} twice")
        conditions[name] = row.option(word)
    schema = task.domain.schema
    words = tuple(schema[name].options[option] for name, option in conditions.items())
    for name in reversed(conditions):
        others = np.delete(schema[name].mass(variation), conditions[name])
        if name not in tied and others.sum() > 0:
            return UnseenCombination(tuple(conditions.items()), yields=name, words=words)
    raise ValueError(
        f"{FLAG} {text!r}: training has nothing to show instead; add an attribute that is no cue"
        " and varies"
    )


def avoid(
    holds: Sequence[UnseenCombination], samples: Samples, indices: Indices, *, seed: int,
    split: str, variation: float,
) -> Samples:  # fmt: skip
    """The samples without the combinations: where one shows, the attribute that yields is redrawn
    among its other options. Raises `ValueError` if the combinations leave no way out."""
    for turn in range(10 * len(holds)):
        met = [hold.met(samples) for hold in holds]
        if not any(bool(hit.any()) for hit in met):
            return samples
        for hold, hit in zip(holds, met, strict=True):
            row, option = samples.schema[hold.yields], dict(hold.conditions)[hold.yields]
            mass = row.mass(variation)
            mass[option] = 0
            stream = (seed, split, "hold out", hold.yields, turn)
            ends = (mass / mass.sum()).cumsum()
            ends /= ends[-1]
            other = np.searchsorted(ends, uniforms(indices, *stream), side="right")
            column = as_column(
                row, row.within(other, uniforms(indices, *stream, "level"), variation=variation)
            )
            old = samples.values[hold.yields]
            samples = samples.redrawn({hold.yields: torch.where(hit, column, old)})
    if any(bool(hold.met(samples).any()) for hold in holds):
        raise ValueError(
            f"{FLAG} {' '.join(map(str, holds))}: together they leave nothing for training to show"
        )
    return samples


def show(
    holds: Sequence[UnseenCombination], samples: Samples, indices: Indices, *, seed: int,
    split: str, variation: float,
) -> Samples:  # fmt: skip
    """The samples, each with one of the combinations."""
    which = (uniforms(indices, seed, split, "held out") * len(holds)).astype(np.int64)
    for number, hold in enumerate(holds):
        mine = torch.from_numpy(which == number)
        for name, option in hold.conditions:
            row = samples.schema[name]
            u = uniforms(indices, seed, split, "held out", name)
            values = row.within(np.full(len(indices), option), u, variation=variation)
            column = as_column(row, values)
            samples = samples.redrawn({name: torch.where(mine, column, samples.values[name])})
    return samples
