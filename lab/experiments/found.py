"""Tables of runs that are there already, however they were made: by hand, or watched (`lab.watch`).

table = found_table(Path("runs"))
print(found_text(table))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lab.core.config import Provenance, RunConfig
from lab.core.metrics import known, shown
from lab.core.run_dir import RunDir, runs_in
from lab.core.text import own_columns, plain
from lab.experiments.runner.grid import ELSEWHERE, PARTS, fields, setting
from lab.experiments.runner.jobs import refuse_other_figures
from lab.experiments.show.tables import MARKED, cell_word, to_markdown
from lab.experiments.show.view import View, judged_columns
from lab.experiments.table import Cell, Failure, Run, Table, read_run
from lab.models import digest_of
from lab.worlds.stored_settings import ABOUT_DRAWINGS

ASIDE = (
    "counterfactuals", "deterministic", "metric", "pictures", "scores", "world_size",
)  # fmt: skip
"""Settings that make no other experiment."""

NAMED = 6
"""Runs without a row that are named, at most."""

SAME = 1e-6
"""How much accuracies of the same training may differ without a word."""

WORLD, CODE = "world", "code"
"""Columns that tell runs of the same settings apart: the version of the pictures, and a digest of
the source files of network and objective."""

PARAMETERS = "parameters"
"""The column that tells runs of the same settings apart, and of the lab's runs those of the same
pictures and source files, too: the size of the network."""

DATA_FILES = "data_files"
"""The column that tells runs apart whose code has read files of the same names with other contents:
a digest of those."""

_OF_RUNS: dict[str, Callable[[Provenance], str]] = {
    WORLD: lambda provenance: provenance.world,
    CODE: lambda provenance: provenance.code,
}


def found_table(folder: Path) -> Table:
    """The runs directly in `folder` as a table: the grid are the settings in which they differ, a
    cell the runs that differ in their seeds alone; of several trainings with one seed, and of
    copies, it has one. Runs of the same settings with other pictures or source files, or with
    networks of other sizes, are told apart, and runs whose code has read data files with other
    contents, whatever their settings. `ValueError` if there is no finished run, or if one has
    figures of other settings."""
    found: list[_Found] = []
    failed = []
    for run in runs_in(folder):
        config, provenance = run.settings()
        settings = _settings(config, provenance, _written(run))
        summary = run.summary()
        if summary.get("status") == "finished":
            refuse_other_figures(run, config)
            each = read_run(run.path, seed=config.seed)
            found.append(_Found(settings, config, provenance, each))
        else:
            reason = str(summary.get("verdict", "it has not come to its end"))
            failed.append(Failure(settings, config.seed, run.path, reason))
    if not found:
        raise ValueError(f"{folder}: there is no finished run in it")
    _leave_out_drawing(found)
    _tell_apart(found)
    names = dict.fromkeys(name for one in found for name in one.settings)
    values = {name: tuple(dict.fromkeys(one.settings.get(name) for one in found)) for name in names}
    grid = {name: each for name, each in values.items() if len(each) > 1}
    cells: dict[tuple[Any, ...], list[_Found]] = {}
    for one in found:
        cells.setdefault(tuple(one.settings.get(name) for name in grid), []).append(one)
    return Table(
        grid=grid,
        out=folder,
        cells=tuple(
            Cell(
                dict(zip(grid, key, strict=True)),
                ones[0].config,
                _numbered(_without_copies(_without_repetitions(ones))),
            )
            for key, ones in cells.items()
        ),
        failed=tuple(failed),
        unequal=tuple(told for ones in cells.values() for told in _unequal(ones)),
    )


def found_text(table: Table) -> str:
    """The table of means in Markdown, with the metrics that the table of metrics has for tables:
    gap and membership AUC are those by which memorization is judged in each run. A line names runs
    that have not come to their ends, which are left out."""
    columns, judged = judged_columns(shown("table", table.tags), table.cells)
    own = own_columns(table.grid, beside=(*MARKED, *columns), kind="setting")
    words = {own[name]: partial(_word, name) for name in table.grid}
    text = to_markdown(
        View(
            cells=table.cells,
            words=words or {"runs": lambda _: "all"},
            columns=columns,
            judged=judged,
        )
    )
    text += "".join(f"\n\nWarning, {told}" for told in table.unequal)
    return text + _left_out([plain(failure.folder.name) for failure in table.failed])


def _left_out(names: Sequence[str]) -> str:
    """The line on runs without a row, if there are any."""
    if not names:
        return ""
    some = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    what = "1 run that has" if len(names) == 1 else f"{len(names):,} runs that have"
    return f"\n\nLeft out: {what} not come to an end: {some}."


@dataclass(frozen=True)
class _Found:
    settings: dict[str, Any]
    config: RunConfig
    provenance: Provenance
    run: Run


def _leave_out_drawing(found: Sequence[_Found]) -> None:
    """Take settings of drawn pictures, such as the task, from runs on pictures from disk, unless
    all other runs have the same value, which makes no column."""
    own = [one for one in found if one.config.data.data is not None and not one.provenance.watched]
    others = [one for one in found if not any(one is each for each in own)]
    for name in ABOUT_DRAWINGS:
        known = {repr(other.settings.get(name)) for other in others}
        for one in own:
            if known != {repr(one.settings[name])}:
                del one.settings[name]


def _tell_apart(found: Sequence[_Found]) -> None:
    """Name among the settings what tells some runs of the same settings apart: of the lab's runs
    pictures and source files, and what these do not, the number of the network's parameters; of
    watched ones that alone (their pictures differ from fold to fold, too)."""
    size = {PARAMETERS: _parameters}
    for watched, columns in ((False, _OF_RUNS), (False, size), (True, size)):
        ones = [one for one in found if bool(one.provenance.watched) is watched]
        same = _of_same_settings(ones)
        for name, value in columns.items():
            told = [{value(one.provenance) for one in each} for each in same]
            if columns is size and not watched:  # runs of earlier versions do not note it
                told = [each - {""} for each in told]
            if any(len(each) > 1 for each in told):
                for one in ones:
                    one.settings[name] = value(one.provenance) or None
    _tell_data_files_apart(found)


def _tell_data_files_apart(found: Sequence[_Found]) -> None:
    """Name among the settings which files were read, where runs of the same network and objective
    have read files of the same names with other contents, whatever else tells them apart. (A file
    that some runs of the same settings have not read, as a cache that the first one has made, tells
    nothing.)"""
    readers: dict[str, list[_Found]] = {}
    for one in found:
        code = [one.settings.get(name) for name in ("model", "objective", CODE)]
        readers.setdefault(repr(code), []).append(one)
    for ones in readers.values():
        changed = sorted(name for name, each in _contents(ones).items() if len(each) > 1)
        for alike in _of_same_settings(ones) if changed else ():
            read = _contents(alike)
            for one in alike:
                mine = _by_name(one.provenance)
                for name, contents in read.items():
                    if len(contents) == 1:
                        mine.setdefault(name, *contents)
                told = "\n".join(f"{name} {mine.get(name, '')}" for name in changed)
                one.settings[DATA_FILES] = digest_of(told.encode())[:8]


def _contents(found: Sequence[_Found]) -> dict[str, set[str]]:
    """The names of the files that the code of runs has read -> the contents that these had."""
    read: dict[str, set[str]] = {}
    for one in found:
        for name, content in _by_name(one.provenance).items():
            read.setdefault(name, set()).add(content)
    return read


def _of_same_settings(found: Sequence[_Found]) -> list[list[_Found]]:
    """The runs, those of the same settings together."""
    same: dict[str, list[_Found]] = {}
    for one in found:
        same.setdefault(repr(sorted(one.settings.items(), key=str)), []).append(one)
    return list(same.values())


def _by_name(provenance: Provenance) -> dict[str, str]:
    """The names, without folders, of the files that a run's code has read -> their contents."""
    found: dict[str, list[str]] = {}
    for path, digest in provenance.data_files.items():
        found.setdefault(Path(path).name, []).append(digest)
    return {name: " ".join(sorted(digests)) for name, digests in found.items()}


def _parameters(provenance: Provenance) -> str:
    """How many parameters a network has, as "1,732" or "1,732, 20 of them trainable"."""
    if provenance.parameters is not None:
        return f"{provenance.parameters:,}"
    return str(provenance.watched.get("parameters") or "").replace(" parameters", "")


def _settings(
    config: RunConfig, provenance: Provenance, written: Collection[str]
) -> dict[str, Any]:
    """The settings that tell experiments apart. Of a watched run those that are `written` in its
    `config.json`, for the others are not known, and those that the user told ("setting:model" where
    the name is one of the lab's)."""
    names = [name for name in fields() if name not in (*ELSEWHERE, *ASIDE)]
    if provenance.watched:
        names = [name for name in names if name in written]
    told: Mapping[str, Any] = provenance.watched.get("settings", {})
    own = own_columns(told, beside=[*names, WORLD, CODE, PARAMETERS, DATA_FILES], kind="setting")
    settings = {name: setting(config, name) for name in names}
    return settings | {own[name]: value for name, value in told.items()}


def _written(run: RunDir) -> set[str]:
    """The names of the settings in a run's `config.json`."""
    whole = json.loads(run.config_file.read_text(encoding="utf-8"))
    return {*whole, *(name for part in PARTS for name in whole.get(part, {}))}


def _without_repetitions(found: Sequence[_Found]) -> list[Run]:
    """Of the lab's runs of each seed the one with most figures (the first of several): the same
    settings and seed are the same training, whatever else was measured of it. All watched runs, for
    a seed that their loops do not tell says nothing."""
    kept: dict[int, Run] = {}
    for run in (one.run for one in found if not one.provenance.watched):
        known = kept.get(run.seed)
        if known is None or len(run.metrics) > len(known.metrics):
            kept[run.seed] = run
    return [one.run for one in found if one.provenance.watched or one.run is kept[one.run.seed]]


def _unequal(found: Sequence[_Found]) -> list[str]:
    """A sentence for each seed of which the lab's runs, taken for one training, differ in what they
    got right."""
    by_seed: dict[int, list[Run]] = {}
    for one in found:
        if not one.provenance.watched:
            by_seed.setdefault(one.run.seed, []).append(one.run)
    said = []
    for seed, runs in by_seed.items():
        for tag in ("accuracy/test", "accuracy/train"):
            values = sorted(run.metrics[tag].value for run in runs if tag in run.metrics)
            if values and values[-1] - values[0] > SAME:
                said.append(
                    f"{len(runs)} runs of the same settings and seed ({seed}) count as one,"
                    f" though {tag} is {values[0]:.3f} to {values[-1]:.3f}"
                    f" ({', '.join(plain(run.folder.name) for run in runs[:NAMED])}). If more than"
                    " device, threads or libraries differs, as an environment variable or a file"
                    " that the network reads, keep them in folders of their own."
                )
                break
    return said


def _without_copies(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs without those that have seed and figures of an earlier one, but for times: a second
    one would make the spread over seeds look smaller."""
    kept: dict[str, Run] = {}
    for run in runs:
        told = {tag: each for tag, each in run.metrics.items() if not _is_of_the_clock(tag)}
        kept.setdefault(repr((run.seed, sorted(told.items()))), run)
    return tuple(kept.values())


def _is_of_the_clock(tag: str) -> bool:
    row = known(tag)
    return row is not None and row.clock


def _numbered(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """The runs, numbered where several have the same seed (as those of which none was told)."""
    if len({run.seed for run in runs}) == len(runs):
        return tuple(sorted(runs, key=lambda run: run.seed))
    return tuple(replace(run, seed=number) for number, run in enumerate(runs))


def _word(name: str, cell: Cell) -> str:
    return cell_word(cell.settings[name])
