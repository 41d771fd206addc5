"""A TensorBoard run for each cell of a grid: the mean of its seeds, with intervals.

A curve is the mean over the seeds at each evaluation, and `<tag>_low` and `<tag>_high` are the ends
of its 95 % interval (Student's; two seeds or more), cut to the values that the metric can have.
Where seeds end at different steps, the curve ends with the first of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lab.core.metrics import limits
from lab.core.run_dir import RunDir
from lab.experiments.runner.grid import in_words
from lab.experiments.runner.jobs import cell_name
from lab.experiments.show.folders import is_record, replaced
from lab.experiments.table import Cell, Table
from lab.measure import mean_of_seeds
from lab.tracking import hparams, tags, texts
from lab.tracking.writer import Metric, Tracker
from lab.worlds import open_world

MEAN = "mean"
"""The folder of the aggregated runs, in that of the sweep."""


def write_means(table: Table) -> list[Path]:
    """Write the aggregated run of every cell that has finished runs, in place of those there were,
    of other cells, too; returns their folders."""
    names = _names(table.cells)
    for folder in (table.out / MEAN).glob("*/"):
        if folder.name not in names and all(map(is_record, folder.iterdir())):
            shutil.rmtree(folder)
    folders = []
    for cell, name in zip(table.cells, names, strict=True):
        if cell.runs:
            with replaced(table.out / MEAN / name) as folder:
                _write(cell, folder)
            folders.append(table.out / MEAN / name)
    return folders


def means(cell: Cell) -> Iterator[tuple[int, dict[str, Metric]]]:
    """Every evaluation's step, and its metrics by tag: the means over the seeds, with intervals
    where the tag table has them. Metrics that some seeds lack (those of mislabeled examples, where
    a seed has none) are left out."""
    first, *others = (run.history[0] for run in cell.runs)
    common = [name for name in first if all(name in other for other in others)]
    names = [name for name in common if name != "step" and not _is_end(name, first)]
    curves = {name: cell.curves(name) for name in names}
    steps = curves[names[0]].steps
    for number, step in enumerate(steps.tolist()):
        yield step, {name: _over(name, curves[name].values[:, number]) for name in names}


def _write(cell: Cell, folder: Path) -> None:
    config, provenance = RunDir(cell.runs[0].folder).settings()
    world = open_world(config.data, seed=config.seed)
    seeds = ", ".join(map(str, cell.seeds))
    told = {name: in_words(value) for name, value in cell.settings.items()}
    told |= {"seeds": seeds, "curves": "mean of the seeds", "bands": "95 % interval of the mean"}
    with Tracker(
        folder,
        relevant=world.relevant,
        nuisances=world.nuisances,
        cues=[cue.attribute for cue in world.cues],
    ) as tracker:
        # the same row of the table as its seeds
        tracker.start(hparams.settings(config, code=provenance.code))
        tracker.text("config", texts.settings_table(told))
        for step, metrics in means(cell):
            tracker.scalars(step, metrics)
        finals = {name: _over(name, cell.values(name)) for name in metrics if name in cell.tags}
        tracker.kept(step, finals)
        tracker.finished()


def _over(tag: str, values: np.ndarray) -> Metric:
    if tags.scalar(tag).interval and np.isfinite(values).all():
        return mean_of_seeds(values.tolist()).within(*limits(tag))
    return float(values.mean())


def _is_end(name: str, names: Mapping[str, object]) -> bool:
    """Whether it is the end of another one's interval."""
    return any(name.endswith(end) and name.removesuffix(end) in names for end in ("_low", "_high"))


def _names(cells: Sequence[Cell]) -> list[str]:
    """A folder's name for each cell; where two would be the same, with a hash."""
    names = [cell_name(cell.settings) for cell in cells]
    return [
        f"{name}-{_hash(cell)}" if names.count(name) > 1 else name
        for cell, name in zip(cells, names, strict=True)
    ]


def _hash(cell: Cell) -> str:
    told = json.dumps({name: in_words(value) for name, value in cell.settings.items()})
    return hashlib.sha256(told.encode()).hexdigest()[:8]
