"""Reliance: how often predictions change with each attribute of a drawn picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.experiments.report_card.card import Card
from lab.experiments.report_card.panels import across, after, legend
from lab.experiments.report_card.sections.section import Section, drawn
from lab.experiments.report_card.subject import Subject
from lab.experiments.show import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUISANCES = 10
"""Nuisances in the profile: those that the network in question relies on most."""


def draw(cards: Sequence[Card], subject: Subject) -> Figure:
    """Reliance on what the label depends on, and on the nuisances that it relies on most."""
    own, relevant = cards[0].reliance, subject.relevant
    asked = [name for name in relevant if name in own]
    others = sorted((n for n in own if n not in relevant), key=lambda name: -own[name].value)
    names = [*asked, *others[:NUISANCES]]
    figure, (axes,) = style.new_figure(width=7.0, height=1.2 + 0.26 * len(names))
    across(axes, cards, names, lambda card: card.reliance)
    style.reference(axes, 0.5 - len(asked))
    axes.text(1.02, 0.4 - len(asked) + 0.15, "should be 1", fontsize=style.SMALL, color="#666666")
    axes.text(1.02, 0.4 - len(asked) - 0.75, "should be 0", fontsize=style.SMALL, color="#666666")
    style.title(axes, f"answers that change with one attribute{after(cards, subject)}")
    legend(figure, axes, cards)
    style.caption(figure)
    return figure


RELIANCE = Section(
    name="reliance", applies=drawn, left_out="reliance on single attributes",
    measure=lambda asked: asked.family("reliance"), draw=draw,
    caption="Reliance on each attribute: for relevant ones over changes of the label, for nuisances"
    " over all changes. Bars: this network; marks: the others.",
)  # fmt: skip
