"""Class shares: training figures at the class shares of the test set, where the two differ.

A network that gives the same answer to all examples gets more training examples right than test
examples if that answer is the more frequent one in training; and its losses then tell training
examples from others. Neither is memory. Compared class by class both differences vanish.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lab.core.estimate import Estimate, difference, share_apart, wilson
from lab.measure import intervals
from lab.measure.accuracy import example_losses
from lab.measure.predictions import Predictions

MEAN = "accuracy/test_class_mean"
ACCURACY, GAP = "accuracy/train_at_test_shares", "gap/accuracy_at_test_shares"
AUC = "memorization/membership_auc_within_classes"


def at_test_shares(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    """Training accuracy, generalization gap and membership AUC with each class counted at its share
    of the test set, by tag; empty unless the share of a class surely differs between the sets.

    All are means over classes, weighted by the shares of the given labels in the test set: of the
    accuracy on the class's training examples, of that minus the accuracy on its test examples, and
    of the membership AUC among pairs of two examples of the class. Their intervals add up the
    classes' own by square-and-add (Zou & Donner, "Construction of confidence limits about effect
    measures", Statist. Med. 27, 2008). Classes that only one of the sets has are left out.
    """
    known = max(train.logits.shape[1], test.logits.shape[1])
    counts, others = (torch.bincount(each.labels, minlength=known) for each in (train, test))
    if not len(train) or not len(test):
        return {}
    if share_apart(counts.tolist(), others.tolist())[1].interval[0] <= 0:
        return {}
    both = ((counts > 0) & (others > 0)).nonzero()[:, 0].tolist()
    if not both:
        return {}
    weights = [int(others[label]) / int(others[both].sum()) for label in both]
    mine, theirs = ([each.labels == label for label in both] for each in (train, test))
    right = [wilson(int(train.right[where].sum()), int(where.sum())) for where in mine]
    among = torch.isin(test.labels, torch.tensor(both))
    tested = wilson(int(test.right[among].sum()), int(among.sum()))
    losses, unseen = (example_losses(each.logits, each.labels) for each in (train, test))
    areas = [
        intervals.area_of_few(losses[one], unseen[other])
        for one, other in zip(mine, theirs, strict=True)
    ]
    accuracy = _weighted(right, weights, count=len(train))
    return {
        ACCURACY: accuracy,
        GAP: difference(accuracy, tested),
        AUC: _weighted(areas, weights, count=len(train) + len(test)),
    }


def class_mean(test: Predictions) -> Estimate:
    """The mean over classes of the accuracy on each, of those that occur (also called balanced
    accuracy), which a constant answer brings to 1 / classes; with square-and-add intervals."""
    counts = torch.bincount(test.labels)
    met = counts.nonzero()[:, 0].tolist()
    right = [
        wilson(int(test.right[test.labels == label].sum()), int(counts[label])) for label in met
    ]
    return _weighted(right, [1 / len(met)] * len(met), count=len(test))


def same_answer(predicted: Tensor) -> Estimate:
    """The share of predictions (N,) that are the most frequent one."""
    counts = torch.bincount(predicted)
    return wilson(int(counts.max()) if len(counts) else 0, len(predicted))


def _weighted(parts: Sequence[Estimate], weights: Sequence[float], *, count: int) -> Estimate:
    """The weighted mean of independent estimates from 0 to 1."""
    value = sum(w * part.value for w, part in zip(weights, parts, strict=True))
    if any(part.low is None for part in parts):
        return Estimate.point(value, count=count)
    down, up = (
        math.hypot(
            *(w * (part.interval[end] - part.value) for w, part in zip(weights, parts, strict=True))
        )
        for end in (0, 1)
    )
    return Estimate(value, max(0.0, value - down), min(1.0, value + up), count)
