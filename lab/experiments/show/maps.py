"""Heat maps: a final metric over two settings of a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.experiments.show.panels import (
    check_known,
    panels_of,
    seeds_of,
    ticks_of,
    words_of,
)
from lab.experiments.show.style import SMALL, heading, new_figure, title
from lab.experiments.table import Cell, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONG = 8
"""Letters of a value beyond which it needs more room than a cell gives it."""

LETTER = 0.09
"""Width of a letter in inches."""


def heat_map(table: Table, tag: str, *, x: str, y: str, by: str = "") -> Figure:
    """The mean of a final metric over the seeds, for all values of two settings; a panel for each
    combination of the other ones. Cells without finished runs stay gray. `by` is a second line of
    the title."""
    check_known(table, tag, x, y)
    panels = panels_of(table, x, y)
    wide, high = len(table.grid[x]), len(table.grid[y])
    below = ticks_of(table, x)
    beside = [each.replace("+", "+\n") for each in ticks_of(table, y)]
    lines = sum(each.count("\n") + 1 for each in beside)
    under = max(map(len, below)) if max(map(len, below)) > LONG else 0  # turned, they take height
    figure, grid = new_figure(
        len(panels), columns=3 if max(map(_width, beside)) <= 2 * LONG else 2,
        width=max(3.6, 0.62 * wide + 0.6) + LETTER * max(0, max(map(_width, beside)) - LONG),
        height=max(2.2, 0.4 * max(high, lines / 2) + 1.2 + LETTER * under / 2),
    )  # fmt: skip
    values = [_matrix(cells, tag, table, x, y) for cells in panels.values()]
    shown = np.concatenate([matrix[np.isfinite(matrix)] for matrix in values])
    low, top = (float(shown.min()), float(shown.max())) if len(shown) else (0.0, 1.0)
    image = None
    for axes, (others, matrix) in zip(grid, zip(panels, values, strict=True), strict=True):
        image = axes.imshow(matrix, cmap="viridis", vmin=low, vmax=top, aspect="auto")
        axes.set_facecolor("#dddddd")
        turned: dict[str, Any] = (
            {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if under else {}
        )
        axes.set_xticks(range(wide), below, **turned)
        axes.set_yticks(range(high), beside)
        axes.invert_yaxis()
        axes.set(xlabel=words_of(x, table), ylabel=words_of(y, table))
        title(axes, ", ".join(others))
        for i, j in product(range(high), range(wide)):
            if math.isfinite(matrix[i, j]):
                dark = matrix[i, j] < low + 0.6 * (top - low)
                axes.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=SMALL,
                          color="white" if dark else "black")  # fmt: skip
    if image is not None:
        bar = figure.colorbar(image, ax=grid)
        bar.outline.set_visible(False)
    heading(figure, f"{tag}, {seeds_of(table)}", by)
    return figure


def _width(text: str) -> int:
    """Letters of the longest line."""
    return max(map(len, text.split("\n")))


def _matrix(cells: Sequence[Cell], tag: str, table: Table, x: str, y: str) -> np.ndarray:
    places: Mapping[str, Mapping[Any, int]] = {
        name: {value: number for number, value in enumerate(table.grid[name])} for name in (x, y)
    }
    matrix = np.full((len(table.grid[y]), len(table.grid[x])), np.nan)
    for cell in cells:
        if cell.runs and tag in cell.tags:
            place = places[y][cell.settings[y]], places[x][cell.settings[x]]
            matrix[place] = cell.values(tag).mean()
    return matrix
