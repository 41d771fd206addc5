"""Pictures of a pool: the most and least memorized examples, and a histogram of scores by cause."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lab.core.words import singular
from lab.experiments.show.style import caption, color, new_figure, title
from lab.pool.findings import Findings
from lab.tracking.sheets import BAD, FACES, GOOD, INK, MARKED, Cell, draw_sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = np.arange(-5, 11) / 10
"""Edges of the histogram's bars; lower scores are counted in the first."""


GAP = 12
"""Pixels right of each half of the sheet."""


def sheet(findings: Findings) -> bytes:
    """The most memorized examples above the least memorized ones, as a PNG file's content: label,
    score with standard error; orange frames around wrong labels."""
    score = findings.scores.score
    known = score.isfinite().nonzero()[:, 0]
    order = known[score[known].argsort(descending=True, stable=True)].tolist()
    noun = findings.result.run.world.noun
    halves = [
        draw_sheet(f"Most memorized {noun}", [cell_of(findings, i) for i in order[:FACES]]),
        draw_sheet(f"Least memorized {noun}", [cell_of(findings, i) for i in order[::-1][:FACES]]),
    ]
    height = max(half.shape[0] for half in halves)
    halves = [
        np.pad(half, ((0, height - len(half)), (0, GAP), (0, 0)), constant_values=255)
        for half in halves
    ]
    content = io.BytesIO()
    Image.fromarray(np.concatenate(halves, axis=1)).save(content, format="png")
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
    figure, panels = new_figure(len(parts), width=3.6, height=2.8, sharex=True)
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
