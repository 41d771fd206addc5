"""What the answers rely on, in words: misleading cues, nuisances that matter, parts that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.estimate import Estimate
from lab.measure.intervals import difference
from lab.measure.words import listed, percent, share, spoken

Figures = Mapping[str, Estimate]

RELIES = 0.1
"""A nuisance whose reliance is surely above this is named as one that matters."""
IGNORES = 0.5
"""What the label depends on is named as hardly noticed if its reliance is surely below this."""
MOST = 3
"""Nuisances that are named at most: the rest is in the pictures."""


def misled(figures: Figures, cues: Sequence[str]) -> tuple[str, str] | None:
    """Do the `cues` mislead it? A kind and a sentence; `None` where there are none to judge by."""
    against, unbiased = figures.get("accuracy/conflicting"), figures.get("accuracy/unbiased")
    if against is None or unbiased is None or not cues:
        return None
    names, many = listed([spoken(cue) for cue in cues]), len(cues) > 1
    where = f"where {names} contradict{'' if many else 's'} the label"
    right = f"{share(against)} of unseen faces"
    leans = difference(unbiased, against).ends[0] > 0
    if leans and against.ends[1] < 0.5:
        return "misled", (
            f"It goes by {names} instead of the task: {where}, it is right about only {right}."
        )
    if leans:
        return "misled partly", (
            f"It leans on {names}: {where}, it is right about {right}, and about {share(unbiased)}"
            f" where {'they say' if many else 'it says'} nothing."
        )
    return "not misled", (
        f"{names[0].upper()}{names[1:]} did not mislead it: {where}, it is right about {right}."
    )


def combined(figures: Figures) -> tuple[str, str] | None:
    """Does it master combinations that training held out? `None` where there are none."""
    unseen, test = figures.get("accuracy/held_out"), figures.get("accuracy/test")
    if unseen is None or test is None:
        return None
    numbers = f"right about {share(unseen)} of them, and about {share(test)} of other unseen faces"
    if difference(test, unseen).ends[0] > 0:
        return "combinations missed", f"Combinations it never saw confuse it: it is {numbers}."
    return "combinations mastered", f"Combinations it never saw do not confuse it: it is {numbers}."


def relied_on(figures: Figures, relevant: Sequence[str]) -> str:
    """A sentence on the nuisances that change most answers, or nothing."""
    found = {
        name: figure
        for name, figure in _reliance(figures).items()
        if name not in relevant and figure.ends[0] > RELIES
    }
    top = sorted(found, key=lambda name: -found[name].value)[:MOST]
    if not top:
        return ""
    numbers = listed([f"{spoken(name)} in {share(found[name])}" for name in top])
    others = len(found) - MOST
    more = f" (and {others} other{'s' if others > 1 else ''})" if others > 0 else ""
    one = "one of these things" if len(found) > 1 else "one thing"
    return (
        f"Its answer changes when {one} changes and all else stays: {numbers} of faces{more}. It"
        " should not."
    )


def ignored(figures: Figures, varied: Sequence[str]) -> str:
    """A sentence on what it hardly notices among the attributes that the label depends on and that
    its training faces `varied` in, or nothing."""
    found = {
        name: figure
        for name, figure in _reliance(figures).items()
        if name in varied and figure.ends[1] < IGNORES
    }
    if not found:
        return ""
    order = sorted(found, key=lambda name: found[name].value)
    numbers = listed([f"{spoken(name)} ({percent(found[name].value)})" for name in order])
    return (
        "It hardly notices what the label depends on: its answer should always change with it, but"
        f" seldom does for {numbers}."
    )


def _reliance(figures: Figures) -> dict[str, Estimate]:
    prefix = "reliance/"
    return {tag.removeprefix(prefix): f for tag, f in figures.items() if tag.startswith(prefix)}
