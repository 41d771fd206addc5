"""Exchanged classes: two whose test examples get each other's names, as where folders or numbers
were exchanged in one of the sets."""

from __future__ import annotations

from lab.core.estimate import wilson
from lab.measure.predictions import Predictions

FEWEST = 10
"""Different test examples that each of the two has, at least."""


def exchanged_classes(train: Predictions, test: Predictions) -> tuple[str, str] | None:
    """The first two of three or more classes of which surely most test examples of each are
    answered with the name of the other, and surely most training examples with their own; None:
    there are none. (Of two classes all answers are then wrong, which test accuracy shows.)"""
    names = test.classes
    if len(names) < 3 or len(names) != test.logits.shape[1] or names != train.classes:
        return None

    tables = []
    for each in (train.different(), test.different()):
        pairs = each.labels * len(names) + each.predicted
        table = pairs.bincount(minlength=len(names) ** 2).reshape(len(names), len(names))
        tables.append((table, table.sum(dim=1)))
    (studied, of_studied), (tested, counts) = tables
    usual, answers = tested.max(dim=1)

    def mostly(right: int, count: int) -> bool:
        return count > 0 and wilson(right, count).interval[0] > 0.5

    for one in (counts >= FEWEST).nonzero()[:, 0].tolist():
        other = int(answers[one])
        if other <= one or answers[other] != one or counts[other] < FEWEST:
            continue
        if all(
            mostly(int(usual[each]), int(counts[each]))
            and mostly(int(studied[each, each]), int(of_studied[each]))
            for each in (one, other)
        ):
            return names[one], names[other]
    return None
