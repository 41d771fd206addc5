"""The few kinds of figure that lessons draw: lines with bands over seeds, and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lab.experiments.lessons.base import GUESS

Numbers = npt.NDArray[np.float64]

COLORS = ("#1565c0", "#e07b00", "#2e7d32", "#c62828", "#8e24aa", "#00838f", "#6d4c41", "#455a64")


def lines(
    path: Path,
    title: str,
    xs: Sequence[float],
    series: Mapping[str, Sequence[Numbers]],
    *,
    xlabel: str,
    ylabel: str = "accuracy",
    log: bool = False,
    guess: float | None = GUESS,
) -> None:
    """Draw each series (a (S,) array for each x) as its mean over seeds, with a band from lowest to
    highest; `guess` is a dotted line, None: none."""
    figure, axes = _begin(title)
    for color, (name, values) in zip(COLORS, series.items(), strict=False):
        axes.plot(xs, [v.mean() for v in values], color=color, marker="o", ms=4, label=name)
        low, high = [v.min() for v in values], [v.max() for v in values]
        axes.fill_between(xs, low, high, color=color, alpha=0.2, linewidth=0)
    if guess is not None:
        axes.axhline(guess, color="#999999", linewidth=1, linestyle=":")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        axes.set_xscale("log")
        axes.set_xticks(xs, [f"{x:,g}" for x in xs])
        axes.minorticks_off()
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def bars(
    path: Path,
    title: str,
    groups: Sequence[str],
    series: Mapping[str, Sequence[Numbers]],
    *,
    ylabel: str = "accuracy",
    guess: float | None = GUESS,
) -> None:
    """Draw a bar for each group and series, the mean over seeds, with a dot for each seed."""
    figure, axes = _begin(title, width=max(6.0, 1.0 + 0.4 * len(groups) * (len(series) + 1)))
    width = 0.8 / len(series)
    for number, (color, (name, values)) in enumerate(zip(COLORS, series.items(), strict=False)):
        places = np.arange(len(groups)) + (number - (len(series) - 1) / 2) * width
        axes.bar(places, [v.mean() for v in values], width, color=color, alpha=0.75, label=name)
        for place, v in zip(places, values, strict=True):
            axes.plot(np.full(len(v), place), v, ".", color="#333333", ms=3)
    if guess is not None:
        axes.axhline(guess, color="#999999", linewidth=1, linestyle=":")
    axes.set_xticks(range(len(groups)), groups, fontsize=8)
    axes.set(ylabel=ylabel)
    figure.legend(frameon=False, ncols=len(series), loc="outside lower center", fontsize=8)
    figure.savefig(path, dpi=110)


def _begin(title: str, *, width: float = 6.4):  # type: ignore[no-untyped-def]
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
