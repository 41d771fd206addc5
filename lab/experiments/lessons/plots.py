"""The two kinds of plot that lessons draw: lines with bands, and bars with whiskers and dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lab.experiments.lessons.base import GUESS
from lab.experiments.show import style
from lab.measure import mean_of_seeds

Numbers = npt.NDArray[np.float64]

SHARES = (0.0, 1.0)
"""The range of the values that lessons plot; intervals are cut to it."""


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
    """Draw each series (a (S,) array of shares for each x) as its mean over seeds, with a band of
    its 95 % interval; `guess` is a dotted line, None: none."""
    figure, (axes,) = style.new_figure(width=6.4, height=4.0)
    for number, (name, values) in enumerate(series.items()):
        means = [mean_of_seeds(v.tolist()) for v in values]
        style.line(axes, xs, means, color=style.color(number), label=name, limits=SHARES)
    if guess is not None:
        style.reference(axes, guess)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        style.size_axis(axes, xs)
    style.title(axes, title)
    axes.legend(frameon=False)
    style.caption(figure)
    path.write_bytes(style.png(figure))


def bars(
    path: Path,
    title: str,
    groups: Sequence[str],
    series: Mapping[str, Sequence[Numbers]],
    *,
    ylabel: str = "accuracy",
    guess: float | None = GUESS,
) -> None:
    """Draw a bar for each group and series: the mean over seeds of a (S,) array of shares, with its
    95 % interval as a whisker and a dot for each seed."""
    width = max(6.0, 1.0 + 0.4 * len(groups) * (len(series) + 1))
    figure, (axes,) = style.new_figure(width=width, height=4.0)
    style.bars(
        axes, groups,
        [(name, [mean_of_seeds(v.tolist()) for v in values]) for name, values in series.items()],
        limits=SHARES, dots=[[v.tolist() for v in values] for values in series.values()],
    )  # fmt: skip
    if guess is not None:
        style.reference(axes, guess)
    axes.set(ylabel=ylabel)
    style.title(axes, title)
    style.legend_above(figure, axes)
    style.caption(figure, f"{style.INTERVALS}; dots: seeds")
    path.write_bytes(style.png(figure))
