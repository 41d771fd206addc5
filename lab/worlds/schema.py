"""Schemas: the attributes that control a drawing, with their values, ranges and priors.

Ranges are what a drawing accepts, and what a prior covers at `variation=1`; `typical` is the value
that every sample has at `variation=0`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lab.core.text import unknown

AttributeKind = Literal["categorical", "count", "continuous"]

STRUCTURE = "structure"
"""The group of attributes that `variation` leaves alone: what is in the picture at all."""


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """A variable that controls the drawing: one row of a schema.

    `values` (categorical: names; count: whole numbers) come with `prior`, their probabilities.
    Continuous attributes have `low` and `high` and a uniform prior, or with `peak` a triangular one
    (density 0 at both ends, highest at `typical`), so that extremes are rare. `group` sorts the
    rows for people; those of the group `STRUCTURE` have their full prior at every variation.
    """

    name: str
    kind: AttributeKind
    group: str
    meaning: str
    values: tuple[str | int, ...] = ()
    prior: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 1.0
    peak: bool = False
    unit: str = ""
    typical: str | int | float = 0.0
    halves: tuple[str, str] = ("low", "high")
    """What numbers below and above the median of a continuous prior are called."""

    @property
    def options(self) -> tuple[str, ...]:
        """What cues and unseen combinations choose from, in words: the values, or the halves."""
        return self.halves if self.kind == "continuous" else tuple(map(str, self.values))

    def option(self, word: str) -> int:
        """The position of `word` in `options`; `ValueError` with the nearest match otherwise."""
        if word not in self.options:
            raise ValueError(unknown(f"value for {self.name}", word, self.options))
        return self.options.index(word)

    def option_of(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
        """The option (N,) that each value of a batch (N,) belongs to."""
        if self.kind != "continuous":
            return values.astype(np.int64)
        median = self.quantile(np.array([0.5])).astype(np.float32)
        above: npt.NDArray[np.bool_] = np.greater(values, median)
        return above.astype(np.int64)

    def within(
        self,
        option: npt.NDArray[np.int64],
        u: npt.NDArray[np.float64],
        *,
        variation: float = 1.0,
    ) -> npt.NDArray[np.float64]:
        """Values (N,) of the given options: the value itself, or at level `u` (N,) of its half."""
        if self.kind != "continuous":
            return option.astype(np.float64)
        return self.quantile(0.5 * (u + option), variation=variation)

    def mass(self, variation: float = 1.0) -> npt.NDArray[np.float64]:
        """The prior's probability of each option."""
        if self.kind == "continuous":
            return np.array([0.5, 0.5])
        pull = self._pull(variation)
        mass = np.asarray(self.prior) * pull
        mass[int(self.code(self.typical))] += 1.0 - pull
        return mass

    def _pull(self, variation: float) -> float:
        return 1.0 if self.group == STRUCTURE else variation

    def quantile(
        self, u: npt.NDArray[np.float64], *, variation: float = 1.0
    ) -> npt.NDArray[np.float64]:
        """Values at the levels `u` (N,) in [0, 1) of the prior's distribution: codes or numbers.

        `variation` in [0, 1] pulls a nuisance towards its typical value; structure is not pulled.
        Continuous attributes are scaled towards it, others are given it more often.
        """
        pull = self._pull(variation)
        if self.kind == "continuous":
            center = float(self.typical)
            raw = (
                _triangular(u, self.low, center, self.high)
                if self.peak
                else (self.low + u * (self.high - self.low))
            )
            return center + pull * (raw - center)
        ends = np.cumsum(self.mass(variation))
        ends /= ends[-1]  # to exactly 1, also for the last value that has any mass
        return np.searchsorted(ends, u, side="right").astype(np.float64)

    def code(self, value: object) -> float:
        """The number that stands for `value` in a batch: a name's index, or the number itself.

        Raises `ValueError` saying what is allowed.
        """
        if self.kind == "categorical":
            if isinstance(value, str) and value in self.values:
                return self.values.index(value)
            raise ValueError(unknown(f"value for {self.name}", value, map(str, self.values)))
        number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        if self.kind == "count":
            if number is not None and number in self.values:
                return int(number)
            allowed = ", ".join(map(str, self.values))
            raise ValueError(f"{self.name} must be one of {allowed}, not {value!r}")
        # a batch's own numbers are welcome: float32 may put the ends a little further out
        low, high = np.array([self.low, self.high], dtype=np.float32).tolist()
        if number is None or not min(low, self.low) <= number <= max(high, self.high):
            raise ValueError(
                f"{self.name} must be a number from {self.low:g} to {self.high:g}"
                f"{' ' + self.unit if self.unit else ''}, not {value!r}"
            )
        return float(number)


def _triangular(
    u: npt.NDArray[np.float64], low: float, mode: float, high: float
) -> npt.NDArray[np.float64]:
    split = (mode - low) / (high - low)
    rising = low + np.sqrt(u * (high - low) * (mode - low))
    falling = high - np.sqrt((1 - u) * (high - low) * (high - mode))
    return np.where(u < split, rising, falling)


def categorical(
    name: str,
    group: str,
    values: Sequence[str],
    meaning: str,
    prior: Sequence[float] | None = None,
) -> Attribute:
    """A row of named values; the first is typical. No `prior`: all are equally likely."""
    weights = prior or [1 / len(values)] * len(values)
    return Attribute(
        name=name, kind="categorical", group=group, meaning=meaning,
        values=tuple(values), prior=tuple(weights), typical=values[0],
    )  # fmt: skip


def count(name: str, group: str, typical: int, prior: Sequence[float], meaning: str) -> Attribute:
    """A row of the whole numbers from 0 to len(prior) - 1."""
    return Attribute(
        name=name, kind="count", group=group, meaning=meaning,
        values=tuple(range(len(prior))), prior=tuple(prior), typical=typical,
    )  # fmt: skip


def continuous(
    name: str, group: str, low: float, typical: float, high: float, unit: str, meaning: str,
    *, halves: tuple[str, str], peak: bool = False,
) -> Attribute:  # fmt: skip
    """A row of numbers from `low` to `high`, in `unit`; see `Attribute` for `peak`."""
    return Attribute(
        name=name, kind="continuous", group=group, meaning=meaning,
        low=low, high=high, typical=typical, unit=unit, halves=halves, peak=peak,
    )  # fmt: skip


Schema = Mapping[str, Attribute]
"""The attributes of a kind of drawing, by name, in the order in which they are printed."""


def schema_of(rows: Iterable[Attribute]) -> dict[str, Attribute]:
    """The rows by name, in their order."""
    return {row.name: row for row in rows}


def find(schema: Schema, name: str) -> Attribute:
    """The row called `name`; `ValueError` with the nearest match if there is none."""
    if name not in schema:
        raise ValueError(unknown("attribute", name, schema))
    return schema[name]
