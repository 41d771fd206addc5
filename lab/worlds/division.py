"""Which stored pictures are for training and which for the test, and in which order sets grow."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from lab.core.seeds import permutation
from lab.worlds.stated_clusters import StatedClusters, cluster_by_cluster, for_the_test

TEST = 0.2
"""Share of each class that is for the test, where it is not said which pictures are."""

T = TypeVar("T", bound=Hashable)
Labeled = tuple[tuple[T, int], ...]
"""Pictures with their labels, in the order in which a larger set takes them in."""


def divided(
    names: Sequence[str],
    training: Sequence[Sequence[T]],
    testing: Sequence[Sequence[T]] | None,
    *,
    seed: int,
    stated: StatedClusters[T] | None = None,
) -> tuple[Labeled[T], Labeled[T]]:
    """The pictures for training and those for the test, from those of each class; `testing` None:
    some of each class are taken, which ones is decided by `seed`. Those of a `stated` cluster come
    one after the other in training, and are in one of the two; `ValueError` if that cannot be."""
    pools = [_shuffled(items, seed, name) for name, items in zip(names, training, strict=True)]
    if testing is None and stated is not None:
        chosen = for_the_test(names, pools, stated, share=TEST, seed=seed)
        tests = [[item for item in items if item in chosen] for items in pools]
        pools = [[item for item in items if item not in chosen] for items in pools]
    elif testing is None:
        cuts = [len(items) - max(1, round(TEST * len(items))) for items in pools]
        tests = [items[cut:] for items, cut in zip(pools, cuts, strict=True)]
        pools = [items[:cut] for items, cut in zip(pools, cuts, strict=True)]
    else:
        tests = [_shuffled(items, seed, name) for name, items in zip(names, testing, strict=True)]
    if stated is None:
        return _in_turn(pools), _in_turn(tests)
    ordered = [_in_turn(each) for each in cluster_by_cluster(pools, stated, seed=seed)]
    return tuple(pair for each in ordered for pair in each), _in_turn(tests)


def _shuffled(items: Sequence[T], seed: int, name: str) -> list[T]:
    """The pictures of a class in the order of the seed."""
    return [items[i] for i in permutation(len(items), seed, "folder", name)]


def _in_turn(classes: Sequence[Sequence[T]]) -> Labeled[T]:
    """Pictures with their labels, those of each class spread evenly over the whole, so that every
    prefix has the classes in about the proportions of all: a part of the pictures is then from the
    same distribution as the others, and so are a training and a test set that are parts."""
    spread = sorted(
        ((k + 0.5) / len(items), label, k)
        for label, items in enumerate(classes)
        for k in range(len(items))
    )
    return tuple((classes[label][k], label) for _, label, k in spread)
