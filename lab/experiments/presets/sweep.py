"""A sweep: any grid, with every metric that is asked for in tables, maps and curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.core.config import RunConfig
from lab.core.metrics import shown
from lab.core.run_dir import runs_in
from lab.core.text import unknown
from lab.experiments.compare import pairs_along
from lab.experiments.judged import PLAIN, table_as_judged, told
from lab.experiments.metrics import check_metrics
from lab.experiments.plan import Plan, Preset
from lab.experiments.runner.grid import with_settings
from lab.experiments.show.curves import curves, power_laws
from lab.experiments.show.maps import heat_map
from lab.experiments.show.panels import axes_of, numeric
from lab.experiments.show.tables import cell_word
from lab.experiments.show.view import View, judged_columns
from lab.experiments.table import Cell, Table, flatten

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def preset(
    base: RunConfig,
    grid: Mapping[str, tuple[Any, ...]],
    *,
    metrics: Sequence[str] = (),
    axes: Sequence[str] = (),
    compare: str | None = None,
) -> Preset:
    """Every combination of the grid's values.

    Args:
        metrics: tags of metrics that have a column whether or not any run has them, and that are
            drawn; none: those are drawn that the table of metrics has for plots.
        axes: the settings that they are drawn over: two for maps, of which the first, if it is a
            number, is the x axis of curves, and the second tells their lines. None: the grid's own,
            numbers first.
        compare: the setting along which cells are compared, each with the first value. None: the
            last one that the grid varies.

    Raises `ValueError` if a metric, an axis or a setting to compare is none of these runs'.
    """
    configs = [
        with_settings(base, dict(zip(grid, values, strict=True)))
        for values in product(*grid.values())
    ]
    if metrics:
        check_metrics(metrics, configs, measured=_measured(base.out))
    for name in axes:
        if name not in grid:
            raise ValueError(f"--axes {name}: the grid varies {', '.join(grid)}")
    if len(set(axes)) < len(axes) or len(axes) > 2:
        raise ValueError(f"--axes takes one or two different settings, not {' '.join(axes)}")
    varied = [name for name, values in grid.items() if len(values) > 1]
    if compare is not None and compare not in varied:
        raise ValueError(f"--compare: {unknown('setting that the grid varies', compare, varied)}")
    return Preset(
        plan=Plan(base, grid),
        view=lambda table: view(table, metrics=metrics, axes=axes, compare=compare),
    )


def view(
    table: Table,
    *,
    metrics: Sequence[str] = (),
    axes: Sequence[str] = (),
    compare: str | None = None,
) -> View:
    """What a sweep shows of a grid's results, see `preset`. Gap and membership AUC are those by
    which memorization is judged in each run, unless they are among the `metrics`."""
    tags = shown("table", table.tags)
    tags += [tag for tag in dict.fromkeys(metrics) if tag not in tags]
    columns, judged = judged_columns(tags, table.cells, named=metrics)
    return View(
        cells=table.cells,
        words={name: partial(_word, name) for name in table.grid},
        columns=columns,
        judged=judged,
        pairs=pairs_along(table, compare),
        figures=lambda: _draw(table, metrics, axes),
    )


def _word(name: str, cell: Cell) -> str:
    return cell_word(cell.settings[name])


def _measured(out: Path) -> set[str]:
    """The metrics of the finished runs in a folder."""
    found: set[str] = set()
    for run in runs_in(out):
        with suppress(OSError, ValueError):  # a damaged one is reported when its run is read
            found |= set(flatten(run.summary()))
    return found


def _draw(
    table: Table, metrics: Sequence[str], axes: Sequence[str]
) -> Iterator[tuple[str, Figure]]:
    """The figures of each metric, where the grid has enough cells for them; by default with what
    memorization is judged by in place of gap and membership AUC, and with a line that says so."""
    names = tuple(axes) or axes_of(table)
    plain, by_judged = table, table_as_judged(table)
    for tag in [tag for tag in metrics or shown("plot") if tag in table.tags]:
        by = told(plain.cells, most=0) if tag in PLAIN and not metrics else ""
        table = by_judged if by else plain
        word = tag.replace("/", "_")
        x = names[0] if names else None
        line = names[1] if len(names) > 1 else None
        if x and line:
            yield f"map/{word}", heat_map(table, tag, x=x, y=line, by=by)
        if x and numeric(table, x) and len(table.grid[x]) > 2:
            yield f"curve/{word}", curves(table, tag, x=x, line=line, by=by)
        if x == "num_train" and len(table.grid[x]) > 2 and tag.startswith("accuracy/"):
            figure, laws = power_laws(table, tag, line=line)
            if laws:
                yield f"power_law/{word}", figure
