"""Curves: a final metric over one setting of a grid, and power laws of the error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lab.core.metrics import limits
from lab.core.words import estimated
from lab.experiments.runner.grid import in_words
from lab.experiments.show import style
from lab.experiments.show.panels import (
    check_known,
    dress,
    numeric,
    panels_of,
    seeds_of,
    words_of,
)
from lab.experiments.table import Cell, Table
from lab.measure import PowerLaw, fit_power_law

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GUESSING = 0.8
"""Share of a guess's error above which a size is left out of a power law: a network that does
little better than a guess is not yet on it."""

TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Errors that are marked at a logarithmic axis."""


def curves(table: Table, tag: str, *, x: str, line: str | None = None, by: str = "") -> Figure:
    """A final metric over a setting that is a number: the mean over the seeds with its 95 %
    interval; a line for each value of the setting `line`, a panel for each combination of the
    others. `by` is a second line of the title."""
    check_known(table, tag, x, *([line] if line else []))
    if not numeric(table, x):
        raise ValueError(f"curves need a setting that is a number, not {x}")
    panels = panels_of(table, x, *([line] if line else []))
    figure, grid = style.new_figure(len(panels), columns=3, width=4.2, height=3.2, sharey=True)
    for axes, (others, cells) in zip(grid, panels.items(), strict=True):
        for number, (word, mine) in enumerate(_lines(cells, x, line, tag)):
            style.line(axes, [cell.settings[x] for cell in mine], [cell.mean(tag) for cell in mine],
                       color=style.color(number), label=word, limits=limits(tag))  # fmt: skip
        dress(axes, table, x)
        style.title(axes, ", ".join(others))
    grid[0].set_ylabel(tag)
    style.caption(figure)
    drawn = [axes for axes in grid if axes.get_legend_handles_labels()[0]]
    if line and drawn:
        drawn[0].legend(frameon=False, title=words_of(line, table), fontsize=style.SMALL)
    style.heading(figure, f"{tag}, {seeds_of(table)}", by)
    return figure


def power_laws(
    table: Table, tag: str, *, line: str | None = None
) -> tuple[Figure, dict[str, PowerLaw]]:
    """The error (1 minus the accuracy `tag`) over the number of training faces, both logarithmic: a
    point for each run, and the power law through them with its exponent's 95 % interval.

    Sizes at which the mean error is above `GUESSING` of a guess's are left out of the law, and so
    are lines for which fewer than two sizes are left. Returns the laws by line, too.
    """
    x = "num_train"
    check_known(table, tag, x, *([line] if line else []))
    if not tag.startswith("accuracy/"):
        raise ValueError(f"a power law is fitted to an error: name an accuracy, not {tag}")
    panels = panels_of(table, x, *([line] if line else []))
    figure, grid = style.new_figure(len(panels), columns=3, width=4.2, height=3.6, sharey=True)
    laws = {}
    shown: list[float] = []
    left_out = False
    for axes, (others, cells) in zip(grid, panels.items(), strict=True):
        for number, (word, mine) in enumerate(_lines(cells, x, line, tag)):
            color = style.color(number)
            law = power_law(mine, tag)
            chosen = above_guessing(mine, tag)
            fitted = [cell.settings[x] for cell in chosen]
            points = [(cell.settings[x], error) for cell in mine for error in errors_of(cell, tag)]
            shown += [error for _, error in points if np.isfinite(error)]
            for size, error in points:
                out = law is not None and size not in fitted
                left_out |= out
                axes.scatter(size, error, s=12, alpha=0.7, linewidth=0.8 if out else 0,
                             edgecolor=color, facecolor="none" if out else color)  # fmt: skip
            name = word
            if law is not None:
                laws[", ".join([*others, word] if word else others) or tag] = law
                xs = np.geomspace(min(fitted), max(fitted), 50)
                said = [law.at(size) for size in xs]
                axes.plot(xs, [s.value for s in said], color=color, linestyle="--", linewidth=1)
                axes.fill_between(xs, *style.ends(said), color=color, alpha=0.2, linewidth=0)
                name += f"  {estimated(law.exponent)}"
            if name.strip():
                axes.plot([], [], color=color, marker="o", linestyle="--", label=name.strip())
        dress(axes, table, x)
        axes.set_yscale("log")
        axes.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS], fontsize=style.SMALL)
        axes.minorticks_off()
        lowest, highest = min(shown, default=0.1), max(shown, default=0.5)
        axes.set_ylim(0.8 * lowest, 1.15 * highest)
        style.title(axes, ", ".join(others))
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=style.SMALL,
                        title=f"{words_of(line, table) if line else ''}  exponent")  # fmt: skip
    grid[0].set_ylabel(f"error (1 - {tag})")
    figure.suptitle(
        f"power laws of the error, {seeds_of(table).removeprefix('mean of ')}", fontsize=10
    )
    told = "points: runs; bands and brackets: 95 % intervals of the fit (Student's)"
    if left_out:
        told += "\nhollow points: hardly better than a guess, or trained online; not fitted"
    style.caption(figure, told)
    return figure, laws


def power_law(cells: Sequence[Cell], tag: str) -> PowerLaw | None:
    """The power law of the error 1 - `tag` over the training sizes of the cells; None if fewer than
    two sizes are better than a guess."""
    chosen = above_guessing(cells, tag)
    points = [(cell.settings["num_train"], error) for cell in chosen for error in
              errors_of(cell, tag)]  # fmt: skip
    if len(chosen) < 2 or len(points) < 3:
        return None
    return fit_power_law([size for size, _ in points], [error for _, error in points])


def above_guessing(cells: Sequence[Cell], tag: str) -> list[Cell]:
    """The cells that a power law is fitted to: those that are better than a guess, and whose
    networks were trained on so many examples, not on new ones at every step."""
    guess = _guess(cells)
    return [
        cell
        for cell in cells
        if not cell.config.train.online and float(np.mean(errors_of(cell, tag))) < GUESSING * guess
    ]


def errors_of(cell: Cell, tag: str) -> list[float]:
    """The error of each seed, 1 - `tag`; where there is none, half a face's of those that it was
    measured on."""
    values, tested = cell.values(tag).tolist(), cell.config.data.num_test
    halves = [0.5 / (run.metrics[tag].count or tested) for run in cell.runs]
    return [max(half, 1 - value) for half, value in zip(halves, values, strict=True)]


def _guess(cells: Sequence[Cell]) -> float:
    """The error of a guess."""
    from lab.worlds import classes_of

    return 1 - 1 / len(classes_of(cells[0].config.data))


def _lines(
    cells: Sequence[Cell], x: str, line: str | None, tag: str
) -> list[tuple[str, list[Cell]]]:
    """The cells of each line that have the metric, by the number on the x axis."""
    found: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: cell.settings[x]):
        if cell.runs and tag in cell.tags:
            found.setdefault(in_words(cell.settings[line]) if line else "", []).append(cell)
    order = list(dict.fromkeys(in_words(c.settings[line]) if line else "" for c in cells))
    return [(word, found[word]) for word in order if word in found]
