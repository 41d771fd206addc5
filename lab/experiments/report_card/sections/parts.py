"""Parts: what a network makes of faces with each subset of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lab.core.estimate import Estimate
from lab.core.words import percent
from lab.experiments.report_card.ask import as_words, asks_for_parts, by_parts
from lab.experiments.report_card.card import Card
from lab.experiments.report_card.phrases import Row, apart, interval
from lab.experiments.report_card.sections.section import Asked, Section, drawn
from lab.experiments.report_card.subject import Subject
from lab.experiments.show import style
from lab.worlds import get_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def measure(asked: Asked) -> dict[str, Estimate]:
    """The share of pictures with each set of parts that is called the last class; nothing for a
    task that is not about parts."""
    if not asks_for_parts(get_task(asked.base.data.task)):
        return {}
    return as_words(by_parts(asked.last, device=asked.device))


def say(cards: Sequence[Card], subject: Subject) -> str:
    """How often complete faces are called persons, and which incomplete ones."""
    card = cards[0]
    if not card.parts:
        return ""
    *others, whole = card.parts
    worst = max(others, key=lambda parts: card.parts[parts].value)
    taken = card.parts[worst]
    rivals = sum(not apart(taken, card.parts[each]) for each in others) - 1
    sets = f"{rivals} other set{'s' if rivals > 1 else ''}"
    unless = f", which cannot be told from {sets} of parts" if rivals else ""
    return (
        f"Trained on {card.best.faces:,} faces it predicts {percent(card.parts[whole].value, 0)} of"
        " complete faces to be persons. Of the incomplete ones it does so most often for:"
        f" {worst} {interval(taken)}{unless}."
    )


def part_rows(cards: Sequence[Card]) -> tuple[Row, list[Row]]:
    """The header and the rows of the table of all subsets of the parts, the complete face first."""
    rows = [
        (parts, f"{number == 0:d}", *(interval(card.parts[parts]) for card in cards))
        for number, parts in enumerate(reversed(list(cards[0].parts)))
    ]
    return ("parts", "true rule", *(card.name for card in cards)), rows


def draw(cards: Sequence[Card], subject: Subject) -> Figure | None:
    """How often faces with each set of parts are called a person, beside the true rule."""
    if not cards[0].parts:
        return None
    sets = list(cards[0].parts)[::-1]
    rule = [float(number == 0) for number in range(len(sets))]
    columns = [rule, *([card.parts[each].value for each in sets] for card in cards)]
    table = np.array(columns).T  # (16, 1 + models)
    figure, (axes,) = style.new_figure(
        width=2.5 + 1.1 * len(columns), height=1.0 + 0.27 * len(sets)
    )
    axes.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(table):
        axes.text(column, row, f"{share:.2f}", ha="center", va="center", fontsize=style.SMALL,
                  color="white" if share > 0.6 else "black")  # fmt: skip
    axes.set_xticks(
        range(len(columns)), ["the rule", *(card.name for card in cards)], fontsize=style.SMALL
    )
    axes.set_yticks(range(len(sets)), sets, fontsize=style.SMALL)
    axes.tick_params(length=0)
    # in two lines: next to the names of the sets there is little room
    style.title(axes, f"called a person, by parts\n{cards[0].best.faces:,} training faces")
    return figure


PARTS = Section(
    name="parts", applies=drawn, left_out="predictions for each set of parts", measure=measure,
    say=say, draw=draw,
    caption="Share of faces with each subset of the parts that is predicted to be a person. By the"
    " true rule only the complete face is one.",
)  # fmt: skip
