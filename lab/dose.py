"""Dose and response: the same run with a stronger and stronger cue, several seeds each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.sweep import Cell, Table, spread

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


def grid_of(
    cues: Sequence[str], strengths: Sequence[float], sizes: Sequence[int]
) -> dict[str, Sequence[Any]]:
    """The grid: every cue at every strength, for every number of faces."""
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
            figures = " | ".join(spread(cell.values(tag)) for tag in _tags(cue).values())
            lines.append(f"| {cue} | {size:,} | {_strength(cell)} | {figures} |")
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
            values = [cell.values(_tags(cue)[name]) for cell in mine]
            axes.plot(places, [v.mean() for v in values], color=color, marker="o", label=name)
            axes.fill_between(places, [v.min() for v in values], [v.max() for v in values],
                              color=color, alpha=0.2)  # fmt: skip
        axes.set(ylim=(-0.02, 1.02), xlabel="strength of the cue")
        axes.set_xticks(places, [_strength(cell) for cell in mine])
        axes.set_title(f"{cue}, {size:,} faces", loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy, reliance")
    lines, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, frameon=False, ncols=len(names), loc="outside lower center")
    figure.savefig(path, dpi=110)


def _panels(table: Table) -> dict[tuple[str, int], list[Cell]]:
    """The cells of each cue and number of faces, in the order of the cues."""
    cues = dict.fromkeys(text.rpartition(":")[0] for (text,) in table.grid["cues"])
    return {
        (cue, size): [
            cell
            for cell in table.where(num_train=size)
            if cell.settings["cues"][0].rpartition(":")[0] == cue
        ]
        for cue in cues
        for size in table.grid["num_train"]
    }


def _strength(cell: Cell) -> str:
    return str(cell.settings["cues"][0].rpartition(":")[2])


def _tags(cue: str) -> dict[str, str]:
    return {**COLUMNS, RELIANCE: f"reliance/{cue.partition('=')[0]}"}
