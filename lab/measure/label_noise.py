"""Predictions for mislabeled training examples: the shares of wrong and of true labels."""

from __future__ import annotations

from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure.accuracy import accuracy


def mislabeled_fitted(logits: Tensor, labels: Tensor, clean_labels: Tensor) -> Estimate:
    """The share of mislabeled faces for which the given, wrong label (N,) is predicted."""
    wrong = labels != clean_labels
    return accuracy(logits[wrong], labels[wrong])


def mislabeled_true_label(logits: Tensor, labels: Tensor, clean_labels: Tensor) -> Estimate:
    """The share of mislabeled faces for which the true label (N,) is predicted, not the given one.

    Arpit et al., "A closer look at memorization", 2017: early in training it is most of them.
    """
    wrong = labels != clean_labels
    return accuracy(logits[wrong], clean_labels[wrong])
