"""The figures of a report card: the network in question in blue, those beside it in other colors.

Whiskers and bands are 95 % intervals over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.core.estimate import Estimate
from lab.experiments.report_card.card import FITTED, TARGETS, Card

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#1565c0", "#e07b00", "#2e7d32", "#8e24aa", "#6d4c41", "#00838f", "#c62828", "#455a64")

NUISANCES = 10
"""Nuisances in the profile: those that the network in question relies on most."""

Points = Sequence[tuple[float, Estimate]]


def draw(cards: Sequence[Card], relevant: Sequence[str]) -> dict[str, Figure]:
    """All figures by name, in the order of reading; `relevant` are the task's own attributes."""
    figures = {
        "learning": learning(cards),
        "cues": cues(cards),
        "reliance": reliance(cards, relevant),
        "kinds": kinds(cards),
    }
    if cards[0].parts:
        figures["parts"] = parts(cards)
    return figures


def learning(cards: Sequence[Card]) -> Figure:
    """Test accuracy, membership AUC and fitted random labels over the number of faces."""
    figure, (test, auc, noise) = _panels(3, width=3.7)
    for color, card in _colored(cards):
        _line(test, color, card.name, [(size.faces, size.test) for size in card.learning])
        _line(auc, color, card.name, [(size.faces, size.membership_auc) for size in card.learning])
        _line(noise, color, card.name, [(each.faces, each.train) for each in card.random_labels])
    learned = [size.faces for size in cards[0].learning]
    tried = [each.faces for each in cards[0].random_labels]
    guess = cards[0].chance
    for axes, title, sizes, marks, low in (
        (test, "test accuracy", learned, (guess, *TARGETS), guess),
        (auc, "membership AUC", learned, (0.5,), 0.5),
        (noise, "random labels: train accuracy", tried, (guess, FITTED), guess),
    ):
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=8)
        axes.minorticks_off()
        axes.set_ylim(low - 0.05, 1.03)
        axes.set_xlabel("training faces")
        axes.set_title(title, loc="left", fontsize=10)
        for mark in marks:
            axes.axhline(mark, color="#999999", linewidth=1, linestyle=":", zorder=0)
    _legend(figure, test, cards)
    return figure


def cues(cards: Sequence[Card]) -> Figure:
    """Reliance on each cue: where it is the only one, and where all of them say the same."""
    figure, (alone, among) = _panels(2, width=5.0)
    names = list(cards[0].cues)
    words = [name.replace("_", "\n") for name in names]
    _bars(alone, cards, words, lambda card: [card.cues[name].reliance for name in names])
    _bars(among, cards, words, lambda card: [card.cues[name].among_all for name in names])
    alone.set_title("reliance on a cue that is the only one", loc="left", fontsize=10)
    among.set_title("reliance on each, where all say the same", loc="left", fontsize=10)
    _legend(figure, alone, cards)
    return figure


def kinds(cards: Sequence[Card]) -> Figure:
    """Accuracy on each kind of picture, after most faces."""
    figure, (axes,) = _panels(1, width=7.0)
    names = list(cards[0].subpopulations)
    _bars(axes, cards, names, lambda card: [card.subpopulations[name] for name in names])
    axes.axhline(cards[0].chance, color="#999999", linewidth=1, linestyle=":", zorder=0)
    axes.set_title(f"accuracy by kind of picture{_after(cards)}", loc="left", fontsize=10)
    _legend(figure, axes, cards)
    return figure


def reliance(cards: Sequence[Card], relevant: Sequence[str]) -> Figure:
    """Reliance on what the label depends on, and on the nuisances that it relies on most."""
    own = cards[0].reliance
    asked = [name for name in relevant if name in own]
    others = sorted((n for n in own if n not in relevant), key=lambda name: -own[name].value)
    names = [*asked, *others[:NUISANCES]]
    figure, (axes,) = _panels(1, width=7.0, height=1.2 + 0.26 * len(names))
    places = -np.arange(len(names))
    for number, (color, card) in enumerate(_colored(cards)):
        shown = [card.reliance.get(name) for name in names]
        values = np.array([np.nan if each is None else each.value for each in shown])
        if number == 0:
            axes.barh(places, values, 0.7, color=color, alpha=0.75, label=card.name)
            axes.hlines(places, *_ends(shown), color="#333333", linewidth=1)
        else:
            axes.plot(values, places, "D", color=color, ms=5, label=card.name)
    axes.set_yticks(places, [name.replace("_", " ") for name in names], fontsize=8)
    axes.axhline(0.5 - len(asked), color="#999999", linewidth=1, linestyle=":")
    axes.text(1.02, 0.4 - len(asked) + 0.15, "should be 1", fontsize=8, color="#666666")
    axes.text(1.02, 0.4 - len(asked) - 0.75, "should be 0", fontsize=8, color="#666666")
    axes.set_xlim(0, 1)
    axes.set_title(f"answers that change with one attribute{_after(cards)}", loc="left",
                   fontsize=10)  # fmt: skip
    _legend(figure, axes, cards)
    return figure


def parts(cards: Sequence[Card]) -> Figure:
    """How often faces with each set of parts are called a person, beside the true rule."""
    sets = list(cards[0].parts)[::-1]
    rule = [float(number == 0) for number in range(len(sets))]
    columns = [rule, *([card.parts[each].value for each in sets] for card in cards)]
    table = np.array(columns).T  # (16, 1 + models)
    figure, (axes,) = _panels(1, width=2.5 + 1.1 * len(columns), height=1.0 + 0.27 * len(sets))
    axes.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(table):
        axes.text(column, row, f"{share:.2f}", ha="center", va="center", fontsize=8,
                  color="white" if share > 0.6 else "black")  # fmt: skip
    axes.set_xticks(range(len(columns)), ["the rule", *(card.name for card in cards)], fontsize=8)
    axes.set_yticks(range(len(sets)), sets, fontsize=8)
    axes.tick_params(length=0)
    axes.set_title(f"called a person, by the parts a face has{_after(cards)}", loc="left",
                   fontsize=10)  # fmt: skip
    return figure


def _after(cards: Sequence[Card]) -> str:
    return f", {cards[0].best.faces:,} training faces"


def _panels(count: int, *, width: float, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count, height), layout="constrained")
    found = list(figure.subplots(1, count, squeeze=False).flat)
    for axes in found:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, found


def _colored(cards: Sequence[Card]) -> list[tuple[str, Card]]:
    return [(COLORS[number % len(COLORS)], card) for number, card in enumerate(cards)]


def _line(axes: Axes, color: str, label: str, points: Points) -> None:
    xs = [x for x, _ in points]
    axes.plot(xs, [y.value for _, y in points], color=color, marker="o", ms=4, label=label)
    low, high = _ends([y for _, y in points])
    axes.fill_between(xs, low, high, color=color, alpha=0.15, linewidth=0)


def _bars(
    axes: Axes, cards: Sequence[Card], words: Sequence[str], of: Callable[[Card], list[Estimate]]
) -> None:
    width = 0.8 / len(cards)
    for number, (color, card) in enumerate(_colored(cards)):
        shown = of(card)
        places = np.arange(len(words)) + (number - (len(cards) - 1) / 2) * width
        values = [each.value for each in shown]
        axes.bar(places, values, width, color=color, alpha=0.75, label=card.name)
        axes.vlines(places, *_ends(shown), color="#333333", linewidth=1)
    axes.set_xticks(range(len(words)), words, fontsize=8)
    axes.set_ylim(0, 1.03)


def _ends(shown: Sequence[Estimate | None]) -> tuple[list[float], list[float]]:
    """The ends of intervals, within what a share can be; the value itself where there is none."""
    low, high = [], []
    for each in shown:
        known = each or Estimate.point(float("nan"))
        ends = (known.value, known.value) if known.low is None else known.interval
        low.append(max(0.0, ends[0]) if known.low is not None else ends[0])
        high.append(min(1.0, ends[1]) if known.high is not None else ends[1])
    return low, high


def _legend(figure: Figure, axes: Axes, cards: Sequence[Card]) -> None:
    order = [card.name for card in cards]
    by_label = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    labels = [name for name in order if name in by_label]
    handles = [by_label[name] for name in labels]
    options: Mapping[str, Any] = {"frameon": False, "ncols": len(labels), "fontsize": 9}
    figure.legend(handles, labels, loc="outside upper left", **options)
