"""The report card as one self-contained HTML file, without scripts or external resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lab.experiments.report_card.card import Card
from lab.experiments.report_card.sections import SECTIONS
from lab.experiments.report_card.sections.parts import part_rows
from lab.experiments.report_card.subject import Subject
from lab.experiments.report_card.words import summary_rows, titled
from lab.experiments.show.page import render, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNING = (
    "Test accuracy, membership AUC and fitted random labels over the number of training {noun}."
    " Bands: 95 % intervals over seeds."
)
"""What stands under the first figure; those of the sections bring their own."""


def to_html(
    cards: Sequence[Card],
    said: Sequence[str],
    figures: Mapping[str, Figure],
    subject: Subject,
    *,
    command: str,
    conditions: str,
) -> str:
    """The page: sentences, figures as SVG, tables, and how it was made."""
    captions = {"learning": LEARNING, **{section.name: section.caption for section in SECTIONS}}
    return render(
        "lab.experiments.report_card",
        name=titled(cards, subject),
        sentences=said,
        figures=[
            (name, captions[name].format(noun=subject.noun), to_svg(figure, name))
            for name, figure in figures.items()
        ],
        summary=summary_rows(cards, subject),
        parts=part_rows(cards) if cards[0].parts else None,
        command=command,
        conditions=conditions,
    )
