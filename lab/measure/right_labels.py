"""Right labels: training figures of the rightly labeled examples, where some labels are wrong.

A test set has right labels only. A network that sees through wrong labels in training is wrong by
them on the training set and right on the test set, so that the gap between the two is too small, as
if it had memorized nothing; and the losses of mislabeled training examples are high. The rightly
labeled ones are like those of the test set but for being trained on.
"""

from __future__ import annotations

from lab.core.estimate import Estimate
from lab.measure.accuracy import accuracy, example_losses
from lab.measure.memorization import accuracy_gap, membership_auc
from lab.measure.predictions import Predictions

ACCURACY, GAP = "accuracy/train_right_labels", "gap/accuracy_right_labels"
AUC = "memorization/membership_auc_right_labels"

LEAST = 10
"""Fewest rightly labeled examples that are compared."""


def rightly_labeled(train: Predictions) -> Predictions | None:
    """The predictions on rightly labeled examples; None where all are, fewer than half are (their
    labels are then the exceptions), or hardly any."""
    right = ~train.mislabeled
    count = int(right.sum())
    if count == len(train) or count < max(LEAST, len(train) / 2):
        return None
    return train.where(right)


def of_right_labels(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    """Training accuracy, generalization gap and membership AUC of the rightly labeled training
    examples against all of the test set, by tag, each -1 or 0 to 1 with intervals as those of all;
    empty where `rightly_labeled` is None."""
    chosen = rightly_labeled(train)
    if chosen is None:
        return {}
    found = _figures(chosen, test)
    if chosen.copies is None:
        return found
    different = _figures(chosen.different(), test)
    return {tag: each.with_interval_of(different[tag]) for tag, each in found.items()}


def _figures(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    right = [accuracy(each.logits, each.labels) for each in (train, test)]
    losses = [example_losses(each.logits, each.labels) for each in (train, test)]
    return {ACCURACY: right[0], GAP: accuracy_gap(*right), AUC: membership_auc(*losses)}
