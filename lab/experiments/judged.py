"""What stands in tables and figures for the plain gap, membership AUC and training accuracy where
memorization is judged by other figures (`lab.measure.judged`), and the note that says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from lab.core.estimate import Estimate
from lab.experiments.compare import Pair
from lab.experiments.table import Cell, Run, Table
from lab.measure.judged import (
    ACCURACY,
    AUC,
    CLASSES,
    GAP,
    GROUPS,
    RIGHT,
    RIGHT_CLASSES,
    RIGHT_GROUPS,
    alike,
    judged,
    kind,
)

PLAIN = (ACCURACY, GAP, AUC)

SAID = {
    GROUPS: "with each group at its share of the test set",
    CLASSES: "with each class at its share of the test set",
    RIGHT_GROUPS: "of the rightly labeled training examples alone with each group at its share of"
    " the test set",
    RIGHT_CLASSES: "of the rightly labeled training examples alone with each class at its share of"
    " the test set",
    RIGHT: "of the rightly labeled training examples alone",
}
"""What the figures of each kind are."""

NOTE = (
    "Where memory is judged by other figures than the plain ones, these are shown ({columns}):"
    " {kinds}."
)

UNLIKE = (
    "No difference of them (—) where two cells have figures of different kinds, which say nothing"
    " of each other."
)

MOST = 6
"""Cells that a note names; of more it tells how many they are."""


def as_judged(cell: Cell, tags: Collection[str] = PLAIN) -> Cell:
    """The cell with what stands for each of the plain `tags` in its place, of each seed its own."""
    return replace(cell, runs=tuple(_as_judged(run, tags) for run in cell.runs))


def table_as_judged(table: Table) -> Table:
    """The table with `as_judged` cells."""
    return replace(table, cells=tuple(as_judged(cell) for cell in table.cells))


def pair_as_judged(pair: Pair) -> Pair:
    """The pair of `as_judged` cells; without the figures of seeds of which they are not `alike`."""
    others = {run.seed: run.metrics for run in pair.baseline.runs}

    def comparable(run: Run) -> Run:
        metrics = {
            tag: metric
            for tag, metric in _as_judged(run, PLAIN).metrics.items()
            if tag not in PLAIN or alike(tag, run.metrics, others.get(run.seed, ()))
        }
        return replace(run, metrics=metrics)

    return Pair(
        replace(pair.cell, runs=tuple(comparable(run) for run in pair.cell.runs)),
        as_judged(pair.baseline),
    )


def differs(cells: Sequence[Cell]) -> bool:
    """Whether memorization is judged by other figures than the plain ones in any run."""
    return any(_kinds(cell) for cell in cells)


def told(cells: Sequence[Cell], *, most: int = MOST) -> str:
    """By which figures the cells are judged, in words: what they are, and in which cells (by name,
    if they are not more than `most`); empty if by the plain ones in all."""
    having = [cell for cell in cells if cell.runs]
    said = []
    for name, words in SAID.items():
        mine = [cell for cell in having if _kinds(cell).get(name)]
        if mine:
            said.append(f"{words} in {_where(name, mine, having, most)}")
    return "; ".join(said)


def note(columns: Sequence[str], cells: Sequence[Cell], pairs: Sequence[Pair] = ()) -> str:
    """A paragraph below a table some of whose `columns`, by heading, show by what memorization is
    judged."""
    said = NOTE.format(columns="; ".join(columns), kinds=told(cells))
    return f"{said} {UNLIKE}" if any(map(_unlike, pairs)) else said


def _where(name: str, mine: Sequence[Cell], cells: Sequence[Cell], most: int) -> str:
    """The cells that have some seeds with figures of that kind."""
    if all(_kinds(cell).get(name) == len(cell.runs) for cell in cells):
        return "all cells"
    if len(mine) > most:
        return f"{len(mine):,} of {len(cells):,} cells"
    return ", ".join(
        f"({cell}{'' if count == len(cell.runs) else f': {count} of {len(cell.runs)} seeds'})"
        for cell in mine
        for count in [_kinds(cell)[name]]
    )


def _kinds(cell: Cell) -> Mapping[str, int]:
    """How many runs are judged by figures of each kind but the plain one."""
    found: dict[str, int] = {}
    for run in cell.runs:
        if name := next(filter(None, (kind(tag, run.metrics) for tag in PLAIN)), ""):
            found[name] = found.get(name, 0) + 1
    return found


def _unlike(pair: Pair) -> bool:
    others = {run.seed: run.metrics for run in pair.baseline.runs}
    return any(
        run.seed in others and not all(alike(tag, run.metrics, others[run.seed]) for tag in PLAIN)
        for run in pair.cell.runs
    )


def _as_judged(run: Run, tags: Collection[str]) -> Run:
    instead: dict[str, Estimate] = {
        tag: run.metrics[judged(tag, run.metrics)] for tag in tags if tag in run.metrics
    }
    return replace(run, metrics={**run.metrics, **instead})
