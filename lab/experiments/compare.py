"""Differences between cells, seed by seed.

Runs with the same seed share their training examples (as far as the settings allow) and first
weights, so a difference within a seed is less noisy than the difference of two means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.core.estimate import Estimate
from lab.core.text import unknown
from lab.experiments.table import Cell, Table
from lab.measure import mean_of_seeds


@dataclass(frozen=True)
class Pair:
    """A cell and the one that it is compared with, its `baseline`."""

    cell: Cell
    baseline: Cell

    def difference(self, tag: str) -> Estimate:
        """The metric `tag` of the cell minus that of the baseline: the mean over the seeds that
        both have a finite value for, with Student's 95 % interval (two seeds or more); NaN of
        none."""
        values, others = (
            {run.seed: run.metrics[tag].value for run in cell.runs if tag in run.metrics}
            for cell in (self.cell, self.baseline)
        )
        differences = [values[seed] - others[seed] for seed in values if seed in others]
        return mean_of_seeds([each for each in differences if np.isfinite(each)])


def against_first(cells: Sequence[Cell]) -> list[Pair]:
    """Every cell with the first one."""
    return [Pair(cell, cells[0]) for cell in cells[1:]]


def pairs_along(table: Table, axis: str | None = None) -> list[Pair]:
    """Every cell with the one that has the first value of the setting `axis` and is otherwise the
    same. None: the last setting of which the grid has several values; no pairs if there is none.
    `ValueError` if the grid does not vary `axis`."""
    varied = [name for name, values in table.grid.items() if len(values) > 1]
    if axis is not None and axis not in varied:
        raise ValueError(unknown("setting that the grid varies", axis, varied))
    if not varied:
        return []
    chosen = varied[-1] if axis is None else axis
    first = table.grid[chosen][0]
    return [
        Pair(cell, table.cell(**{**cell.settings, chosen: first}))
        for cell in table.cells
        if cell.settings[chosen] != first
    ]
