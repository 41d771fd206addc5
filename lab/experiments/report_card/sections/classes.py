"""Classes and groups: accuracy on each class of the user's pictures, and on each class with each
value of columns of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from lab.core.estimate import Estimate
from lab.experiments.report_card.card import Card
from lab.experiments.report_card.panels import NONE, accuracies, worst
from lab.experiments.report_card.phrases import Row, interval, lowest
from lab.experiments.report_card.sections.section import Section, stored
from lab.experiments.report_card.subject import Subject


def _classes(card: Card) -> Mapping[str, Estimate]:
    return card.classes


def _groups(card: Card) -> Mapping[str, Estimate]:
    """The groups in words: "cat, place indoors" for "cat,place=indoors"."""
    return {name.replace(",", ", ").replace("=", " "): share for name, share in card.groups.items()}


def _seeds(card: Card) -> int | None:
    """How many runs with the largest training set there are."""
    return card.best.test.count


def rows(
    cards: Sequence[Card],
    subject: Subject,
    *,
    by: str,
    of: Callable[[Card], Mapping[str, Estimate]],
) -> list[Row]:
    """The accuracy of each class or group, or of those with the lowest."""
    return [
        (f"accuracy on {by} {name}", *(interval(of(card).get(name, NONE)) for card in cards))
        for name in worst(of(cards[0]))
    ]


CLASSES = Section(
    name="classes", applies=stored, measure=lambda asked: asked.family("subpopulation_accuracy"),
    say=lambda cards, subject: lowest(cards[0].classes, by="class", seeds=_seeds(cards[0])),
    rows=partial(rows, by="class", of=_classes), draw=partial(accuracies, by="class", of=_classes),
    caption="Accuracy on the test {noun} of each class.",
)  # fmt: skip

GROUPS = Section(
    name="groups", applies=lambda subject: subject.grouped,
    measure=lambda asked: asked.family("group_accuracy"),
    say=lambda cards, subject: lowest(_groups(cards[0]), by="group", seeds=_seeds(cards[0])),
    rows=partial(rows, by="group", of=_groups), draw=partial(accuracies, by="group", of=_groups),
    caption="Accuracy on the test {noun} of each group: a class with values of the columns.",
)  # fmt: skip
