"""Sets of pictures that are dark where those of the other set are bright, as negatives are."""

from __future__ import annotations

import math
from collections import Counter

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

SIDE = 16
"""Pixels of a side to which mean pictures are reduced, at most."""

LOOKED_AT = 2000
"""Pictures of each set that are looked at, at most."""

RELIABLE, OPPOSITE = 0.8, -0.5
"""How much the mean pictures of two halves of a set correlate, at least, and those of the two sets,
at most, where the two are opposite."""


def opposite(train: Tensor, given: Tensor, test: Tensor, labels: Tensor) -> float | None:
    """Pearson's correlation of the mean pictures of two sets of pictures, (N, C, H, W) uint8 with
    labels (N,), if they are opposite: dark where the others are bright. None: they are not.

    Classes of which both sets have several pictures count equally, so that other shares make no
    difference. Pictures of things at other places in each, whose mean is about gray, are never
    opposite.
    """
    several = (
        {label for label, number in Counter(each.tolist()).items() if number > 1}
        for each in (given, labels)
    )
    both = sorted(set.intersection(*several))
    mine, theirs = _halves(train, given, both), _halves(test, labels, both)
    if mine is None or theirs is None:
        return None
    if min(correlation(*mine), correlation(*theirs)) < RELIABLE:
        return None
    found = correlation(mine[0] + mine[1], theirs[0] + theirs[1])
    return found if found <= OPPOSITE else None


def opposite_told(found: float | None, noun: str) -> list[str]:
    """A sentence where the two sets of pictures, called `noun`, are opposite."""
    if found is None:
        return []
    return [
        f"where training {noun} are bright on the mean, test {noun} are dark, and the reverse"
        f" (correlation of the mean pictures {found:.2f}): if light and dark are exchanged in one"
        f" of the sets, as in negatives, or its {noun} are turned, what is said of memory comes"
        " from that."
    ]


def correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's correlation of two pictures (H, W); 0 where one has no contrast."""
    first, second = one - one.mean(), other - other.mean()
    scale = math.sqrt(float(first.square().sum() * second.square().sum()))
    return float((first * second).sum()) / scale if scale > 0 else 0.0


def _halves(images: Tensor, labels: Tensor, classes: list[int]) -> tuple[Tensor, Tensor] | None:
    """The mean pictures (S, S) of every other picture of each class, and of those between; None
    where there is no class, or one has a single picture among those that are looked at."""
    some = torch.linspace(0, len(images) - 1, min(LOOKED_AT, len(images))).long()
    shown, of = images[some.to(images.device)].cpu(), labels.cpu()[some]
    side = min(SIDE, *shown.shape[2:])
    small = adaptive_avg_pool2d(shown.float().mean(dim=1, keepdim=True), side)[:, 0].double()
    places = [(of == each).nonzero()[:, 0] for each in classes]
    if not places or min(map(len, places)) < 2:
        return None
    first, second = (
        torch.stack([small[each[half::2]].mean(dim=0) for each in places]).mean(dim=0)
        for half in (0, 1)
    )
    return first, second
