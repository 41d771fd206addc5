"""What a model says about the training faces whose label is wrong."""

from __future__ import annotations

from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure.accuracy import accuracy


def mislabeled_fitted(logits: Tensor, labels: Tensor, clean_labels: Tensor) -> Estimate:
    """The share of mislabeled faces that get the wrong label (N,) they came with."""
    wrong = labels != clean_labels
    return accuracy(logits[wrong], labels[wrong])


def mislabeled_true_label(logits: Tensor, labels: Tensor, clean_labels: Tensor) -> Estimate:
    """The share of mislabeled faces that get their true label (N,) in spite of the given one.

    Arpit et al., "A closer look at memorization", 2017: early in training it is most of them.
    """
    wrong = labels != clean_labels
    return accuracy(logits[wrong], clean_labels[wrong])
