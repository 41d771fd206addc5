"""Cues: which of several nuisances that determine the label a network relies on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.core.config import RunConfig
from lab.core.words import spoken
from lab.experiments.plan import Plan
from lab.experiments.presets import equal_cues
from lab.experiments.report_card.card import Card, CueAdopted
from lab.experiments.report_card.panels import bars, legend
from lab.experiments.report_card.phrases import Row, apart, interval, unless
from lab.experiments.report_card.sections.section import Asked, Section, drawn
from lab.experiments.report_card.subject import Subject
from lab.experiments.runner.grid import with_settings
from lab.experiments.show import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CUE_FACES = 1000
"""Training faces where there are cues."""


def grid(base: RunConfig, models: Sequence[str]) -> Plan:
    """Each cue alone, and all together."""
    return equal_cues.plan(with_settings(base, {"num_train": CUE_FACES}), models)


def measure(asked: Asked) -> dict[str, CueAdopted]:
    """What the model makes of each cue."""
    task, table = asked.base.data.task, asked.tables["cues"]
    among = table.cell(model=asked.model, cues=equal_cues.together(task))
    found = {}
    for cue, world in zip(equal_cues.cues_of(task), equal_cues.alone(task), strict=True):
        cell = table.cell(model=asked.model, cues=world)
        found[cue] = CueAdopted(
            reliance=cell.mean(f"reliance/{cue}"),
            unbiased=cell.mean("accuracy/unbiased"),
            among_all=among.mean(f"reliance/{cue}"),
        )
    return found


def say(cards: Sequence[Card], subject: Subject) -> str:
    """Reliance on each, and the one that it relies on most."""
    card = cards[0]
    if not card.cues:
        return ""
    ranked = sorted(card.cues, key=lambda cue: -card.cues[cue].among_all.value)
    alone = ", ".join(
        f"{spoken(cue)} {interval(adopted.reliance)}" for cue, adopted in card.cues.items()
    )
    first = ranked[0]
    most = card.cues[first].among_all
    rivals = [spoken(cue) for cue in ranked[1:] if not apart(most, card.cues[cue].among_all)]
    return (
        "Reliance on each cue, where it alone determines the label in training:"
        f" {alone}. Where all of them do, it relies most on {spoken(first)}"
        f" {interval(most)}{unless(rivals)}."
    )


def rows(cards: Sequence[Card], subject: Subject) -> list[Row]:
    """Reliance on each cue."""
    return [
        (
            f"reliance on {spoken(cue)} as the only cue",
            *(interval(c.cues[cue].reliance) for c in cards),
        )
        for cue in cards[0].cues
    ]


def draw(cards: Sequence[Card], subject: Subject) -> Figure:
    """Reliance on each cue: where it is the only one, and where all of them say the same."""
    figure, (alone, among) = style.new_figure(2, width=5.0, height=3.4)
    names = list(cards[0].cues)
    words = [name.replace("_", "\n") for name in names]
    bars(alone, cards, words, lambda card: [card.cues[name].reliance for name in names])
    bars(among, cards, words, lambda card: [card.cues[name].among_all for name in names])
    style.title(alone, "reliance on a cue that is the only one")
    style.title(among, "reliance on each, where all say the same")
    legend(figure, alone, cards)
    style.caption(figure)
    return figure


CUES = Section(
    name="cues", applies=drawn, left_out="cues", grid=grid, measure=measure, say=say, rows=rows,
    draw=draw,
    caption="Reliance on each cue, alone and among all. 1: every prediction changes with the cue.",
)  # fmt: skip
