"""Dose and response: the same run with a stronger and stronger cue, several seeds each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from lab.config import RunConfig
from lab.grid import do_runs, figures, spread

COLUMNS = {
    "test": "accuracy/test",
    "unbiased": "accuracy/unbiased",
    "conflicting": "accuracy/conflicting",
    "worst group": "accuracy/worst_group",
}
"""What the table shows of each run's final figures, beside the reliance on the cue."""


@dataclass(frozen=True)
class Dose:
    """The final figures of all seeds at one cue, strength and number of faces: column -> a value a
    seed."""

    cue: str
    strength: float
    num_train: int
    figures: dict[str, list[float]]


def administer(
    config: RunConfig,
    cues: Sequence[str],
    strengths: Sequence[float],
    sizes: Sequence[int],
    seeds: int,
    *,
    processes: int,
) -> Iterator[Path]:
    """Do every run of the grid; yields the folders as they are finished."""
    jobs = [
        replace(
            config,
            data=replace(config.data, num_train=size, cues=(f"{cue}:{strength:g}",)),
            seed=config.seed + seed,
            name=run_name(cue, strength, size, config.seed + seed),
        )
        for seed in range(seeds)
        for size in sizes
        for cue in cues
        for strength in strengths
    ]
    return do_runs(jobs, processes=processes)


def run_name(cue: str, strength: float, num_train: int, seed: int) -> str:
    """The folder of one run of the grid."""
    words = cue.replace("=", "-").replace("/", "-")
    return f"{words}-{strength:g}-n{num_train:06d}-s{seed}"


def read(
    config: RunConfig,
    cues: Sequence[str],
    strengths: Sequence[float],
    sizes: Sequence[int],
    seeds: int,
) -> list[Dose]:
    """The final figures of all runs, read from their summaries."""
    doses = []
    for cue in cues:
        columns = {**COLUMNS, "reliance on it": f"reliance/{cue.partition('=')[0]}"}
        for size in sizes:
            for strength in strengths:
                runs = [
                    figures(config.out / run_name(cue, strength, size, config.seed + seed))
                    for seed in range(seeds)
                ]
                found = {name: [run[tag] for run in runs] for name, tag in columns.items()}
                doses.append(Dose(cue, strength, size, found))
    return doses


def to_markdown(doses: Sequence[Dose]) -> str:
    """The grid as a table: the mean over seeds, and in brackets the lowest and the highest."""
    names = list(doses[0].figures)
    lines = [
        "| cue | training faces | strength | " + " | ".join(names) + " |",
        "|---|---:|---:|" + "---|" * len(names),
    ]
    for dose in doses:
        cells = " | ".join(spread(dose.figures[name]) for name in names)
        lines.append(f"| {dose.cue} | {dose.num_train:,} | {dose.strength:g} | {cells} |")
    return "\n".join(lines)


def plot(doses: Sequence[Dose], path: Path) -> None:
    """Draw accuracy and reliance over the strength, a panel for each cue and number of faces."""
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys((dose.cue, dose.num_train) for dose in doses))
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(0.6 + 3.1 * columns, 0.8 + 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    for number, (cue, size) in enumerate(panels):
        axes = grid.flat[number]
        mine = [dose for dose in doses if (dose.cue, dose.num_train) == (cue, size)]
        places = range(len(mine))  # strengths crowd near 1
        for name, color in COLORS.items():
            values = [dose.figures[name] for dose in mine]
            axes.plot(places, [fmean(v) for v in values], color=color, marker="o", label=name)
            axes.fill_between(places, [*map(min, values)], [*map(max, values)], color=color,
                              alpha=0.2)  # fmt: skip
        axes.set(ylim=(-0.02, 1.02), xlabel="strength of the cue")
        axes.set_xticks(places, [f"{dose.strength:g}" for dose in mine])
        axes.set_title(f"{cue}, {size:,} faces", loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    lines, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, frameon=False, ncols=len(names), loc="outside lower center")
    figure.savefig(path, dpi=110)


COLORS = {
    "test": "#1565c0",
    "unbiased": "#2e7d32",
    "conflicting": "#c62828",
    "reliance on it": "#8e24aa",
}
