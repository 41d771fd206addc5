"""The one style of all plots: palette, lines with bands, bars with whiskers, axes, captions.

Lines and bars take an `Estimate` for each point; bands and whiskers are its 95 % interval.
"""

from __future__ import annotations

import io
import math
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.core.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#1565c0", "#e07b00", "#2e7d32", "#8e24aa", "#c62828", "#00838f", "#6d4c41", "#455a64")
"""The palette: blue, orange, green, purple, red, cyan, brown, slate."""

GRAY, DARK = "#999999", "#333333"
"""Reference lines; whiskers and single seeds."""

SMALL = 8
"""Font size of ticks, legends and captions, in points."""

DPI = 110

LETTERS = 12
"""Letters of a title that fit into an inch."""

INTERVALS = "means over seeds; bands and whiskers: 95 % intervals of the mean (Student's)"
"""What the caption of a plot of seeds says."""


BACKEND = "MPLBACKEND"
"""The variable that names matplotlib's backend; notebooks set it for all that they start."""


def import_matplotlib() -> Any:
    """matplotlib, also where the environment names a backend that is not there, as one of a
    notebook that was started by another Python: figures here need none."""
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    chosen = os.environ.pop(BACKEND, None)
    try:
        import matplotlib as mpl
    finally:
        if chosen is not None:
            os.environ[BACKEND] = chosen
    if chosen:
        with suppress(ValueError):
            mpl.rcParams["backend"] = chosen
    return mpl


@contextmanager
def drawn(figure: Figure, **rc: Any) -> Iterator[None]:
    """Inside, `figure` can be saved, with matplotlib's settings `rc`: without TeX, which a file
    matplotlibrc may ask for, and a machine may lack."""
    mpl = import_matplotlib()
    from matplotlib.text import Text

    with mpl.rc_context({"text.usetex": False} | rc):
        for each in figure.findobj(Text):
            if isinstance(each, Text):
                each.set_usetex(False)
        yield


def color(number: int) -> str:
    """The color of a plot's line or group of bars `number`, from 0."""
    return COLORS[number % len(COLORS)]


def new_figure(
    count: int = 1, *, width: float, height: float, columns: int | None = None, **kwargs: Any
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels of so many inches each, in rows of `columns` (None: one row);
    and their axes. `kwargs` go to matplotlib's `subplots`."""
    import_matplotlib()
    from matplotlib.figure import Figure

    columns = min(columns or count, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False, **kwargs).flat)
    for axes in grid[count:]:
        axes.remove()
    for axes in grid[:count]:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, grid[:count]


def title(axes: Axes, text: str) -> None:
    """Write a panel's title at its left end."""
    axes.set_title(text, loc="left", fontsize=10)


def line(
    axes: Axes,
    xs: Sequence[float],
    ys: Sequence[Estimate],
    *,
    color: str,
    label: str = "",
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> None:
    """A line through the values of `ys` with a band of their intervals, cut to the possible values
    `limits`; points without a finite value are left out."""
    shown = [(x, y.within(*limits)) for x, y in zip(xs, ys, strict=True) if math.isfinite(y.value)]
    places = [x for x, _ in shown]
    axes.plot(places, [y.value for _, y in shown], color=color, marker="o", ms=4, label=label)
    low, high = ends([y for _, y in shown])
    axes.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0)


def bars(
    axes: Axes,
    groups: Sequence[str],
    series: Sequence[tuple[str, Sequence[Estimate]]],
    *,
    limits: tuple[float, float] = (-math.inf, math.inf),
    dots: Sequence[Sequence[Sequence[float]]] = (),
) -> None:
    """A bar for each group and each (label, estimates) of `series`, with a whisker for its
    interval, cut to `limits`; `dots` are the single seeds' values of each bar, by series."""
    width = 0.8 / len(series)
    for number, (label, found) in enumerate(series):
        places = np.arange(len(groups)) + (number - (len(series) - 1) / 2) * width
        cut = [each.within(*limits) for each in found]
        axes.bar(places, [each.value for each in cut], width, color=color(number), alpha=0.75,
                 label=label)  # fmt: skip
        axes.vlines(places, *ends(cut), color=DARK, linewidth=1)
        for place, values in zip(places, dots[number] if dots else [], strict=False):
            axes.plot(np.full(len(values), place), values, ".", color=DARK, ms=3)
    axes.set_xticks(range(len(groups)), groups, fontsize=SMALL)


def ends(shown: Sequence[Estimate]) -> tuple[list[float], list[float]]:
    """The lower and the upper ends of intervals; the value itself where there is none."""
    known = [
        (each.value, each.value) if each.low is None or each.high is None else each.interval
        for each in shown
    ]
    return [low for low, _ in known], [high for _, high in known]


def reference(axes: Axes, *values: float) -> None:
    """A dotted line across at each of the `values`, such as the accuracy of a guess."""
    for value in values:
        axes.axhline(value, color=GRAY, linewidth=1, linestyle=":", zorder=0)


def size_axis(axes: Axes, sizes: Sequence[float]) -> None:
    """A logarithmic x axis with a tick at each size."""
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,g}" if size < 1 else f"{size:,.0f}" for size in sizes],
                    fontsize=SMALL)  # fmt: skip
    axes.minorticks_off()


def legend_above(figure: Figure, axes: Axes, *, order: Sequence[str] = ()) -> None:
    """One legend for all panels, above them, with the labels of `axes`; those that `order` names
    come first, in its order."""
    handles, labels = axes.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    labels = sorted(by_label, key=lambda name: order.index(name) if name in order else len(order))
    if labels:
        figure.legend([by_label[name] for name in labels], labels, frameon=False, fontsize=SMALL,
                      ncols=min(4, len(labels)), loc="outside upper left")  # fmt: skip


def heading(figure: Figure, text: str, by: str = "") -> None:
    """A figure's title, and below it in further lines what else is to be said of its values."""
    width = max(40, int(figure.get_figwidth() * LETTERS))
    figure.suptitle("\n".join([text, *textwrap.wrap(by, width)]), fontsize=10)


def caption(figure: Figure, text: str = INTERVALS) -> None:
    """A line of small text at the figure's lower right."""
    figure.supxlabel(text, fontsize=SMALL - 1, color="#666666", x=0.99, ha="right")


def png(figure: Figure) -> bytes:
    """The figure as a PNG file's content."""
    content = io.BytesIO()
    with drawn(figure):
        figure.savefig(content, format="png", dpi=DPI)
    return content.getvalue()
