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
from lab.pool.attacks import CURVE, ONLINE, Attacks
from lab.pool.findings import Findings
from lab.tracking.sheets import BAD, FACES, GOOD, INK, MARKED, Cell, draw_sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = np.arange(-5, 11) / 10
"""Edges of the histogram's bars; lower scores are counted in the first."""


LEAST = 1e-4
"""The lowest true positive rate that the curves show."""

GAP = 12
"""Pixels right of each half of the sheet."""


def sheets(findings: Findings) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The most and the least memorized examples, (H, W, 3) each: label, score with standard error;
    orange frames around wrong labels."""
    score = findings.scores.score
    known = score.isfinite().nonzero()[:, 0]
    order = known[score[known].argsort(descending=True, stable=True)].tolist()
    noun = findings.result.run.world.noun
    return (
        draw_sheet(f"Most memorized {noun}", [cell_of(findings, i) for i in order[:FACES]]),
        draw_sheet(f"Least memorized {noun}", [cell_of(findings, i) for i in order[::-1][:FACES]]),
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
    """A training example with its score and standard error, label, and what else is known."""
    train, scores = findings.result.train, findings.scores
    wrong = bool(train.mislabeled[i])
    label = train.classes[int(train.labels[i])]
    lines = [
        (f"{float(scores.score[i]):.2f} ± {float(scores.standard_error[i]):.2f}", INK),
        (f"{'label' if wrong else 'is'}: {label}", MARKED if wrong else INK),
    ]
    if wrong:
        lines.append((f"is: {train.classes[int(train.clean_labels[i])]}", INK))
    else:
        lines.append((train.all_subpopulations[int(train.subpopulations[i])].name, INK))
    frame = MARKED if wrong else BAD if float(scores.score[i]) >= 0.5 else GOOD
    return Cell(train.images[i].cpu(), lines, frame)


def histogram(findings: Findings) -> Figure:
    """How many examples of each cause have which score, a panel for each cause."""
    noun = findings.result.run.world.noun
    parts = {name: part for name, part in findings.causes.items() if part.count}
    figure, panels = new_figure(len(parts), width=3.6, height=2.8, columns=3, sharex=True)
    for number, (axes, (name, part)) in enumerate(zip(panels, parts.items(), strict=True)):
        scores = findings.scores.score[part.members]
        values = scores[scores.isfinite()].clamp(BINS[0], BINS[-1]).numpy()
        axes.hist(values, bins=BINS.tolist(), color=color(number), alpha=0.85)
        axes.axvline(0.5, color="#999999", linewidth=1, linestyle=":")
        axes.set_xticks([-0.5, 0, 0.5, 1])
        axes.set_xlabel("memorization score")
        axes.set_ylabel(noun)
        title(axes, f"{name}: {part.count:,} {noun if part.count != 1 else singular(noun)},"
                    f" mean {part.mean.value:.2f}")  # fmt: skip
    right = "by heart" if findings.tells else "score 0.5 or more"
    caption(figure, f"{len(findings.result.pool):,} networks; right of the dotted line: {right}")
    return figure


def curves(attacks: Attacks, noun: str) -> Figure:
    """True against false positive rates of each attack against fresh examples, on logarithmic axes;
    and the true positive rate at 1 % false positives by number of networks."""
    figure, (roc, power) = new_figure(2, width=5.0, height=3.6)
    for number, (name, rates) in enumerate(attacks.curves.items()):
        found = [each.within(LEAST, 1) for each in rates.values()]
        places = list(rates)
        values = [max(each.value, LEAST) for each in found]
        roc.plot(places, values, color=color(number), label=name)
        low, high = zip(*(each.interval for each in found), strict=True)
        roc.fill_between(places, np.maximum(low, LEAST), high, color=color(number), alpha=0.2,
                         linewidth=0)  # fmt: skip
    roc.plot(CURVE, CURVE, color=GRAY, linewidth=1, linestyle=":", label="a guess")
    roc.set_xscale("log")
    roc.set_yscale("log")
    roc.set_xlim(CURVE[0], 1)
    roc.set_ylim(CURVE[0], 1)
    roc.set_xlabel(f"fresh {noun} wrongly named (share)")
    roc.set_ylabel("members named (share)")
    roc.legend(fontsize=SMALL, frameon=False, loc="lower right")
    title(roc, f"against {attacks.non_members:,} pairs of network and fresh {singular(noun)}")
    numbers = list(attacks.power)
    line(power, numbers, list(attacks.power.values()), color=color(0), limits=(0, 1))
    size_axis(power, numbers)
    power.set_ylim(0)
    power.set_xlabel("networks, the attacked one among them")
    power.set_ylabel("members named (share)")
    title(power, f"{ONLINE} at 1 % of {noun} left out")
    return figure
