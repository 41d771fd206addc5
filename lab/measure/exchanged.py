"""Exchanged classes: two whose test examples get each other's names, as where folders or numbers
were exchanged in one of the sets."""

from __future__ import annotations

from collections import Counter

import torch

from lab.core.estimate import wilson
from lab.measure.predictions import Predictions

FEWEST = 10
"""Different test examples that each of the two has, at least."""


def exchanged_classes(train: Predictions, test: Predictions) -> tuple[str, str] | None:
    """The first two of three or more classes of which surely most test examples of each are
    answered with the name of the other, which those of no further class are, and surely most
    training examples with their own; None: there are none. (Of two classes all answers are then
    wrong, which test accuracy shows.)"""
    names = test.classes
    if len(names) < 3 or len(names) != test.logits.shape[1] or names != train.classes:
        return None
    studied, tested = _majorities(train.different()), _majorities(test.different())
    given = Counter(answer for answer, _ in tested.values())
    for one, (other, count) in tested.items():
        back, others = tested.get(other, (other, 0))
        known = all(studied.get(each, (None, 0))[0] == each for each in (one, other))
        usual = given[one] > 1 or given[other] > 1  # an answer that other classes get, too
        exchanged = back == one and min(count, others) >= FEWEST
        if one < other and known and exchanged and not usual:
            return names[one], names[other]
    return None


def _majorities(predictions: Predictions) -> dict[int, tuple[int, int]]:
    """The answer that surely most examples of a class get, and how many these are, by class; only
    those that have one. No table of all classes with each other, of which there may be too many."""
    classes = predictions.logits.shape[1]
    counts = predictions.labels.bincount(minlength=classes).tolist()
    pairs = predictions.labels * classes + predictions.predicted
    codes, numbers = torch.unique(pairs, return_counts=True)
    found = {}
    for code, number in zip(codes.tolist(), numbers.tolist(), strict=True):
        label, answer = divmod(code, classes)
        if 2 * number > counts[label] and wilson(number, counts[label]).interval[0] > 0.5:
            found[label] = answer, counts[label]
    return found
