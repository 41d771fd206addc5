"""Clusters that the user states by `--clusters`: which pictures from disk belong together, as those
of one patient.

All pictures of a cluster are in one set: for training, for validation or for the test. Where the
two sets are given, this is checked, and not changed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar

import torch
from torch import Tensor

from lab.core.seeds import permutation
from lab.core.text import plain
from lab.core.words import capital, those
from lab.worlds.clusters import Clusters, of_two_sets
from lab.worlds.marks import Marks, column_marks, one_number

FLAG = "--clusters"

T = TypeVar("T", bound=Hashable)
"""What a picture is known by."""

Classes = Sequence[Sequence[T]]
"""The pictures of each class, in an order."""


@dataclass(frozen=True)
class StatedClusters(Generic[T]):
    """The clusters by `marks`, the texts that the pictures of a cluster have in common, of all
    `pictures`. One without a mark is a cluster by itself. `name` is what the user called them by,
    a column or a pattern."""

    name: str
    marks: Marks[T]
    pictures: Sequence[T]

    @cached_property
    def number(self) -> Mapping[T, int]:
        """The cluster of each picture, from 0 on: by its mark, in the order of these; those without
        one last."""
        place = {mark: number for number, mark in enumerate(sorted(set(self.marks.of.values())))}
        found: dict[T, int] = {}
        for item in self.pictures:
            mark = self.marks.of.get(item)
            found[item] = place[mark] if mark is not None else len(place) + len(found)
        return found

    def called(self, item: T) -> str:
        """The mark of a picture's cluster; "" if it has none."""
        return self.marks.of.get(item, "")

    def numbers(self, items: Sequence[T]) -> Tensor:
        """The clusters of pictures (N,) int64."""
        return torch.tensor([self.number[item] for item in items], dtype=torch.int64)

    def between(
        self, train: Sequence[tuple[T, Hashable]], test: Sequence[tuple[T, Hashable]]
    ) -> Clusters | None:
        """Those of two sets, if some have pictures in both."""
        found = of_two_sets(self.marks, train, test)
        return found if found is not None and found.shared else None

    def within(self, items: Sequence[tuple[T, Hashable]]) -> Clusters | None:
        """Those of one set, as of a test set, if some have several pictures."""
        found = of_two_sets(self.marks, (), items)
        return found if found is not None and found.clusters < found.tested else None

    @property
    def spelled_told(self) -> str:
        """A sentence on values spelled in several ways, without a full stop; empty if none are."""
        if self.marks.spelled is None:
            return ""
        one, other = map(plain, self.marks.spelled)
        return (
            "values that differ in capitals, separators or leading zeros alone are of one cluster,"
            f" as {one} and {other} are"
        )

    def told(self, train: Sequence[T], test: Sequence[T], noun: str) -> str:
        """A sentence on how many there are in the two sets, of pictures called `noun`."""
        mine, theirs = ({self.number[item] for item in items} for items in (train, test))
        alone = [item for item in (*train, *test) if item not in self.marks.of]
        by = f"{'the column' if self.marks.kind == 'column' else 'the pattern'} {self.name}"
        both = f", {len(mine & theirs):,} of them in both" if mine & theirs else ""
        rest = (
            f" {those(len(alone), f'of these {noun} has', f'of these {noun} have')} no such value:"
            f" each counts as one that belongs with no other."
            if alone
            else ""
        )
        if self.spelled_told:
            rest += f" {capital(self.spelled_told)}."
        count = those(len(mine), "cluster", "clusters")
        alone_in = [what for what, its in (("training", mine), ("test", theirs)) if len(its) == 1]
        then = "no intervals" if alone_in else "intervals take clusters for independent"
        if len(alone_in) == 1:
            then += f" of what is measured on {alone_in[0]} {noun}"
        return (
            f"{len(train):,} training {noun} are of {count} by {by}, {len(test):,} test {noun} of"
            f" {len(theirs):,}{both}: {then}.{rest}"
        )


def by_column(name: str, values: Mapping[T, str], pictures: Sequence[T]) -> StatedClusters[T]:
    """The clusters of `pictures` by a column, of which these are the `values`, those that say that
    something is not known among them; `ValueError` in one line if they make no clusters."""
    marks = replace(column_marks(name, values), stated=True)
    return _checked(StatedClusters(plain(name), marks, pictures), f"{FLAG} {plain(name)}")


def by_values(values: Mapping[T, str]) -> StatedClusters[T]:
    """The clusters of examples that a program gives these values of; `ValueError` as `by_column`
    raises it."""
    marks = replace(column_marks("clusters", values), kind="given", stated=True)
    return _checked(StatedClusters("clusters", marks, tuple(values)), "clusters", "examples")


def by_pattern(pattern: str, paths: Mapping[T, str]) -> StatedClusters[T]:
    """The clusters of pictures by what the first group of a regular expression finds in their
    `paths`; `ValueError` in one line if it is none, has no group or makes no clusters."""
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{FLAG} {pattern}: it is no regular expression: {error}") from None
    if not found.groups:
        raise ValueError(
            f"{FLAG} {pattern}: brackets must be around the part of a path that tells clusters"
            " apart, as in 'patient([0-9]+)'"
        )
    matches = {item: found.search(path) for item, path in paths.items()}
    found_in = {item: plain(each[1]) for item, each in matches.items() if each and each[1]}
    of = {item: one_number(mark) for item, mark in found_in.items()}
    if not of:
        raise ValueError(
            f"{FLAG} {pattern}: it finds nothing in the {len(paths):,} paths below the folders of"
            f" the classes, such as {plain(next(iter(paths.values())))}"
        )
    marks = Marks("pattern", of, plain(pattern), stated=True).joined()
    return _checked(StatedClusters(plain(pattern), marks, tuple(paths)), f"{FLAG} {plain(pattern)}")


def _checked(clusters: StatedClusters[T], said: str, noun: str = "pictures") -> StatedClusters[T]:
    """Clusters of which there are two or more, some with several pictures; `ValueError` if that is
    not so, which begins with what was `said`."""
    count, pictures = len(set(clusters.number.values())), len(clusters.pictures)
    if count == 1:
        raise ValueError(
            f"{said}: all {pictures:,} {noun} are of one cluster,"
            f" {clusters.called(clusters.pictures[0])}, so that none are left to test on"
        )
    if count == pictures:
        known = sum(item in clusters.marks.of for item in clusters.pictures)
        each = f"each of the {pictures:,} {noun} is of another cluster"
        if known < pictures:
            have = those(
                known, f"of the {pictures:,} {noun} has", f"of the {pictures:,} {noun} have"
            )
            each = f"{have} a value, and no two the same"
        raise ValueError(
            f"{said}: {each}, so that none belong together: name what several {noun} have in common"
        )
    return clusters


def for_the_test(
    names: Sequence[str],
    classes: Classes[T],
    clusters: StatedClusters[T],
    *,
    share: float,
    seed: int,
) -> set[T]:
    """The pictures that are for the test, those of whole clusters: about `share` of each class.

    In the random order of the seed each cluster is taken that brings the shares of its classes
    nearer to that, by the sum of squares, and leaves some of each for training. `ValueError` in one
    line if a class cannot be in both sets.
    """
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for label, items in enumerate(classes):
        for item in items:
            counts[clusters.number[item]][label] += 1
    totals, taken, chosen = [len(items) for items in classes], Counter[int](), set[int]()

    def nearer(number: int) -> float:
        """By how much the sum of squares falls."""
        return sum(
            (taken[label] / totals[label] - share) ** 2
            - ((taken[label] + count) / totals[label] - share) ** 2
            for label, count in counts[number].items()
        )

    def fits(number: int) -> bool:
        return all(taken[label] + count < totals[label] for label, count in counts[number].items())

    def take(number: int) -> None:
        chosen.add(number)
        taken.update(counts[number])

    order = sorted(counts)
    order = [order[place] for place in permutation(len(order), seed, "clusters", "test")]
    for number in order:
        if fits(number) and nearer(number) > 0:
            take(number)
    for label, name in enumerate(names):
        if taken[label]:
            continue
        some = [number for number in order if label in counts[number] and fits(number)]
        if not some:
            raise ValueError(_not_in_both(clusters, name, classes[label]))
        take(max(some, key=nearer))
    return {item for items in classes for item in items if clusters.number[item] in chosen}


def _not_in_both(clusters: StatedClusters[T], name: str, items: Sequence[T]) -> str:
    """Why a class cannot be in both sets."""
    marks = sorted({clusters.called(item) for item in items})
    one = len({clusters.number[item] for item in items}) == 1
    why = (
        f"all {len(items):,} pictures of the class {name!r} are of one cluster, {marks[0]}"
        if one
        else f"the clusters of the class {name!r} cannot be divided: with any of them in the test"
        " set there is a class without pictures to train on"
    )
    return (
        f"{FLAG} {clusters.name}: {why}; both sets need pictures of each class, of other clusters"
    )


def cluster_by_cluster(
    classes: Classes[T], clusters: StatedClusters[T], *, seed: int
) -> list[list[list[T]]]:
    """The pictures of each class, cluster by cluster, and of each cluster those of each class. The
    first so many clusters have each class in about the proportions of all.

    Each is queued, in the random order of the seed, for the class that it has most pictures of; the
    next one is that of the class that is furthest behind its share.
    """
    of: dict[int, list[list[T]]] = {}
    for label, items in enumerate(classes):
        for item in items:
            parts = of.setdefault(clusters.number[item], [[] for _ in classes])
            parts[label].append(item)
    queues: list[list[int]] = [[] for _ in classes]
    numbers = sorted(of)
    for place in permutation(len(numbers), seed, "clusters", "train"):
        sizes = [len(part) for part in of[numbers[place]]]
        queues[sizes.index(max(sizes))].append(numbers[place])
    for queue in queues:
        queue.reverse()  # the first one is taken from the end
    total = sum(map(len, classes))
    shares, given = [len(items) / total for items in classes], [0] * len(classes)
    found = []
    while any(queues):
        reached = sum(given) + 1
        label = max(
            (label for label, queue in enumerate(queues) if queue),
            key=lambda label: shares[label] * reached - given[label],
        )
        number = queues[label].pop()
        for place, part in enumerate(of[number]):
            given[place] += len(part)
        found.append(of[number])
    return found
