"""What the plots of a grid share: axes, panels and their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.core.text import model_labels, unknown
from lab.experiments.runner.grid import describe, in_words
from lab.experiments.show.style import SMALL
from lab.experiments.table import Cell, Table
from lab.worlds import noun_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_of(table: Table) -> tuple[str, ...]:
    """The settings that a grid varies, numbers before words, else in its order."""
    varied = [name for name, values in table.grid.items() if len(values) > 1]
    return tuple(sorted(varied, key=lambda name: (not numeric(table, name), varied.index(name))))


def numeric(table: Table, name: str) -> bool:
    """Whether a setting's values are numbers."""
    return all(
        isinstance(value, (int, float)) and not isinstance(value, bool)
        for value in table.grid[name]
    )


def check_known(table: Table, tag: str, *names: str) -> None:
    """Raise `ValueError` if the table has no such metric or setting."""
    if tag not in table.tags:
        raise ValueError(unknown("metric", tag, table.tags))
    for name in names:
        if name not in table.grid:
            raise ValueError(unknown("setting of the grid", name, table.grid))
    if len(set(names)) < len(names):
        raise ValueError(f"two different settings are needed, not {names[0]} twice")


def panels_of(table: Table, *shown: str) -> dict[tuple[str, ...], list[Cell]]:
    """The cells by what else they differ in, in words."""
    others = [n for n, values in table.grid.items() if n not in shown and len(values) > 1]
    panels: dict[tuple[str, ...], list[Cell]] = {}
    for cell in table.cells:
        words = tuple(describe({name: cell.settings[name]}) for name in others)
        panels.setdefault(words, []).append(cell)
    return panels


def dress(axes: Axes, table: Table, x: str) -> None:
    """Mark a numeric setting's values at the x axis, which is logarithmic if they span far."""
    numbers = sorted(table.grid[x])
    if numbers[0] > 0 and numbers[-1] / numbers[0] >= 4:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks(numbers, [tick(number) for number in numbers], fontsize=SMALL)
    axes.set_xlabel(words_of(x, table))


def words_of(name: str, table: Table) -> str:
    """A setting's name for an axis."""
    if name == "num_train":
        return f"training {noun_of(table.cells[0].config.data)}"
    return name.replace("_", " ")


def ticks_of(table: Table, name: str) -> list[str]:
    """A setting's values for an axis; networks and objectives in files by short names."""
    values = table.grid[name]
    if name in ("model", "objective"):
        return list(model_labels(values).values())
    return [tick(value) for value in values]


def tick(value: Any) -> str:
    """A value for an axis."""
    plain = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if plain else in_words(value)


def seeds_of(table: Table) -> str:
    """How many seeds the cells are the mean of, in words."""
    counts = sorted({len(cell.runs) for cell in table.cells if cell.runs}) or [0]
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    return f"mean of {seeds} seed{'' if counts[-1] == 1 else 's'}"
