"""The sentence on groups by columns of the user's own: one of them is predicted far worse."""

from __future__ import annotations

from collections.abc import Mapping

from lab.core.estimate import Estimate, difference
from lab.core.words import share

MARGIN = 0.1
"""Groups are named if their accuracies surely differ by more than this: the best and the worst of
several differ a little by chance alone."""

FAMILY = "group_accuracy/"


def uneven(metrics: Mapping[str, Estimate], noun: str) -> str:
    """The best and the worst group on the test set; nothing without groups, or if they are about
    equally good."""
    groups = {
        tag.removeprefix(FAMILY): value for tag, value in metrics.items() if tag.startswith(FAMILY)
    }
    groups = {name: value for name, value in groups.items() if value.count}
    if len(groups) < 2:
        return ""
    worst, *_, best = sorted(groups, key=lambda name: groups[name].value)
    if difference(groups[best], groups[worst]).interval[0] <= MARGIN:
        return ""
    return (
        f"It is not equally good in all groups: it gets {share(groups[best], first=True)} of the"
        f" unseen {noun} of the group {best} right, but only {share(groups[worst])} of"
        f" {worst}. What tells these groups apart may be what it goes by."
    )
