"""Estimates as text: the format of shares, numbers and their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lab.core.estimate import Estimate

NOTHING = "—"
"""What stands for a metric that there is no value of."""


def percent(value: float, digits: int = 1) -> str:
    """A share as '72.4 %'; only all is '100 %' and only nothing '0 %', whatever the rounding; '—'
    for NaN."""
    if math.isnan(value):
        return NOTHING
    if value in (0, 1):
        return f"{100 * value:.0f} %"
    least = 10.0**-digits
    if 0 < value < least / 200:
        return f"under {least:g} %"
    if 1 - least / 200 <= value < 1:
        return f"over {100 - least:g} %"
    return f"{100 * value:.{digits}f} %"


def chance(classes: int) -> str:
    """What a guess among so many equally frequent classes gets right, as '50 %' or '33.3 %'."""
    return f"{100 / classes:.3g} %"


def interval(figure: Estimate, digits: int = 2, *, sign: str = "") -> str:
    """The interval of an estimate as '0.71–0.74', or '-0.10 to 0.25' where an end is negative or
    has a `sign` ('+'); empty if it has none."""
    if figure.low is None or figure.high is None:
        return ""
    low, high = (f"{end:{sign}.{digits}f}" for end in (figure.low, figure.high))
    return f"{low} to {high}" if sign or low.startswith("-") else f"{low}–{high}"


def estimated(figure: Estimate, digits: int = 2, *, sign: str = "") -> str:
    """An estimate with its interval, as '0.72 (0.71–0.74)', or with a `sign` ('+') as
    '+0.12 (+0.05 to +0.19)'; without brackets if it has none, '—' for NaN."""
    if math.isnan(figure.value):
        return NOTHING
    ends = interval(figure, digits, sign=sign)
    return f"{figure.value:{sign}.{digits}f}" + (f" ({ends})" if ends else "")


def over_seeds(figure: Estimate, digits: int = 2, *, sign: str = "") -> str:
    """A mean over seeds with its interval, as `estimated` has it; '0.50 (all 3 seeds)' where all
    gave the same number, which tells nothing of their spread."""
    if not has_spread(figure) and not math.isnan(figure.value):
        return f"{figure.value:{sign}.{digits}f} (all {figure.count} seeds)"
    return estimated(figure, digits, sign=sign)


def has_spread(figure: Estimate) -> bool:
    """Whether the interval of a mean over seeds, if there is one, has two different ends."""
    return figure.low is None or figure.low != figure.high


def decides(figure: Estimate, *, ends: Sequence[float] = (0, 1)) -> bool:
    """Whether a claim about a mean over seeds can be decided by its interval. Where all seeds gave
    the same number it has none; but at an end of what the metric can be, those of a share unless
    `ends` says otherwise, no spread is to be seen: all training labels are fitted by all seeds."""
    return has_spread(figure) or figure.value in ends


def percents(figure: Estimate, digits: int = 1) -> str:
    """The interval of a share in percent, without the unit: '71.0–73.7'; empty if it has none."""
    if figure.low is None or figure.high is None:
        return ""
    return interval(Estimate(100 * figure.value, 100 * figure.low, 100 * figure.high), digits)


def share(figure: Estimate, *, first: bool = False, digits: int = 1) -> str:
    """A share with its interval, as '72.4 % (71.0–73.7)'; the `first` one in a text says what the
    brackets are."""
    ends = percents(figure, digits)
    what = "95 % interval: " if first else ""
    return percent(figure.value, digits) + (f" ({what}{ends})" if ends else "")


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
    ends = interval(figure)
    return f"AUC {figure.value:.2f} ({f'{ends}; ' if ends else ''}0.5 would be a guess)"


FEW = 0.1
"""Share up to which what is true of the others is said of all."""


def other_answers(own: int, others: int) -> float:
    """How far a network that knows a test example by `own` training examples of its class and
    `others` of other classes answers with another one: 1 without any of its own, a half where they
    are not more than the others, else 0."""
    return 0.0 if own > others else 0.5 if own else 1.0


def off(others: float, *, what: str) -> str:
    """What follows for figures of test examples that are known from training, of which the share
    `others` is so as of another class, with which a network that knows them answers; `what` says
    that."""
    if others <= FEW:
        return "too good"
    if others >= 1 - FEW:
        return f"too bad as far as the network goes by them, as {what}"
    return f"too good, or too bad where {what}"


def first_few(names: Sequence[str], most: int = 8) -> str:
    """The first of many names, and how many more there are: 'cat, dog and 12 more'."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def singular(noun: str) -> str:
    """One of what a world's `noun` is the plural of: 'face' of 'faces'."""
    return noun.removesuffix("s")


def those(number: int, one: str, more: str) -> str:
    """'1 is a copy' or '2,000 are copies', of `one` and `more` the words after the number."""
    return f"{number:,} {one if number == 1 else more}"


def capital(sentence: str) -> str:
    """A sentence with a capital at its beginning, and otherwise as it is."""
    return sentence[:1].upper() + sentence[1:]


def of_class(number: int, name: str) -> str:
    """A number of pictures with their class: '30 cat'; a name without letters stands in quotes:
    '30 "7"'."""
    named = name if any(c.isalpha() for c in name) else f'"{name}"'
    return f"{number:,} {named}"


def rivals(number: int, others: int) -> str:
    """What follows a name that is told as the first of all, where so many of the `others` cannot be
    told from it."""
    if number == others > 1:
        return ", though none of the others surely less"
    return f", which cannot be told from {number:,} of the others" if number else ""


def in_steps(number: int) -> str:
    """A number of steps: '1 step' or '2,000 steps'."""
    return those(number, "step", "steps")


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
