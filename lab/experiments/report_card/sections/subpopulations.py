"""Subpopulations: accuracy on each kind of drawn picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.experiments.report_card.ask import by_subpopulation
from lab.experiments.report_card.card import Card
from lab.experiments.report_card.panels import after, bars, legend
from lab.experiments.report_card.phrases import Row, interval, lowest
from lab.experiments.report_card.sections.section import Section, drawn
from lab.experiments.report_card.subject import Subject
from lab.experiments.show import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rows(cards: Sequence[Card], subject: Subject) -> list[Row]:
    """Accuracy on each."""
    return [
        (
            f"accuracy on subpopulation: {kind}",
            *(interval(card.subpopulations[kind]) for card in cards),
        )
        for kind in cards[0].subpopulations
    ]


def draw(cards: Sequence[Card], subject: Subject) -> Figure:
    """Accuracy on each kind of picture, after most faces."""
    figure, (axes,) = style.new_figure(width=7.0, height=3.4)
    names = list(cards[0].subpopulations)
    bars(axes, cards, names, lambda card: [card.subpopulations[name] for name in names])
    style.reference(axes, cards[0].chance)
    style.title(axes, f"accuracy by kind of picture{after(cards, subject)}")
    legend(figure, axes, cards)
    style.caption(figure)
    return figure


SUBPOPULATIONS = Section(
    name="subpopulations", applies=drawn,
    measure=lambda asked: by_subpopulation(asked.last, device=asked.device),
    say=lambda cards, subject: lowest(cards[0].subpopulations, by="subpopulation"),
    rows=rows, draw=draw, caption="Accuracy on each subpopulation.",
)  # fmt: skip
