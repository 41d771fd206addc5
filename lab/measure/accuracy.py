"""Accuracy, cross-entropy, and the generalization gap of both."""

from __future__ import annotations

from torch import Tensor, nn

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals


def right(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether each prediction is right, bool (N,): the largest of its logits (N, C) is that of its
    label (N,)."""
    if logits.shape[:-1] != labels.shape:  # a single label would be taken for everybody's
        raise ValueError(f"{tuple(labels.shape)} labels for {tuple(logits.shape)} logits")
    return logits.argmax(dim=1) == labels


def accuracy(logits: Tensor, labels: Tensor) -> Estimate:
    """Accuracy: the share of right predictions, 0 to 1, with Wilson's interval."""
    return wilson(int(right(logits, labels).sum()), len(labels))


def example_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each face (N,) in nats, float64, so that tiny losses stay distinct."""
    return nn.functional.cross_entropy(logits.double(), labels, reduction="none")


def loss(logits: Tensor, labels: Tensor) -> Estimate:
    """The mean cross-entropy in nats, with its normal interval."""
    return intervals.mean(example_losses(logits, labels))


def accuracy_gap(train: Estimate, test: Estimate) -> Estimate:
    """Generalization gap: accuracy on train minus on test, -1 to 1 (Newcombe's interval)."""
    return intervals.difference(train, test)


def loss_gap(train: Estimate, test: Estimate) -> Estimate:
    """Generalization gap in nats: loss on test minus on train, above 0 for a network that
    memorizes."""
    return intervals.difference(test, train)
