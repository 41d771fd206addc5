"""The result files of a grid, written beside its runs.

sweep.md                        tables of means and differences
sweep.csv                       one row for each run
cells.csv, differences.csv      one row for each cell, or pair of cells, and metric
*.png                           figures
mean/<cell>/                    TensorBoard: the mean of a cell's seeds
figures/                        TensorBoard: the figures once more
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from lab.core.atomic import replace_file, replace_text
from lab.core.metrics import all_metrics
from lab.experiments.show.folders import refuse_run, replaced
from lab.experiments.show.means import MEAN, write_means
from lab.experiments.show.style import png
from lab.experiments.show.tables import cells_csv, differences_csv, runs_csv, to_markdown
from lab.experiments.show.view import View
from lab.experiments.table import Table
from lab.tracking.writer import Tracker

FIGURES = "figures"
"""The folder from which TensorBoard shows the figures, in that of the runs."""

KINDS = ("map", "curve", "power_law")
"""The kinds of figure with a name such as curve/accuracy_test."""


def check_folders(out: Path) -> None:
    """Raise `ValueError` if a run's folder is where results would be written: better before the
    runs than after them."""
    for name in (MEAN, FIGURES):
        refuse_run(out / name)


def write_results(table: Table, view: View) -> list[Path]:
    """Write tables, figures and TensorBoard records, in place of those of an earlier grid in the
    same folder; returns the paths of sweep.csv and of the figures."""
    for path in filter(_is_figure, table.out.glob("*.png")):  # of another grid, perhaps
        path.unlink()
    replace_text(table.out / "sweep.md", to_markdown(view) + "\n")
    replace_text(table.out / "sweep.csv", runs_csv(table))
    replace_text(table.out / "cells.csv", cells_csv(table))
    replace_text(table.out / "differences.csv", differences_csv(table, view.pairs))
    write_means(table)
    written = [table.out / "sweep.csv"]
    with replaced(table.out / FIGURES) as folder, Tracker(folder) as tracker:
        for name, figure in view.figures():
            content = png(figure)
            path = table.out / f"{name.replace('/', '-')}.png"
            replace_file(path, content)
            written.append(path)
            if name.partition("/")[0] in KINDS:  # the kinds of figure that the tag table knows
                pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
                tracker.image(name, 0, pixels)
    return written


def _is_figure(path: Path) -> bool:
    """Whether a file is called as a figure of a metric in the tag table is."""
    kind, _, word = path.stem.partition("-")
    names = (row.name.replace("/", "_").partition("<") for row in all_metrics())
    return kind in KINDS and any(
        word.startswith(name) if pattern else word == name for name, pattern, _ in names
    )
