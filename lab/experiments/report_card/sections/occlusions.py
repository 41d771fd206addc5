"""Occlusions: how often predictions change when a part of each picture is covered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lab.core.estimate import Estimate
from lab.core.words import rivals
from lab.experiments.report_card.card import Card
from lab.experiments.report_card.panels import NONE, SHARES, after
from lab.experiments.report_card.phrases import Row, apart, interval
from lab.experiments.report_card.sections.section import Section, stored
from lab.experiments.report_card.subject import Subject
from lab.experiments.show import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
"""Networks side by side in the figure."""


def say(cards: Sequence[Card], subject: Subject) -> str:
    """The patch that it needs most, and how many others cannot be told from it."""
    found = cards[0].occlusions
    most = max(found, key=lambda name: found[name].value)
    others = sum(not apart(found[most], share) for name, share in found.items() if name != most)
    if found[most].value == 0:
        return f"None of {len(found)} patches, when it is covered, changes a prediction."
    return (
        f"Of {len(found)} patches of the {subject.noun} it needs that in {_place(most)} most"
        f"{rivals(others, len(found) - 1)}: {interval(found[most])} of its predictions change when"
        " that is covered."
    )


def rows(cards: Sequence[Card], subject: Subject) -> list[Row]:
    """The patch that the first network needs most."""
    found = cards[0].occlusions
    most = max(found, key=lambda name: found[name].value)
    shares = (interval(card.occlusions.get(most, NONE)) for card in cards)
    return [(f"predictions that change, patch in {_place(most)} covered", *shares)]


def draw(cards: Sequence[Card], subject: Subject) -> Figure:
    """The share of predictions that change when each patch is covered: a grid for each network, of
    the same colors."""
    figure, panels = style.new_figure(len(cards), columns=COLUMNS, width=2.6, height=2.6)
    tables = [_grid(card) for card in cards]
    top = max(float(np.nanmax(table)) for table in tables)
    for axes, card, table in zip(panels, cards, tables, strict=True):
        axes.imshow(table, cmap="viridis", vmin=SHARES[0], vmax=max(top, 0.01))
        axes.set_xticks([])
        axes.set_yticks([])
        style.title(axes, card.name)
        for (row, column), value in np.ndenumerate(table):
            dark = value < 0.6 * top
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=style.SMALL,
                      color="white" if dark else "black")  # fmt: skip
    figure.suptitle(f"predictions that change{after(cards, subject)}", fontsize=10)
    return figure


def _grid(card: Card) -> np.ndarray:
    """The shares of a network at the places of their patches."""
    places: dict[tuple[int, int], Estimate] = {}
    for name, share in card.occlusions.items():
        row, column = map(int, re.findall(r"\d+", name))
        places[row - 1, column - 1] = share
    table = np.full([1 + max(place[axis] for place in places) for axis in (0, 1)], np.nan)
    for place, share in places.items():
        table[place] = share.value
    return table


def _place(patch: str) -> str:
    """The place of a patch in words."""
    return re.sub(r"row(\d+)_column(\d+)", r"row \1 and column \2", patch)


OCCLUSIONS = Section(
    name="occlusions", applies=stored, measure=lambda asked: asked.family("occlusion"),
    say=say, rows=rows, draw=draw,
    caption="Share of predictions on test {noun} that change when one patch is covered with the"
    " mean color of its picture, at the place of the patch; means over the seeds.",
)  # fmt: skip
