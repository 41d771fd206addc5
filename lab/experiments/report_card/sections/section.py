"""A section of a report card: one question, with what it measures, says and draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.core.config import RunConfig
from lab.experiments.plan import Plan
from lab.experiments.report_card.card import Card
from lab.experiments.report_card.phrases import Row
from lab.experiments.report_card.subject import Subject
from lab.experiments.table import Cell, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What sections measure from: the finished runs of one of a card's models. `tables` are those
    of the plans by name, `learning` the model's cells of the learning curve."""

    model: str
    tables: Mapping[str, Table]
    base: RunConfig
    device: str

    @property
    def learning(self) -> tuple[Cell, ...]:
        """The runs at each size of the training set, the smallest first."""
        return self.tables["learning"].where(model=self.model)

    @property
    def last(self) -> Cell:
        """The runs with the largest training set."""
        return self.learning[-1]

    def family(self, name: str) -> dict[str, Any]:
        """The metrics NAME/… of the runs with the largest training set, means over the seeds that
        have each."""
        start = f"{name}/"
        return {
            tag.removeprefix(start): self.last.mean(tag)
            for tag in self.last.found
            if tag.startswith(start)
        }


@dataclass(frozen=True, kw_only=True)
class Section:
    """One question of a card.

    Args:
        name: the field of `Card` that it fills, and its figure's name.
        applies: whether it can be asked of these pictures.
        measure: what is found about a model, for that field.
        left_out: what is missing on a card of pictures that it does not apply to, in words; "":
            nothing that a reader would look for.
        grid: the runs that it needs beside those of the learning curve.
        say: a sentence on the first card.
        rows: lines of the table with a column for each network.
        draw: its figure, if there is something to draw.
        caption: what stands under that; {noun} is what the pictures are called.
    """

    name: str
    applies: Callable[[Subject], bool]
    measure: Callable[[Asked], Mapping[Any, Any]]
    left_out: str = ""
    grid: Callable[[RunConfig, Sequence[str]], Plan] | None = None
    say: Callable[[Sequence[Card], Subject], str] = lambda cards, subject: ""
    rows: Callable[[Sequence[Card], Subject], list[Row]] = lambda cards, subject: []
    draw: Callable[[Sequence[Card], Subject], Figure | None] = lambda cards, subject: None
    caption: str = ""


def drawn(subject: Subject) -> bool:
    """Whether the lab draws the pictures: then it can change one attribute and nothing else."""
    return subject.drawn


def stored(subject: Subject) -> bool:
    """Whether the pictures are the user's own."""
    return not subject.drawn
