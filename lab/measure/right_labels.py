"""Right labels: training figures of the rightly labeled examples, where some labels are wrong.

A test set has right labels only. A network that sees through wrong labels in training is wrong by
them on the training set and right on the test set, so that the gap between the two is too small, as
if it had memorized nothing; and the losses of mislabeled training examples are high. The rightly
labeled ones are like those of the test set but for being trained on.
"""

from __future__ import annotations

from lab.core.compared import right_ones_alone
from lab.core.estimate import Estimate
from lab.measure.accuracy import accuracy
from lab.measure.dependent import allowing_for_dependence
from lab.measure.memorization import memorization_metrics
from lab.measure.predictions import Predictions

ACCURACY, GAP = "accuracy/train_right_labels", "gap/accuracy_right_labels"
AUC = "memorization/membership_auc_right_labels"


def rightly_labeled(train: Predictions) -> Predictions | None:
    """The predictions on rightly labeled examples; None where `right_ones_alone` says no."""
    right = ~train.mislabeled
    return train.where(right) if right_ones_alone(int(right.sum()), len(train)) else None


def of_right_labels(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    """Training accuracy, generalization gap and membership AUC of the rightly labeled training
    examples against all of the test set, by tag; empty where `rightly_labeled` is None."""
    chosen = rightly_labeled(train)
    if chosen is None:
        return {}
    metrics = memorization_metrics(chosen, test)
    return {
        **allowing_for_dependence(_accuracy, chosen, test),
        GAP: metrics["gap/accuracy"],
        AUC: metrics["memorization/membership_auc"],
    }


def _accuracy(chosen: Predictions, _: Predictions) -> dict[str, Estimate]:
    return {ACCURACY: accuracy(chosen.logits, chosen.labels)}
