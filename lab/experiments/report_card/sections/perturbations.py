"""Perturbations: how often predictions change when whole pictures are changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.experiments.report_card.card import Card
from lab.experiments.report_card.panels import across, after, legend
from lab.experiments.report_card.phrases import Row, interval
from lab.experiments.report_card.sections.section import Section, stored
from lab.experiments.report_card.subject import Subject
from lab.experiments.show import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "gray": "without color",
    "hue": "with colors exchanged",
    "blur": "blurred",
    "noise": "with noise",
    "mirror": "mirrored",
    "shift": "moved a little",
}
"""What pictures are under each, in few words; another one is called by its name."""


def named(name: str) -> str:
    """A perturbation in words."""
    return NAMES.get(name, name)


def say(cards: Sequence[Card], subject: Subject) -> str:
    """All of them, the one that changes most predictions first."""
    found = cards[0].perturbations
    ranked = sorted(found, key=lambda name: -found[name].value)
    shares = ", ".join(f"{named(name)} {interval(found[name])}" for name in ranked)
    return f"Share of its predictions that change when the same {subject.noun} are shown: {shares}."


def rows(cards: Sequence[Card], subject: Subject) -> list[Row]:
    """Each perturbation."""
    return [
        (
            f"predictions that change, {subject.noun} {named(name)}",
            *(interval(card.perturbations[name]) for card in cards),
        )
        for name in cards[0].perturbations
    ]


def draw(cards: Sequence[Card], subject: Subject) -> Figure:
    """The share of predictions that change under each perturbation."""
    found = {named(name): share for name, share in cards[0].perturbations.items()}
    names = sorted(found, key=lambda name: -found[name].value)
    figure, (axes,) = style.new_figure(width=7.0, height=1.2 + 0.3 * len(names))
    across(
        axes, cards, names,
        lambda card: {named(name): share for name, share in card.perturbations.items()},
    )  # fmt: skip
    style.title(axes, f"predictions that change{after(cards, subject)}")
    legend(figure, axes, cards)
    style.caption(figure)
    return figure


PERTURBATIONS = Section(
    name="perturbations", applies=stored, measure=lambda asked: asked.family("perturbation"),
    say=say, rows=rows, draw=draw,
    caption="Share of predictions on test {noun} that change when the whole picture is changed. It"
    " says what predictions depend on, not what they should depend on. Bars: this network; marks:"
    " the others.",
)  # fmt: skip
