"""Dose and response: the same run with a stronger and stronger cue, several seeds each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.experiments import SPREADS, Cell, Table, spread
from lab.worlds import Cue, get_task
from lab.worlds.cues import parse_cues

COLUMNS = {
    "test": "accuracy/test",
    "unbiased": "accuracy/unbiased",
    "conflicting": "accuracy/conflicting",
    "worst group": "accuracy/worst_group",
}
"""What the table shows of each run's final figures, beside the reliance on the cue."""

RELIANCE = "reliance on it"

COLORS = {
    "test": "#1565c0",
    "unbiased": "#2e7d32",
    "conflicting": "#c62828",
    RELIANCE: "#8e24aa",
}
"""The lines of the picture."""


def strengths_of(task: str) -> tuple[float, ...]:
    """Strengths from no link to always, for the task of that name."""
    none = get_task(task).chance
    return (none, (1 + none) / 2, 0.9, 0.95, 0.99, 1.0)


def grid_of(
    cues: Sequence[str], strengths: Sequence[float], sizes: Sequence[int]
) -> dict[str, Sequence[Any]]:
    """The grid: every cue (as `--cue` has it) at every strength, for every number of faces."""
    doses = [(f"{cue}:{strength:g}",) for cue in cues for strength in strengths]
    return {"num_train": sizes, "cues": doses}


def to_markdown(table: Table) -> str:
    """The grid as a table: the mean over seeds, and in brackets the lowest and the highest."""
    names = [*COLUMNS, RELIANCE]
    lines = [
        "| cue | training faces | strength | " + " | ".join(names) + " |",
        "|---|---:|---:|" + "---|" * len(names),
    ]
    for (cue, size), cells in _panels(table).items():
        for cell in cells:
            figures = " | ".join(spread(cell.values(tag)) for tag in _tags(cell).values())
            strength = f"{_cue(cell).strength:g}"
            lines.append(f"| {cue} | {size:,} | {strength} | {figures} |")
    if any(len(cell.runs) > 1 for cell in table.cells):
        lines += ["", SPREADS]
    return "\n".join(lines)


def plot(table: Table, path: Path) -> None:
    """Draw accuracy and reliance over the strength, a panel for each cue and number of faces."""
    from matplotlib.figure import Figure

    panels = _panels(table)
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(0.6 + 3.1 * columns, 0.8 + 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    for axes, ((cue, size), cells) in zip(grid.flat, panels.items(), strict=False):
        mine = [cell for cell in cells if cell.runs]
        places = range(len(mine))  # strengths crowd near 1
        for name, color in COLORS.items():
            values = [cell.values(_tags(cell)[name]) for cell in mine]
            axes.plot(places, [v.mean() for v in values], color=color, marker="o", label=name)
            axes.fill_between(places, [v.min() for v in values], [v.max() for v in values],
                              color=color, alpha=0.2)  # fmt: skip
        axes.set(ylim=(-0.02, 1.02), xlabel="strength of the cue")
        axes.axhline(_cue(cells[0]).no_link, color="#999999", linewidth=1, linestyle=":")
        axes.set_xticks(places, [f"{_cue(cell).strength:g}" for cell in mine])
        axes.set_title(f"{cue}, {size:,} faces", loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy, reliance")
    lines, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, frameon=False, ncols=len(names), loc="outside lower center")
    figure.savefig(path, dpi=110)


def _panels(table: Table) -> dict[tuple[str, int], list[Cell]]:
    """The cells of each cue and number of faces, in the order of the cues."""
    panels: dict[tuple[str, int], list[Cell]] = {
        (cue, size): []
        for cue in dict.fromkeys(_cue(cell).what for cell in table.cells)
        for size in table.grid["num_train"]
    }
    for cell in table.cells:
        panels[_cue(cell).what, cell.settings["num_train"]].append(cell)
    return panels


def _cue(cell: Cell) -> Cue:
    """The one cue of a cell's runs."""
    data = cell.config.data
    (cue,) = parse_cues(data.cues, get_task(data.task), visibility=data.cue_visibility)
    return cue


def _tags(cell: Cell) -> dict[str, str]:
    return {**COLUMNS, RELIANCE: f"reliance/{_cue(cell).attribute}"}
