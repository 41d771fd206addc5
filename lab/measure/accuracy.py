"""How often a model is right, how sure it is, and how much better on faces it has studied."""

from __future__ import annotations

from torch import Tensor, nn

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals


def right(logits: Tensor, labels: Tensor) -> Tensor:
    """Which answers (N,) are right: the largest of the logits (N, C) is the label's (N,). One that
    is not a number (NaN among its logits) is wrong."""
    if logits.shape[:-1] != labels.shape:  # a single label would be taken for everybody's
        raise ValueError(f"{tuple(labels.shape)} labels for {tuple(logits.shape)} logits")
    return (logits.argmax(dim=1) == labels) & ~logits.isnan().any(dim=1)


def accuracy(logits: Tensor, labels: Tensor) -> Estimate:
    """The share of right answers, 0 to 1, with its Wilson interval."""
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
    """Generalization gap in nats: loss on test minus on train, so that memorizing is above 0."""
    return intervals.difference(test, train)
