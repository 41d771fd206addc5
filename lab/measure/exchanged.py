"""Exchanged classes: those whose test examples get each other's names, as where folders or numbers
were exchanged in one of the sets, or classes numbered anew."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import torch

from lab.core.estimate import wilson
from lab.measure.predictions import Predictions

MOSTLY = 0.75
"""Share of a class's test examples, at least, that are answered with one name where that is a
matter of names: of pictures that look otherwise, as those that were moved, fewer are."""

FEWEST = 10
"""Different test examples that each of the two has, at least."""


def exchanged_classes(train: Predictions, test: Predictions) -> tuple[tuple[str, str], ...]:
    """Of three or more classes those of which surely most test examples are answered with the name
    of another one, which those of no further class are, and surely most training examples with
    their own: each with that other one, if there are two or more. (Of two classes all answers are
    then wrong, which test accuracy shows.)"""
    names = test.classes
    if len(names) < 3 or len(names) != test.logits.shape[1] or names != train.classes:
        return ()
    studied, tested = (_majorities(_of_each_class(each)) for each in (train, test))
    given, counts = Counter(tested.values()), test.different().labels.bincount().tolist()
    found = [
        (names[one], names[other])
        for one, other in tested.items()
        if one != other and given[other] == 1 and counts[one] >= FEWEST
        if all(studied.get(each) == each for each in (one, other))
    ]
    return tuple(found) if len(found) > 1 else ()


def _of_each_class(predictions: Predictions) -> Predictions:
    """Those of independent examples of each class: of a cluster one of each class that it has."""
    if predictions.clusters is None:
        return predictions.different()
    classes = predictions.logits.shape[1]
    apart = predictions.clusters * classes + predictions.labels
    return replace(predictions, clusters=apart).independent()


def _majorities(predictions: Predictions) -> dict[int, int]:
    """The answer that surely most examples of a class get, and, if it is another class, `MOSTLY` of
    them; only of those that have one. No table of all classes with each other, of which there may
    be too many."""
    classes = predictions.logits.shape[1]
    counts = predictions.labels.bincount(minlength=classes).tolist()
    pairs = predictions.labels * classes + predictions.predicted
    codes, numbers = torch.unique(pairs, return_counts=True)
    found = {}
    for code, number in zip(codes.tolist(), numbers.tolist(), strict=True):
        label, answer = divmod(code, classes)
        if 2 * number <= counts[label]:
            continue
        share = wilson(number, counts[label])
        if share.interval[0] > 0.5 and (share.value >= MOSTLY or label == answer):
            found[label] = answer
    return found
