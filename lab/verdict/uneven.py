"""The sentence on groups by columns of the user's own: one of them is predicted far worse."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations

from lab.core.estimate import Estimate, difference, widened
from lab.core.words import share

MARGIN = 0.05
"""Groups are named if their accuracies surely differ by more than this: smaller differences are
seldom what a network goes by."""

FAMILY = "group_accuracy/"

OF_CLASS = re.compile(r"(.*?),[^,=]+=")
"""The class at the beginning of a group's name, as of "cat,place=indoors"."""


def uneven(metrics: Mapping[str, Estimate], noun: str, *, studied: bool = False) -> str:
    """The two groups of one class that surely differ most on the test set, or of all if no class
    has two that do; nothing without groups, or if none differ beyond what chance makes of so many
    of them. `studied`: some of the test set was studied."""
    groups = {
        tag.removeprefix(FAMILY): value for tag, value in metrics.items() if tag.startswith(FAMILY)
    }
    groups = {name: value for name, value in groups.items() if value.count}
    if len(groups) < 2:
        return ""
    by_class: dict[str, list[str]] = {}
    for name in groups:
        found = OF_CLASS.match(name)  # a class may have commas in its name
        by_class.setdefault(found[1] if found else "", []).append(name)
    told = ""
    # of one class, so that only the columns tell them apart
    if pair := _apart(groups, [pair for names in by_class.values() for pair in _pairs(names)]):
        told = " What tells these groups apart may be what it goes by."
    else:
        pair = _apart(groups, _pairs(list(groups)))
        if not pair:
            return ""
    best, worst = pair
    return (
        f"It is not equally good in all groups: it gets {share(groups[best], first=True)} of the"
        f" {'test' if studied else 'unseen'} {noun} of the group {best} right, but only"
        f" {share(groups[worst])} of {worst}.{told}"
    )


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return list(combinations(names, 2))


def _apart(
    groups: Mapping[str, Estimate], pairs: Sequence[tuple[str, str]]
) -> tuple[str, str] | None:
    """The two groups, of these pairs, that surely differ most, the better one first; None if none
    differ by more than `MARGIN`. Their difference lies in an interval of which those of all pairs
    hold together (Bonferroni's correction): one pair of many differs a lot by chance."""
    if not pairs:
        return None
    wide = {name: widened(each, among=len(pairs)) for name, each in groups.items()}
    found = []
    for one, other in pairs:
        best, worst = sorted((one, other), key=lambda name: -groups[name].value)
        found.append((difference(wide[best], wide[worst]).interval[0], best, worst))
    surely, best, worst = max(found)
    return (best, worst) if surely > MARGIN else None
