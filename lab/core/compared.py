"""What a test set is compared with: rules that warnings before training and the measures after it
both go by."""

from __future__ import annotations

from collections.abc import Sequence

from lab.core.estimate import shares_differ

FEWEST_RIGHT = 10
"""Fewest rightly labeled examples that are compared."""

FEWEST_KNOWN = 10
"""Fewest test examples of groups that the training set has, by which the two sets are compared."""

LACKING = 0.02
"""Share of the test examples of classes that the training set lacks, from which on they count."""

Counts = tuple[Sequence[int], Sequence[int]]
"""How many training and how many test examples there are at the same places (classes, groups)."""


def right_ones_alone(right: int, count: int) -> bool:
    """Whether the `right` rightly labeled examples of `count` are compared without the others: not
    if all are, fewer than half are (their labels are then the exceptions), or hardly any."""
    return right < count and right >= max(FEWEST_RIGHT, count / 2)


def in_both(counts: Sequence[int], others: Sequence[int]) -> int:
    """How many test examples are at places that the training set has, too."""
    return sum(other for count, other in zip(counts, others, strict=True) if count)


def counted_by_place(counts: Sequence[int], others: Sequence[int]) -> bool:
    """Whether each place counts at its share of the test set: its shares surely differ between the
    sets, of `counts` and `others` examples, or the training set lacks what much of the test set is;
    and some of the test set is of what the training set has."""
    known = in_both(counts, others)
    lacks = known < (1 - LACKING) * sum(others)
    return known > 0 and (lacks or shares_differ(counts, others))


def groups_serve(groups: Counts, classes: Counts, *, kinds: bool) -> bool:
    """Whether groups can stand for the classes they divide: of kinds of examples, such as sites,
    some test examples are in groups that the training set has; of clusters, such as patients, of
    which each should be in one set, most of those of its classes are."""
    if kinds:
        return in_both(*groups) >= FEWEST_KNOWN
    return 2 * in_both(*groups) >= in_both(*classes)


def in_unstudied_groups(groups: Counts, classes: Counts, *, kinds: bool) -> int:
    """How many test examples of the training set's classes are of groups that it lacks, where these
    are kinds of examples and hardly any are of others, so that groups cannot be compared; else 0.
    """
    if not kinds or groups_serve(groups, classes, kinds=kinds):
        return 0
    return in_both(*classes) - in_both(*groups)
