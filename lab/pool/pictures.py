"""Pictures of a pool: the most and least memorized examples, a histogram of scores by cause, and
the curves of membership inference."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from lab.core.words import singular
from lab.experiments.show.style import (
    GRAY,
    SMALL,
    caption,
    color,
    line,
    new_figure,
    size_axis,
    title,
)
from lab.measure.memorization_scores import BY_HEART
from lab.pool.attacks import CURVE, Attacks
from lab.pool.findings import Findings, Part
from lab.tracking.sheets import BAD, FACES, GOOD, INK, MARKED, Cell, draw_sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = np.arange(-5, 11) / 10
"""Edges of the histogram's bars; lower scores are counted in the first."""


LEAST = 1e-4
"""The lowest true positive rate that the curves show."""

GAP = 12
"""Pixels right of each half of the sheet."""


def sheets(findings: Findings) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The most and the least memorized examples, (H, W, 3) each, as `cell_of` has them."""
    noun = findings.result.run.world.noun
    most, least = extremes(findings)
    return (
        draw_sheet(f"Most memorized {noun}", most),
        draw_sheet(f"Least memorized {noun}", least),
    )


def extremes(findings: Findings) -> tuple[list[Cell], list[Cell]]:
    """The most and the least memorized examples, those first."""
    score = findings.scores.score
    known = score.isfinite().nonzero()[:, 0]
    order = known[score[known].argsort(descending=True, stable=True)].tolist()
    return (
        [cell_of(findings, i) for i in order[:FACES]],
        [cell_of(findings, i) for i in order[::-1][:FACES]],
    )


def sheet(findings: Findings) -> bytes:
    """Both of `sheets` side by side, as a PNG file's content."""
    halves = sheets(findings)
    height = max(half.shape[0] for half in halves)
    padded = [
        np.pad(half, ((0, height - len(half)), (0, GAP), (0, 0)), constant_values=255)
        for half in halves
    ]
    content = io.BytesIO()
    Image.fromarray(np.concatenate(padded, axis=1)).save(content, format="png")
    return content.getvalue()


def cell_of(findings: Findings, i: int) -> Cell:
    """A training example: its number, its score with standard error, its label, and what else is
    known. The frame is orange around a wrong label, else red if it is known by heart, or green."""
    train, scores = findings.result.train, findings.scores
    wrong = bool(train.mislabeled[i])
    label, kind = (
        train.classes[int(train.labels[i])],
        train.all_subpopulations[int(train.subpopulations[i])].name,
    )
    lines = [
        (f"{singular(findings.result.run.world.noun)} {i}", INK),
        (f"{float(scores.score[i]):.2f} ± {float(scores.standard_error[i]):.2f}", INK),
    ]
    if wrong:
        lines += [(label, MARKED), (f"is: {train.classes[int(train.clean_labels[i])]}", INK)]
    else:
        lines += [(line, INK) for line in truth(label, kind)]
    frame = MARKED if wrong else BAD if float(scores.score[i]) >= BY_HEART else GOOD
    return Cell(train.images[i].cpu(), lines, frame)


def truth(name: str, kind: str) -> list[str]:
    """The class and the subpopulation of an example, each once."""
    return [name] if kind == name else [name, f"({kind})"]


def histogram(findings: Findings) -> Figure:
    """How many examples of each cause have which score, a panel for each cause."""
    parts = _shown(findings)
    figure, panels = new_figure(len(parts), width=3.6, height=2.8, columns=3, sharex=True)
    for number, axes in enumerate(panels):
        _bars(findings, axes, number)
    right = "by heart" if findings.tells else "score 0.5 or more"
    caption(figure, f"{len(findings.result.pool):,} networks; right of the dotted line: {right}")
    return figure


def histograms(findings: Findings) -> list[Figure]:
    """The panels of `histogram`, a figure each."""
    figures = []
    for number in range(len(_shown(findings))):
        figure, (axes,) = new_figure(1, width=3.6, height=2.8)
        _bars(findings, axes, number)
        figures.append(figure)
    return figures


def _shown(findings: Findings) -> list[tuple[str, Part]]:
    """The causes that have examples."""
    return [(name, part) for name, part in findings.causes.items() if part.count]


def _bars(findings: Findings, axes: Axes, number: int) -> None:
    """The histogram of the cause with that number."""
    noun = findings.result.run.world.noun
    name, part = _shown(findings)[number]
    scores = findings.scores.score[part.members]
    values = scores[scores.isfinite()].clamp(BINS[0], BINS[-1]).numpy()
    axes.hist(values, bins=BINS.tolist(), color=color(number), alpha=0.85)
    axes.axvline(BY_HEART, color="#777777", linewidth=1, linestyle=":")
    axes.set_xticks([-0.5, 0, 0.5, 1])
    axes.set_xlabel("memorization score")
    axes.set_ylabel(noun)
    title(axes, f"{name}: {part.count:,} {noun if part.count != 1 else singular(noun)},"
                f" mean {part.mean.value:.2f}")  # fmt: skip


def curves(attacks: Attacks, noun: str) -> Figure:
    """True against false positive rates of each attack against fresh examples, on logarithmic axes;
    and the true positive rate at 1 % false positives by number of networks."""
    figure, (roc, power) = new_figure(2, width=5.0, height=3.6)
    _roc(attacks, noun, roc)
    _power(attacks, noun, power)
    return figure


def curve_figures(attacks: Attacks, noun: str) -> tuple[Figure, Figure]:
    """The panels of `curves`, a figure each."""
    one, (roc,) = new_figure(1, width=4.6, height=3.6)
    other, (power,) = new_figure(1, width=4.6, height=3.6)
    _roc(attacks, noun, roc)
    _power(attacks, noun, power)
    return one, other


def _roc(attacks: Attacks, noun: str, axes: Axes) -> None:
    for number, (name, rates) in enumerate(attacks.curves.items()):
        if not rates:  # too few fresh examples
            continue
        found = [each.within(LEAST, 1) for each in rates.values()]
        places = list(rates)
        values = [max(each.value, LEAST) for each in found]
        axes.plot(places, values, color=color(number), label=name)
        low, high = zip(*(each.interval for each in found), strict=True)
        axes.fill_between(places, np.maximum(low, LEAST), high, color=color(number), alpha=0.2,
                          linewidth=0)  # fmt: skip
    axes.plot(CURVE, CURVE, color=GRAY, linewidth=1, linestyle=":", label="a guess")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(CURVE[0], 1)
    axes.set_ylim(CURVE[0], 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    axes.set_xlabel(f"fresh {noun} wrongly named")
    axes.set_ylabel(f"{noun} trained on, found")
    axes.legend(fontsize=SMALL, frameon=False, loc="lower right")
    title(axes, f"against {attacks.non_members:,} pairs of network and fresh {singular(noun)}")


def _power(attacks: Attacks, noun: str, axes: Axes) -> None:
    numbers = list(attacks.power)
    line(axes, numbers, list(attacks.power.values()), color=color(0), limits=(0, 1))
    size_axis(axes, numbers)
    axes.set_ylim(0)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    axes.set_xlabel("networks, the attacked one among them")
    axes.set_ylabel(f"{noun} trained on, found")
    title(axes, "LiRA, wrongly named: 1 % of those left out")
