"""Seeds seen as one: a TensorBoard run for each cell, whose curves have bands over its seeds.

A curve is the mean over the seeds, and its band goes from the lowest to the highest of them: with
few seeds that is what is known. (An interval for the mean, see `Cell.mean`, says something else,
and reaches beyond what any seed did.) Where seeds end at different steps, the curve ends with the
first of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lab.core.estimate import Estimate
from lab.experiments.sweep.grid import in_words
from lab.experiments.sweep.jobs import cell_name
from lab.experiments.sweep.results_dir import is_record, replaced
from lab.experiments.sweep.table import Cell, Table
from lab.runs.run import read_config
from lab.tracking import hparams, tags, texts
from lab.tracking.writer import Figure, Tracker
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


def means(cell: Cell) -> Iterator[tuple[int, dict[str, Figure]]]:
    """Every evaluation's step, and its figures over the seeds: tag -> the mean, with the lowest and
    the highest as its ends where the tag table has ends. What some seeds do not have (of no wrong
    label none is fitted) is left out."""
    first, *others = (run.history[0] for run in cell.runs)
    common = [name for name in first if all(name in other for other in others)]
    names = [name for name in common if name != "step" and not _is_end(name, first)]
    curves = {name: cell.curves(name) for name in names}
    steps = curves[names[0]].steps
    for number, step in enumerate(steps.tolist()):
        yield step, {name: _over(name, curves[name].values[:, number]) for name in names}


def _write(cell: Cell, folder: Path) -> None:
    config = read_config(cell.runs[0].folder)
    world = open_world(config.data, seed=config.seed)
    seeds = ", ".join(map(str, cell.seeds))
    told = {name: in_words(value) for name, value in cell.settings.items()}
    told |= {"seeds": seeds, "curves": "mean of the seeds", "bands": "lowest to highest seed"}
    with Tracker(
        folder,
        relevant=world.relevant,
        nuisances=world.nuisances,
        cues=[cue.attribute for cue in world.cues],
    ) as tracker:
        tracker.start(hparams.settings(config))  # the same row of the table as its seeds
        tracker.text("config", texts.settings_table(told))
        for step, figures in means(cell):
            tracker.scalars(step, figures)
        tracker.finished()


def _over(tag: str, values: np.ndarray) -> Figure:
    mean = float(values.mean())
    if tags.find(tag, "scalar").interval and np.isfinite(values).all():
        return Estimate(mean, float(values.min()), float(values.max()), len(values))
    return mean


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
