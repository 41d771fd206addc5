"""Pieces of plots that the sections of a report card share: the network in blue, those it is
compared with in other colors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lab.core.estimate import Estimate
from lab.experiments.report_card.card import Card
from lab.experiments.report_card.subject import Subject
from lab.experiments.show import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARES = (0.0, 1.0)
"""What is drawn lies between these; intervals are cut to them."""

NONE = Estimate.point(math.nan)
"""What a card does not have."""

SHOWN = 12
"""Subpopulations, classes or groups in a plot and in the table, at most: those on which the network
in question is worst."""

NARROW = 50
"""Letters of all names together that fit beside each other under bars; longer ones stand beneath
each other."""


def after(cards: Sequence[Card], subject: Subject) -> str:
    """The end of a title: how many the networks were trained on."""
    return f", {cards[0].best.faces:,} training {subject.noun}"


def line(
    axes: Axes, number: int, card: Card, points: Sequence[tuple[float, Estimate]],
    limits: tuple[float, float] = SHARES,
) -> None:  # fmt: skip
    """A network's line over the sizes of training sets."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    style.line(axes, xs, ys, color=style.color(number), label=card.name, limits=limits)


def bars(
    axes: Axes, cards: Sequence[Card], words: Sequence[str], of: Callable[[Card], list[Estimate]]
) -> None:
    """Bars for each of the words, one for each network."""
    style.bars(axes, words, [(card.name, of(card)) for card in cards], limits=SHARES)
    axes.set_ylim(0, 1.03)


def across(
    axes: Axes,
    cards: Sequence[Card],
    names: Sequence[str],
    of: Callable[[Card], Mapping[str, Estimate]],
) -> None:
    """Bars from the left for the first network, one beneath the other, and marks for the others."""
    places = -np.arange(len(names))
    for number, card in enumerate(cards):
        shown = [of(card).get(name, NONE).within(*SHARES) for name in names]
        values, color = [each.value for each in shown], style.color(number)
        if number == 0:
            axes.barh(places, values, 0.7, color=color, alpha=0.75, label=card.name)
            axes.hlines(places, *style.ends(shown), color=style.DARK, linewidth=1)
        else:
            axes.plot(values, places, "D", color=color, ms=5, label=card.name)
    axes.set_yticks(places, [name.replace("_", " ") for name in names], fontsize=style.SMALL)
    axes.set_xlim(0, 1)


def accuracies(
    cards: Sequence[Card],
    subject: Subject,
    *,
    by: str,
    of: Callable[[Card], Mapping[str, Estimate]],
) -> Figure:
    """The accuracy of each class or group, or of those on which the first network is worst."""
    names = worst(of(cards[0]))
    all_of = len(of(cards[0]))
    most = "" if len(names) == all_of else f", the lowest {len(names)} of {all_of:,}"
    title = f"accuracy by {by}{most}{after(cards, subject)}"
    wide = sum(map(len, names)) <= NARROW
    height = 3.4 if wide else 1.2 + 0.26 * len(names)
    figure, (axes,) = style.new_figure(width=7.0, height=height)
    if wide:
        bars(axes, cards, names, lambda card: [of(card).get(name, NONE) for name in names])
        style.reference(axes, subject.chance)
    else:
        across(axes, cards, names, of)
        axes.axvline(subject.chance, color=style.GRAY, linewidth=1, linestyle=":", zorder=0)
    style.title(axes, title)
    legend(figure, axes, cards)
    style.caption(figure)
    return figure


def worst(accuracies: Mapping[str, Estimate]) -> list[str]:
    """The names that are shown, in their own order: all, or those with the lowest accuracies."""
    ranked = sorted(accuracies, key=lambda name: accuracies[name].value)[:SHOWN]
    return [name for name in accuracies if name in ranked]


def legend(figure: Figure, axes: Axes, cards: Sequence[Card]) -> None:
    """One legend above all panels."""
    style.legend_above(figure, axes, order=[card.name for card in cards])
