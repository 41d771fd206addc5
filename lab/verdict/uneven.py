"""The sentence on groups by columns of the user's own: one of them is predicted far worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.core.estimate import Estimate, difference
from lab.core.words import share

MARGIN = 0.1
"""Groups are named if their accuracies surely differ by more than this: the best and the worst of
several differ a little by chance alone."""

FAMILY = "group_accuracy/"


def uneven(metrics: Mapping[str, Estimate], noun: str, *, studied: bool = False) -> str:
    """The best and the worst group of a class on the test set, or of all if no class has two that
    differ; nothing without groups, or if they are about equally good. `studied`: some of the test
    set was studied."""
    groups = {
        tag.removeprefix(FAMILY): value for tag, value in metrics.items() if tag.startswith(FAMILY)
    }
    groups = {name: value for name, value in groups.items() if value.count}
    if len(groups) < 2:
        return ""
    by_class: dict[str, list[str]] = {}
    for name in groups:
        label, comma, _ = name.partition(",")
        by_class.setdefault(label if comma else "", []).append(name)
    within = [_extremes(groups, names) for names in by_class.values() if len(names) > 1]
    pairs = [pair for pair in within if _apart(groups, *pair)]
    told = ""
    if pairs:  # of one class, so that only the columns tell them apart
        worst, best = max(pairs, key=lambda pair: groups[pair[1]].value - groups[pair[0]].value)
        told = " What tells these groups apart may be what it goes by."
    else:
        worst, best = _extremes(groups, list(groups))
        if not _apart(groups, worst, best):
            return ""
    return (
        f"It is not equally good in all groups: it gets {share(groups[best], first=True)} of the"
        f" {'test' if studied else 'unseen'} {noun} of the group {best} right, but only"
        f" {share(groups[worst])} of {worst}.{told}"
    )


def _extremes(groups: Mapping[str, Estimate], names: Sequence[str]) -> tuple[str, str]:
    """The worst and the best of the names."""
    worst, *_, best = sorted(names, key=lambda name: groups[name].value)
    return worst, best


def _apart(groups: Mapping[str, Estimate], worst: str, best: str) -> bool:
    return difference(groups[best], groups[worst]).interval[0] > MARGIN
