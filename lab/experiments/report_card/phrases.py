"""Pieces of text that the sections of a report card share."""

from __future__ import annotations

from collections.abc import Mapping

from lab.core.estimate import Estimate
from lab.core.words import decides, listed, over_seeds

Row = tuple[str, ...]

LONG = 10
"""Names that a sentence lists with their figures, at most."""

LOWEST = 3
"""Of more names those with the lowest figures are listed."""


def interval(share: Estimate) -> str:
    """A share, the mean over seeds, with its interval."""
    return over_seeds(share.within(0, 1))


def apart(high: Estimate, low: Estimate) -> bool:
    """Whether the interval of one share, a mean over seeds, lies above that of the other."""
    return decides(high) and decides(low) and high.interval[0] > low.interval[1]


def unless(rivals: list[str]) -> str:
    """What follows a name that is told as the first of all: those that cannot be told from it."""
    return f", which cannot be told from {listed(rivals)}" if rivals else ""


def lowest(accuracies: Mapping[str, Estimate], *, by: str, seeds: int | None = None) -> str:
    """A sentence on the accuracy of each subpopulation, class or group, and which is lowest,
    unless all are equal; of many only the lowest are listed. Of those that not all test sets of so
    many `seeds` have it says so."""
    ranked = sorted(accuracies, key=lambda name: accuracies[name].value)
    worst = ranked[0]
    told = list(accuracies) if len(ranked) <= LONG else ranked[:LOWEST]
    ends, mark = (" ", ", ") if all(map(str.isalpha, told)) else (": ", "; ")
    shares = mark.join(f"{name}{ends}{interval(accuracies[name])}" for name in told)
    if len(told) < len(ranked):
        some = _lacking(accuracies, seeds, by=by)
        return f"Accuracy by {by}, the lowest of {len(ranked):,}: {shares}.{some}"
    rivals = [
        name
        for name, share in accuracies.items()
        if name != worst and not apart(share, accuracies[worst])
    ]
    if len(rivals) > (LOWEST if mark == ", " else 1):
        all_others = len(rivals) == len(accuracies) - 1
        rivals = ["any other" if all_others else f"{len(rivals)} others"]
    unsure = f", though not surely lower than on {listed(rivals)}" if rivals else ""
    same = len({share.value for share in accuracies.values()}) == 1 < len(ranked)
    ends = "" if same else f" It is lowest on {worst}{unsure}."
    return f"Accuracy by {by}: {shares}.{ends}{_lacking(accuracies, seeds, by=by)}"


def _lacking(accuracies: Mapping[str, Estimate], seeds: int | None, *, by: str) -> str:
    """A sentence on those that the test sets of some of the `seeds` lack; empty if there are
    none."""
    if seeds is None:
        return ""
    having = {name: share.count or 1 for name, share in accuracies.items()}
    some = [f"{name} (in those of {k:,})" for name, k in having.items() if k < seeds]
    if not some:
        return ""
    if len(some) > LOWEST:
        some = [*some[:LOWEST], f"{len(some) - LOWEST:,} more"]
    then = "; the worst group of each is one that it has" if by == "group" else ""
    return f" Not in the test sets of all {seeds:,} seeds: {listed(some)}{then}."
