"""What a sweep leaves behind beside its runs: tables, pictures, and aggregated runs.

sweep.csv, sweep.md                  one row for each run; one for each cell
map-*.png, curve-*.png, power_law-*.png
mean/<cell>/                         TensorBoard: seeds seen as one
figures/                             TensorBoard: the pictures once more
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lab.core.atomic import replace_file, replace_text
from lab.core.text import unknown
from lab.experiments.show.curves import curves, power_laws
from lab.experiments.show.folders import refuse_run, replaced
from lab.experiments.show.maps import heat_map
from lab.experiments.show.means import MEAN, write_means
from lab.experiments.show.panels import axes_of, numeric
from lab.experiments.show.tables import to_csv, to_markdown
from lab.experiments.table import Table
from lab.tracking.tags import TAGS
from lab.tracking.writer import Tracker

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = (
    "accuracy/test",
    "accuracy/unbiased",
    "accuracy/conflicting",
    "gap/accuracy",
    "memorization/membership_auc",
)
"""The figures that are drawn where nothing else is asked for, and where there are any."""

FIGURES_FOLDER = "figures"
"""Where TensorBoard finds the pictures, in the sweep's folder."""

DPI = 110


def check_results(
    grid: Mapping[str, Sequence[Any]],
    out: Path,
    *,
    tags: Sequence[str] = (),
    axes: Sequence[str] = (),
) -> None:
    """Raise `ValueError` if `write_results` could not write what is asked for: better before the
    runs than after them."""
    known = [row.name for row in TAGS if row.kind == "scalar"]
    for tag in tags:
        timed = tag.startswith("seconds/")
        if not timed and not any(row.kind == "scalar" and row.fits(tag) for row in TAGS):
            raise ValueError(f"--figures: {unknown('figure', tag, known)}")
    for name in axes:
        if name not in grid:
            raise ValueError(f"--axes {name}: the grid varies {', '.join(grid)}")
    if len(set(axes)) < len(axes) or len(axes) > 2:
        raise ValueError(f"--axes takes one or two different settings, not {' '.join(axes)}")
    for name in (MEAN, FIGURES_FOLDER):
        refuse_run(out / name)


def write_results(
    table: Table, *, tags: Sequence[str] = (), axes: Sequence[str] = ()
) -> list[Path]:
    """Write everything, in place of what another grid left there; returns the pictures' paths.

    `tags` are the final figures that are drawn (none: those of `FIGURES`), and stand in the table
    beside its own. They are drawn over the settings `axes`: two for maps, of which the first, if it
    is a number, is the x axis of curves and the second tells their lines (none: the grid's own,
    numbers first). Figures that no finished run has are left out.
    """
    for path in filter(_is_picture, table.out.glob("*.png")):  # of another grid, perhaps
        path.unlink()
    replace_text(table.out / "sweep.csv", to_csv(table))
    replace_text(table.out / "sweep.md", to_markdown(table, tags) + "\n")
    write_means(table)
    written = []
    with replaced(table.out / FIGURES_FOLDER) as folder, Tracker(folder) as tracker:
        for name, figure in _draw(table, tags, axes):
            png = io.BytesIO()
            figure.savefig(png, dpi=DPI)
            path = table.out / f"{name.replace('/', '-')}.png"
            replace_file(path, png.getvalue())
            written.append(path)
            tracker.image(name, 0, np.asarray(Image.open(png).convert("RGB")))
    return written


def _is_picture(path: Path) -> bool:
    """Whether a file is called as a picture of a figure in the tag table is."""
    kind, _, word = path.stem.partition("-")
    names = (row.name.replace("/", "_").partition("<") for row in TAGS if row.kind == "scalar")
    return kind in ("map", "curve", "power_law") and any(
        word.startswith(name) if pattern else word == name for name, pattern, _ in names
    )


def _draw(table: Table, tags: Sequence[str], axes: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    """The pictures by tag, where the grid has enough for them."""
    names = tuple(axes) or axes_of(table)
    for tag in [tag for tag in tags or FIGURES if tag in table.tags]:
        word = tag.replace("/", "_")
        x = names[0] if names else None
        line = names[1] if len(names) > 1 else None
        if x and line:
            yield f"map/{word}", heat_map(table, tag, x=x, y=line)
        if x and numeric(table, x) and len(table.grid[x]) > 2:
            yield f"curve/{word}", curves(table, tag, x=x, line=line)
        if x == "num_train" and len(table.grid[x]) > 2 and tag.startswith("accuracy/"):
            figure, laws = power_laws(table, tag, line=line)
            if laws:
                yield f"power_law/{word}", figure
