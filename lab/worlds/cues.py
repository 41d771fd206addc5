"""Cues: nuisances tied to the label (spurious attributes), from which a shortcut can be learned.

A cue has a value for each class. With strength s a picture shows the value of its own class with
probability s, else that of one of the other classes, all equally likely. So with K classes the cue
is independent of the label at strength 1 / K, and negatively associated with it below. Strength is
a property of the population; how different the values look is another setting, the visibility.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.seeds import uniforms
from lab.core.text import unknown
from lab.worlds.domain import Domain
from lab.worlds.samples import Samples, as_column
from lab.worlds.schema import Attribute
from lab.worlds.tasks import Task

Indices = npt.NDArray[np.int64]

FLAG = "--cues"


class GroupedBy(Protocol):
    """What groups are formed by, with the class: a cue, or a column of a table."""

    @property
    def attribute(self) -> str:
        """Its name."""

    @property
    def words(self) -> tuple[str, ...]:
        """Its values."""

    def says(self, samples: Samples) -> Tensor:
        """The position (N,) int64 of each sample's value in `words`; -1: of none."""


@dataclass(frozen=True, kw_only=True)
class Cue:
    """One nuisance tied to the label.

    `options` holds for each class, in order, the position of its value in the attribute's options
    (values, or halves of a continuous prior). `strength` is P(the value agrees with the label).
    `visibility`, above 0 to 1, is how different the values look: 1 as the attribute is drawn.
    `named`: the values were given by name, and `str` writes them, too.
    """

    row: Attribute
    options: tuple[int, ...]
    strength: float
    visibility: float = 1.0
    named: bool = field(default=False, compare=False)

    @property
    def attribute(self) -> str:
        """The nuisance's name."""
        return self.row.name

    @property
    def words(self) -> tuple[str, ...]:
        """Its value for each class, in words."""
        return tuple(self.row.options[option] for option in self.options)

    @property
    def no_link(self) -> float:
        """The strength at which it is independent of the label: 1 / number of classes."""
        return 1 / len(self.options)

    @property
    def what(self) -> str:
        """The cue without its strength, as `--cues` has it: 'gaze', 'eye_color=blue/brown'."""
        values = "/".join(reversed(self.words))
        return f"{self.attribute}={values}" if self.named else self.attribute

    def __str__(self) -> str:
        """The text that `parse_cues` makes it of: 'eye_color=blue/brown:0.95'."""
        return f"{self.what}:{self.strength:.12g}"

    def weakened(self, strength: float) -> Cue:
        """The same cue with another strength."""
        return replace(self, strength=strength)

    def column(self, says: Tensor, u: npt.NDArray[np.float64]) -> Tensor:
        """The attribute's values for pictures whose cue shows the value of class `says` (N,); `u`
        (N,) in [0, 1) is their level within a half."""
        row = self.row
        values = row.within(np.array(self.options)[says.numpy()], u)
        if row.kind == "continuous":
            median = row.quantile(np.array([0.5]))
            values = median + self.visibility * (values - median)
        return as_column(row, values)

    def says(self, samples: Samples) -> Tensor:
        """The class (N,) int64 whose value each sample shows; -1 for values of no class."""
        option = self.row.option_of(samples.values[self.attribute].numpy())
        table = np.full(len(self.row.options), -1)
        table[list(self.options)] = np.arange(len(self.options))
        return torch.from_numpy(table[option])


def draw_cue(cue: Cue, labels: Tensor, indices: Indices, *, seed: int, split: str) -> Tensor:
    """The cue's column (N,) for samples with the given `labels` (N,) at the addresses `indices`.

    Whether the cue of a sample agrees depends on address and strength alone; one that agrees at
    some strength agrees at every higher one. No other attribute changes.
    """
    classes = len(cue.options)
    stream = (seed, split, "cue", cue.attribute)
    agrees = torch.from_numpy(uniforms(indices, *stream) < cue.strength)
    step = 1 + np.floor(uniforms(indices, *stream, "other") * (classes - 1)).astype(np.int64)
    says = torch.where(agrees, labels, (labels + torch.from_numpy(step)) % classes)
    return cue.column(says, uniforms(indices, seed, split, cue.attribute, 0))


def parse_cues(texts: Sequence[str], task: Task, *, visibility: float = 1.0) -> tuple[Cue, ...]:
    """The cues written as `attribute:strength` or `attribute=value/value:strength`.

    Values, one for each class, are named from the last class to the first (person/not a person); by
    default the ones that differ most. Raises `ValueError` in one line that says what is possible.
    """
    cues = tuple(_parse(text, task, visibility) for text in texts)
    names = [cue.attribute for cue in cues]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{FLAG} names {name} twice; an attribute can be one cue only")
    return cues


def _parse(text: str, task: Task, visibility: float) -> Cue:
    what, colon, number = text.rpartition(":")
    name, equals, values = what.partition("=")
    if not colon:
        raise ValueError(
            f"{FLAG} {text!r}: write attribute:strength, such as {task.nuisances[0]}:0.95, or"
            " attribute=value/value:strength"
        )
    try:
        strength = float(number)
    except ValueError:
        strength = -1.0
    if not 0 <= strength <= 1:
        raise ValueError(f"{FLAG} {text!r}: the strength must be a number from 0 to 1")
    row = nuisance(name, task, FLAG)
    classes = len(task.classes)
    domain = task.domain
    options = _named(row, values, classes, text) if equals else opposites(row, classes, domain)
    if visibility < 1 and row.kind != "continuous" and name not in domain.palettes:
        able = [
            n
            for n in task.nuisances
            if domain.schema[n].kind == "continuous" or n in domain.palettes
        ]
        raise ValueError(
            f"--cue-visibility {visibility:g}: {name} is drawn or not drawn, nothing between;"
            f" it can be had for {', '.join(able)}"
        )
    return Cue(
        row=row, options=options, strength=strength, visibility=visibility,
        named=bool(equals),
    )  # fmt: skip


def nuisance(name: str, task: Task, what: str) -> Attribute:
    """The row of a nuisance of the task; `ValueError` naming the flag `what` otherwise."""
    if name in task.relevant:
        raise ValueError(
            f"{what}: {name} is what the task {task.name} asks for; it takes nuisances:"
            f" {', '.join(task.nuisances)}"
        )
    if name not in task.nuisances:
        raise ValueError(f"{what}: {unknown('attribute', name, task.nuisances)}")
    return task.domain.schema[name]


def choices(row: Attribute) -> list[int]:
    """The options that a cue can give to classes: those that the prior has at all."""
    return [int(option) for option in np.flatnonzero(row.mass())]


def opposites(row: Attribute, classes: int, domain: Domain) -> tuple[int, ...]:
    """The options for each class that differ most to the eye; the first class gets the typical one.

    `ValueError` if there are not enough.
    """
    possible = choices(row)
    if len(possible) < classes:
        raise ValueError(
            f"{FLAG}: {row.name} has {len(possible)} values ({', '.join(row.options)}), the task"
            f" has {classes} classes"
        )
    if row.kind == "continuous":
        return tuple(possible)
    chosen = [int(row.code(row.typical))]
    while len(chosen) < classes:
        rest = [option for option in possible if option not in chosen]
        chosen.append(max(rest, key=lambda option: _distance(row, option, chosen, domain)))
    return tuple(chosen)


def _distance(row: Attribute, option: int, others: Sequence[int], domain: Domain) -> float:
    """How far an option looks from the nearest of `others`: colors as such, the rest by place."""
    if row.name not in domain.palettes:
        return min(abs(option - other) for other in others)
    colors = domain.palettes[row.name]
    return min(float((colors[option] - colors[other]).norm()) for other in others)


def _named(row: Attribute, values: str, classes: int, text: str) -> tuple[int, ...]:
    words = values.split("/")
    if len(words) != classes or len(set(words)) != classes:
        raise ValueError(
            f"{FLAG} {text!r}: name {classes} different values of {row.name} between slashes, the"
            f" last class first; there are {', '.join(row.options)}"
        )
    return tuple(row.option(word) for word in reversed(words))
