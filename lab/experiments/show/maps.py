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
from lab.experiments.show.style import SMALL, new_figure, title
from lab.experiments.table import Cell, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def heat_map(table: Table, tag: str, *, x: str, y: str) -> Figure:
    """The mean of a final metric over the seeds, for all values of two settings; a panel for each
    combination of the other ones. Cells without finished runs stay gray."""
    check_known(table, tag, x, y)
    panels = panels_of(table, x, y)
    wide, high = len(table.grid[x]), len(table.grid[y])
    figure, grid = new_figure(
        len(panels), columns=3, width=max(3.6, 0.62 * wide + 0.6), height=max(2.2, 0.4 * high + 1.2)
    )
    values = [_matrix(cells, tag, table, x, y) for cells in panels.values()]
    shown = np.concatenate([matrix[np.isfinite(matrix)] for matrix in values])
    low, top = (float(shown.min()), float(shown.max())) if len(shown) else (0.0, 1.0)
    image = None
    for axes, (others, matrix) in zip(grid, zip(panels, values, strict=True), strict=True):
        image = axes.imshow(matrix, cmap="viridis", vmin=low, vmax=top, aspect="auto")
        axes.set_facecolor("#dddddd")
        axes.set_xticks(range(wide), ticks_of(table, x))
        axes.set_yticks(range(high), ticks_of(table, y))
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
    figure.suptitle(f"{tag}, {seeds_of(table)}", fontsize=10)
    return figure


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
