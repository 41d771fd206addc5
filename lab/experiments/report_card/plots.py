"""The plots of a report card: the network in blue, those it is compared with in other colors.

Whiskers and bands are 95 % intervals over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.experiments.metrics import FITTED
from lab.experiments.report_card.card import TARGETS, Card
from lab.experiments.report_card.panels import legend, line
from lab.experiments.report_card.sections import applying
from lab.experiments.report_card.subject import Subject
from lab.experiments.show import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(cards: Sequence[Card], subject: Subject) -> dict[str, Figure]:
    """All plots by name, in the order of reading."""
    drawn = {"learning": learning(cards, subject)}
    for section in applying(subject):
        figure = section.draw(cards, subject)
        if figure is not None:
            drawn[section.name] = figure
    return drawn


def learning(cards: Sequence[Card], subject: Subject) -> Figure:
    """Test accuracy, membership AUC and fitted random labels over the number of faces. Where one
    class is more frequent, a line shows what always answering it gets, and those of targets that
    this reaches are left out."""
    figure, (test, auc, noise) = style.new_figure(3, width=3.7, height=3.4)
    for number, card in enumerate(cards):
        line(test, number, card, [(size.faces, size.test) for size in card.learning])
        line(auc, number, card, [(size.faces, size.membership_auc) for size in card.learning])
        line(noise, number, card, [(each.faces, each.train) for each in card.random_labels])
    learned = [size.faces for size in cards[0].learning]
    tried = [each.faces for each in cards[0].random_labels]
    guess = cards[0].chance
    usual = subject.frequent or guess
    targets = [usual, *(target for target in TARGETS if target > usual)]
    for axes, title, sizes, marks, low in (
        (test, "test accuracy", learned, targets, guess),
        (auc, "membership AUC", learned, (0.5,), 0.5),
        (noise, "random labels: train accuracy", tried, (guess, FITTED), guess),
    ):
        style.size_axis(axes, sizes)
        axes.set_ylim(low - 0.05, 1.03)
        axes.set_xlabel(f"training {subject.noun}")
        style.title(axes, title)
        style.reference(axes, *marks)
    legend(figure, test, cards)
    style.caption(figure)
    return figure
