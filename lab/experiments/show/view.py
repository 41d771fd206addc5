"""The choice of what is shown of a grid's results, and the writer that turns it into files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from lab.core.metrics import heading
from lab.experiments.compare import Pair
from lab.experiments.judged import PLAIN, differs
from lab.experiments.table import Cell
from lab.measure.judged import ACCURACY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Words = Mapping[str, Callable[[Cell], str]]
"""Heading -> what a row says of a cell's settings."""

Columns = Mapping[str, Callable[[Cell], str]]
"""Heading -> the tag of the metric that a column shows of a cell."""


def columns_of(tags: Iterable[str]) -> Columns:
    """Columns that show the same metric of every cell, under the metrics' own headings."""
    return {heading(tag): partial(_same, tag) for tag in tags}


def judged_columns(
    tags: Iterable[str], cells: Sequence[Cell], *, named: Collection[str] = ()
) -> tuple[Columns, frozenset[str]]:
    """Columns of `tags`, and the headings of those that show what memorization is judged by in
    place of the plain metric: gap, membership AUC and, beside the plain one, training accuracy.
    None of a metric that the user has `named`, or if the plain ones are judged by in all cells."""
    chosen = [tag for tag in PLAIN if tag not in named] if differs(cells) else []
    columns: dict[str, Callable[[Cell], str]] = {}
    headings = set()
    for tag in tags:
        columns |= columns_of([tag])
        if tag in chosen:
            name = f"{heading(tag)}, judged" if tag == ACCURACY else heading(tag)
            columns[name] = partial(_same, tag)
            headings.add(name)
    return columns, frozenset(headings)


def _same(tag: str, cell: Cell) -> str:
    return tag


@dataclass(frozen=True, kw_only=True)
class View:
    """The tables and figures of a grid.

    Args:
        cells: the rows of the table of means, in order.
        words: the columns that say which cell a row is about.
        columns: the columns of metrics.
        judged: the headings of columns that show of each seed what stands for the plain metric
            where memorization is judged by another figure.
        pairs: the cells that are compared, each with its baseline.
        about_pictures: what is doubtful of the pictures, a sentence each.
        figures: yields each figure with its name; names with a known prefix (map/, curve/,
            power_law/) go to TensorBoard, too.
    """

    cells: Sequence[Cell]
    words: Words
    columns: Columns
    judged: Collection[str] = ()
    pairs: Sequence[Pair] = ()
    about_pictures: Sequence[str] = ()
    figures: Callable[[], Iterator[tuple[str, Figure]]] = field(default=lambda: iter(()))
