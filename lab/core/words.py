"""Figures as words: rounding that never claims more than the figure, and round numbers to try."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lab.core.estimate import Estimate


def percent(value: float) -> str:
    """A share as '72.4 %'; only all is '100 %' and only nothing '0 %', whatever the rounding."""
    if value in (0, 1):
        return f"{100 * value:.0f} %"
    if 0 < value < 0.0005:
        return "under 0.1 %"
    if 0.9995 <= value < 1:
        return "over 99.9 %"
    return f"{100 * value:.1f} %"


def chance(classes: int) -> str:
    """What a guess among so many equally frequent classes gets right, as '50 %' or '33.3 %'."""
    return f"{100 / classes:.3g} %"


def share(figure: Estimate, *, first: bool = False) -> str:
    """A share with its interval, as '72.4 % (71.0–73.7)'; the `first` one in a text says what the
    brackets are."""
    if figure.low is None or figure.high is None:
        return percent(figure.value)
    what = "95 % interval: " if first else ""
    return f"{percent(figure.value)} ({what}{100 * figure.low:.1f}–{100 * figure.high:.1f})"


def counted(figure: Estimate, what: str) -> str:
    """An exact share of some counted things: 'all 100 faces', 'none of the 100 faces' or '97 of the
    100 faces', where `what` is '100 faces'."""
    if figure.count is None or math.isnan(figure.value):
        return f"{percent(figure.value)} of the {what}"
    if figure.value == 1:
        return f"all {what}"
    number = round(figure.value * figure.count)
    return f"{number:,} of the {what}" if number else f"none of the {what}"


def auc(figure: Estimate) -> str:
    """An area with its interval, as 'AUC 0.91 (0.88–0.93; 0.5 would be a guess)'."""
    ends = "" if figure.low is None else f"{figure.low:.2f}–{figure.high:.2f}; "
    return f"AUC {figure.value:.2f} ({ends}0.5 would be a guess)"


def singular(noun: str) -> str:
    """One of what a world's `noun` is the plural of: 'face' of 'faces'."""
    return noun.removesuffix("s")


def spoken(name: str) -> str:
    """An attribute's name as words of a sentence."""
    return name.replace("_", " ")


def listed(words: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def rung(value: float, *, most: int) -> int:
    """The nearest of 1, 3, 10, 30, 100, … (in ratio) to `value`, at most `most`."""
    rungs = [factor * int(10**power) for power in range(10) for factor in (1, 3)]
    return min(most, min(rungs, key=lambda candidate: abs(math.log(candidate / value))))
