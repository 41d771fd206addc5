"""The training-size ladder: the same run with more and more faces, several seeds each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from lab.config import RunConfig
from lab.grid import do_runs, figures, spread

COLUMNS = {
    "train accuracy": "accuracy/train",
    "test accuracy": "accuracy/test",
    "gap": "gap/accuracy",
    "membership AUC": "memorization/membership_auc",
}
"""What the table shows of each run's final figures."""


@dataclass(frozen=True)
class Rung:
    """The final figures of all seeds at one number of training faces: tag -> a value a seed."""

    num_train: int
    figures: dict[str, list[float]]


def climb(config: RunConfig, sizes: Sequence[int], seeds: int, *, processes: int) -> Iterator[Path]:
    """Do every run of the ladder, the largest first; yields the folders as they are finished."""
    jobs = [
        replace(
            config, data=replace(config.data, num_train=size), seed=config.seed + seed,
            name=rung_name(size, config.seed + seed),
        )
        for seed in range(seeds)
        for size in sorted(sizes, reverse=True)
    ]  # fmt: skip
    return do_runs(jobs, processes=processes)


def rung_name(num_train: int, seed: int) -> str:
    """The folder of one run of the ladder."""
    return f"n{num_train:06d}-s{seed}"


def read(config: RunConfig, sizes: Sequence[int], seeds: int) -> list[Rung]:
    """The final figures of all runs, read from their summaries."""
    rungs = []
    for size in sorted(sizes):
        runs = [figures(config.out / rung_name(size, config.seed + seed)) for seed in range(seeds)]
        rungs.append(Rung(size, {tag: [run[tag] for run in runs] for tag in COLUMNS.values()}))
    return rungs


def to_markdown(rungs: Sequence[Rung]) -> str:
    """The ladder as a table: the mean over seeds, and in brackets the lowest and the highest."""
    lines = [
        "| training faces | " + " | ".join(COLUMNS) + " |",
        "|---:|" + "---|" * len(COLUMNS),
    ]
    for rung in rungs:
        cells = [spread(rung.figures[tag]) for tag in COLUMNS.values()]
        lines.append(f"| {rung.num_train:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(rungs: Sequence[Rung], path: Path) -> None:
    """Draw accuracy on studied and unseen faces, and the membership AUC, over the ladder."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    sizes = [rung.num_train for rung in rungs]
    for label, color in (
        ("train accuracy", "#e07b00"), ("test accuracy", "#1565c0"), ("membership AUC", "#8e24aa"),
    ):  # fmt: skip
        values = [rung.figures[COLUMNS[label]] for rung in rungs]
        axes.plot(sizes, [fmean(v) for v in values], color=color, marker="o", label=label)
        axes.fill_between(sizes, [*map(min, values)], [*map(max, values)], color=color, alpha=0.2)
    axes.axhline(0.5, color="#999999", linewidth=1, linestyle=":")
    axes.set(xscale="log", xlabel="training faces", ylim=(0.45, 1.02), xticks=sizes)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_title("Few faces are memorized, many are learned", loc="left")
    axes.legend(frameon=False, loc="center right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
