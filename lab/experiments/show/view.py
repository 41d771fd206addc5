"""The choice of what is shown of a grid's results, and the writer that turns it into files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from lab.core.metrics import heading
from lab.experiments.compare import Pair
from lab.experiments.table import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Words = Mapping[str, Callable[[Cell], str]]
"""Heading -> what a row says of a cell's settings."""

Columns = Mapping[str, Callable[[Cell], str]]
"""Heading -> the tag of the metric that a column shows of a cell."""


def columns_of(tags: Iterable[str]) -> Columns:
    """Columns that show the same metric of every cell, under the metrics' own headings."""
    return {heading(tag): partial(_same, tag) for tag in tags}


def _same(tag: str, cell: Cell) -> str:
    return tag


@dataclass(frozen=True, kw_only=True)
class View:
    """The tables and figures of a grid.

    Args:
        cells: the rows of the table of means, in order.
        words: the columns that say which cell a row is about.
        columns: the columns of metrics.
        pairs: the cells that are compared, each with its baseline.
        figures: yields each figure with its name; names with a known prefix (map/, curve/,
            power_law/) go to TensorBoard, too.
    """

    cells: Sequence[Cell]
    words: Words
    columns: Columns
    pairs: Sequence[Pair] = ()
    figures: Callable[[], Iterator[tuple[str, Figure]]] = field(default=lambda: iter(()))
