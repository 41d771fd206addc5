"""The plots of a report card: the network in blue, those it is compared with in other colors.

Whiskers and bands are 95 % intervals over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lab.core.estimate import Estimate
from lab.experiments.metrics import FITTED
from lab.experiments.report_card.card import TARGETS, Card
from lab.experiments.show import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUISANCES = 10
"""Nuisances in the profile: those that the network in question relies on most."""

Points = Sequence[tuple[float, Estimate]]

SHARES = (0.0, 1.0)
"""What is drawn lies between these; intervals are cut to them."""

NONE = Estimate.point(math.nan)
"""What a card does not have."""


def draw(cards: Sequence[Card], relevant: Sequence[str]) -> dict[str, Figure]:
    """All plots by name, in the order of reading; `relevant` are the task's own attributes."""
    drawn = {
        "learning": learning(cards),
        "cues": cues(cards),
        "reliance": reliance(cards, relevant),
        "subpopulations": subpopulations(cards),
    }
    for figure in drawn.values():
        style.caption(figure)
    if cards[0].parts:
        drawn["parts"] = parts(cards)
    return drawn


def learning(cards: Sequence[Card]) -> Figure:
    """Test accuracy, membership AUC and fitted random labels over the number of faces."""
    figure, (test, auc, noise) = style.new_figure(3, width=3.7, height=3.4)
    for number, card in enumerate(cards):
        _line(test, number, card, [(size.faces, size.test) for size in card.learning])
        _line(auc, number, card, [(size.faces, size.membership_auc) for size in card.learning])
        _line(noise, number, card, [(each.faces, each.train) for each in card.random_labels])
    learned = [size.faces for size in cards[0].learning]
    tried = [each.faces for each in cards[0].random_labels]
    guess = cards[0].chance
    for axes, title, sizes, marks, low in (
        (test, "test accuracy", learned, (guess, *TARGETS), guess),
        (auc, "membership AUC", learned, (0.5,), 0.5),
        (noise, "random labels: train accuracy", tried, (guess, FITTED), guess),
    ):
        style.size_axis(axes, sizes)
        axes.set_ylim(low - 0.05, 1.03)
        axes.set_xlabel("training faces")
        style.title(axes, title)
        style.reference(axes, *marks)
    _legend(figure, test, cards)
    return figure


def cues(cards: Sequence[Card]) -> Figure:
    """Reliance on each cue: where it is the only one, and where all of them say the same."""
    figure, (alone, among) = style.new_figure(2, width=5.0, height=3.4)
    names = list(cards[0].cues)
    words = [name.replace("_", "\n") for name in names]
    _bars(alone, cards, words, lambda card: [card.cues[name].reliance for name in names])
    _bars(among, cards, words, lambda card: [card.cues[name].among_all for name in names])
    style.title(alone, "reliance on a cue that is the only one")
    style.title(among, "reliance on each, where all say the same")
    _legend(figure, alone, cards)
    return figure


def subpopulations(cards: Sequence[Card]) -> Figure:
    """Accuracy on each kind of picture, after most faces."""
    figure, (axes,) = style.new_figure(width=7.0, height=3.4)
    names = list(cards[0].subpopulations)
    _bars(axes, cards, names, lambda card: [card.subpopulations[name] for name in names])
    style.reference(axes, cards[0].chance)
    style.title(axes, f"accuracy by kind of picture{_after(cards)}")
    _legend(figure, axes, cards)
    return figure


def reliance(cards: Sequence[Card], relevant: Sequence[str]) -> Figure:
    """Reliance on what the label depends on, and on the nuisances that it relies on most."""
    own = cards[0].reliance
    asked = [name for name in relevant if name in own]
    others = sorted((n for n in own if n not in relevant), key=lambda name: -own[name].value)
    names = [*asked, *others[:NUISANCES]]
    figure, (axes,) = style.new_figure(width=7.0, height=1.2 + 0.26 * len(names))
    places = -np.arange(len(names))
    for number, card in enumerate(cards):
        shown = [card.reliance.get(name, NONE).within(*SHARES) for name in names]
        values, color = [each.value for each in shown], style.color(number)
        if number == 0:
            axes.barh(places, values, 0.7, color=color, alpha=0.75, label=card.name)
            axes.hlines(places, *style.ends(shown), color=style.DARK, linewidth=1)
        else:
            axes.plot(values, places, "D", color=color, ms=5, label=card.name)
    axes.set_yticks(places, [name.replace("_", " ") for name in names], fontsize=style.SMALL)
    style.reference(axes, 0.5 - len(asked))
    axes.text(1.02, 0.4 - len(asked) + 0.15, "should be 1", fontsize=style.SMALL, color="#666666")
    axes.text(1.02, 0.4 - len(asked) - 0.75, "should be 0", fontsize=style.SMALL, color="#666666")
    axes.set_xlim(0, 1)
    style.title(axes, f"answers that change with one attribute{_after(cards)}")
    _legend(figure, axes, cards)
    return figure


def parts(cards: Sequence[Card]) -> Figure:
    """How often faces with each set of parts are called a person, beside the true rule."""
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


def _after(cards: Sequence[Card]) -> str:
    return f", {cards[0].best.faces:,} training faces"


def _line(axes: Axes, number: int, card: Card, points: Points) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    style.line(axes, xs, ys, color=style.color(number), label=card.name, limits=SHARES)


def _bars(
    axes: Axes, cards: Sequence[Card], words: Sequence[str], of: Callable[[Card], list[Estimate]]
) -> None:
    style.bars(axes, words, [(card.name, of(card)) for card in cards], limits=SHARES)
    axes.set_ylim(0, 1.03)


def _legend(figure: Figure, axes: Axes, cards: Sequence[Card]) -> None:
    style.legend_above(figure, axes, order=[card.name for card in cards])
