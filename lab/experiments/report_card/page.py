"""The report card as one self-contained HTML file, without scripts or external resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lab.experiments.report_card.card import Card
from lab.experiments.report_card.words import part_rows, summary_rows
from lab.experiments.show.page import render, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTIONS = {
    "learning": "Test accuracy, membership AUC and fitted random labels over the number of training"
    " faces. Bands: 95 % intervals over seeds.",
    "cues": "Reliance on each cue, alone and among all. 1: every prediction changes with the cue.",
    "reliance": "Reliance on each attribute: for relevant ones over changes of the label, for"
    " nuisances over all changes. Bars: this network; marks: the others.",
    "subpopulations": "Accuracy on each subpopulation.",
    "parts": "Share of faces with each subset of the parts that is predicted to be a person. By the"
    " true rule only the complete face is one.",
}


def to_html(
    cards: Sequence[Card],
    said: Sequence[str],
    figures: Mapping[str, Figure],
    *,
    command: str,
    conditions: str,
) -> str:
    """The page: sentences, figures as SVG, tables, and how it was made."""
    return render(
        "lab.experiments.report_card",
        name=cards[0].name,
        sentences=said,
        figures=[(name, CAPTIONS[name], to_svg(f, name)) for name, f in figures.items()],
        summary=summary_rows(cards),
        parts=part_rows(cards) if cards[0].parts else None,
        command=command,
        conditions=conditions,
    )
