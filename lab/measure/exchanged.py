"""Exchanged classes: two whose test examples get each other's names, as where folders or numbers
were exchanged in one of the sets."""

from __future__ import annotations

from itertools import combinations

from lab.core.estimate import wilson
from lab.measure.predictions import Predictions

FEWEST = 10
"""Test examples that each of the two has, at least."""


def exchanged_classes(train: Predictions, test: Predictions) -> tuple[str, str] | None:
    """The first two of three or more classes of which surely most test examples of each are
    answered with the name of the other, and surely most training examples with their own; None:
    there are none. (Of two classes all answers are then wrong, which test accuracy shows.)"""
    names = test.classes
    if len(names) < 3 or len(names) != test.logits.shape[1] or names != train.classes:
        return None

    def mostly(predictions: Predictions, label: int, answer: int) -> bool:
        answers = predictions.predicted[predictions.labels == label]
        right = int((answers == answer).sum())
        return len(answers) > 0 and wilson(right, len(answers)).interval[0] > 0.5

    counts = test.labels.bincount(minlength=len(names)).tolist()
    enough = [label for label, count in enumerate(counts) if count >= FEWEST]
    wrong = [label for label in enough if not mostly(test, label, label)]
    for one, other in combinations(wrong, 2):
        pairs = (one, other), (other, one)
        if all(mostly(test, *pair) and mostly(train, pair[0], pair[0]) for pair in pairs):
            return names[one], names[other]
    return None
