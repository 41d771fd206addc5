"""The training-size ladder: the same run with more and more faces, several seeds each.

Each rung is a run of its own in a folder of its own; finished ones are kept, interrupted ones go
on, so that the same command again is the recovery.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

from lab.config import RunConfig

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
    """Do every run of the ladder, one thread each; yields the folders as they are finished."""
    jobs = [
        replace(
            config, data=replace(config.data, num_train=size), seed=config.seed + seed,
            threads=1, name=rung_name(size, config.seed + seed),
        )
        for seed in range(seeds)
        for size in sorted(sizes, reverse=True)
    ]  # fmt: skip
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_quiet) as pool:
        for done in as_completed([pool.submit(do_run, job) for job in jobs]):
            yield done.result()


def do_run(config: RunConfig) -> Path:
    """The folder of a finished run with these settings: found, gone on with, or done anew."""
    from lab import run

    folder = config.out / str(config.name)
    if not folder.exists():
        return run.start(config).folder
    known = replace(run.read_config(folder), device=config.device)
    if replace(known, out=config.out) != config:
        raise ValueError(f"{folder} holds a run with other settings; choose another --out")
    run.resume(folder)
    return folder


def rung_name(num_train: int, seed: int) -> str:
    """The folder of one run of the ladder."""
    return f"n{num_train:06d}-s{seed}"


def read(config: RunConfig, sizes: Sequence[int], seeds: int) -> list[Rung]:
    """The final figures of all runs, read from their summaries."""
    rungs = []
    for size in sorted(sizes):
        figures: dict[str, list[float]] = {tag: [] for tag in COLUMNS.values()}
        for seed in range(seeds):
            path = config.out / rung_name(size, config.seed + seed) / "summary.json"
            summary = json.loads(path.read_text(encoding="utf-8"))
            for tag, values in figures.items():
                metric, where = tag.split("/")
                values.append(summary[metric][where]["value"])
        rungs.append(Rung(size, figures))
    return rungs


def to_markdown(rungs: Sequence[Rung]) -> str:
    """The ladder as a table: the mean over seeds, and in brackets the lowest and the highest."""
    lines = [
        "| training faces | " + " | ".join(COLUMNS) + " |",
        "|---:|" + "---|" * len(COLUMNS),
    ]
    for rung in rungs:
        cells = [
            f"{fmean(values):.3f} ({min(values):.3f}–{max(values):.3f})"
            for values in (rung.figures[tag] for tag in COLUMNS.values())
        ]
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


def _quiet() -> None:
    """A worker writes nothing to the terminal that its parent draws on."""
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
