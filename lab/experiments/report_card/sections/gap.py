"""The gap: how much more often a network is right on the pictures that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.core.words import over_seeds
from lab.experiments.report_card.card import Card
from lab.experiments.report_card.panels import legend, line
from lab.experiments.report_card.phrases import Row
from lab.experiments.report_card.sections.section import Section, stored
from lab.experiments.report_card.subject import Subject
from lab.experiments.show import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIMITS = (-1.0, 1.0)
"""What a gap lies between."""


def say(cards: Sequence[Card], subject: Subject) -> str:
    """The gaps after fewest and after most pictures."""
    sizes, gap = list(cards[0].gap), cards[0].gap
    first, last = (over_seeds(gap[size].within(*LIMITS)) for size in (sizes[0], sizes[-1]))
    return (
        f"Train accuracy minus test accuracy is {first} after {sizes[0]:,} {subject.noun} and"
        f" {last} after {sizes[-1]:,}; 0: it is right equally often on both."
    )


def rows(cards: Sequence[Card], subject: Subject) -> list[Row]:
    """The gap at each size."""
    return [
        (
            f"train minus test accuracy, {size:,} {subject.noun}",
            *(over_seeds(card.gap[size].within(*LIMITS)) for card in cards),
        )
        for size in cards[0].gap
    ]


def draw(cards: Sequence[Card], subject: Subject) -> Figure:
    """Train accuracy, and how far it lies above test accuracy, over the number of pictures."""
    figure, (train, gap) = style.new_figure(2, width=5.0, height=3.2)
    for number, card in enumerate(cards):
        line(train, number, card, [(size.faces, size.train) for size in card.learning])
        line(gap, number, card, list(card.gap.items()), LIMITS)
    for axes, title, guess in (
        (train, "train accuracy", subject.chance),
        (gap, "train minus test accuracy", 0.0),
    ):
        style.size_axis(axes, list(cards[0].gap))
        axes.set_xlabel(f"training {subject.noun}")
        style.title(axes, title)
        style.reference(axes, guess)
    train.set_ylim(subject.chance - 0.05, 1.03)
    legend(figure, train, cards)
    style.caption(figure)
    return figure


GAP = Section(
    name="gap", applies=stored,
    measure=lambda asked: {
        cell.settings["num_train"]: cell.judged("gap/accuracy") for cell in asked.learning
    },
    say=say, rows=rows, draw=draw,
    caption="Accuracy on the training {noun} and its distance from the accuracy on unseen ones.",
)  # fmt: skip
