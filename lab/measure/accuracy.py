"""Accuracy and cross-entropy of predictions, of a whole set and by group."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals
from lab.measure.given import Given, as_tensor
from lab.measure.predictions import Predictions, log_odds, right, with_labels
from lab.measure.split_metrics import split_metric

TINY = 1e-6
"""Losses below it are computed from the log odds: as a difference of logits and their logsumexp a
loss is exact to some 1e-16 only, and 0 from log odds of 37 on."""


def accuracy(logits: Given, labels: Given) -> Estimate:
    """The share of right predictions, 0 to 1, with its Wilson interval."""
    found = right(logits, labels)
    return wilson(int(found.sum()), len(found))


def example_losses(logits: Given, labels: Given) -> Tensor:
    """The cross-entropy of each example (N,) in nats, float64: tiny losses stay distinct, down to
    those of log odds of 700, since the attack on membership ranks them."""
    logits, labels = with_labels(logits, labels)
    losses = nn.functional.cross_entropy(logits.double(), labels, reduction="none")
    tiny = losses < TINY
    odds = log_odds(logits[tiny], labels[tiny])
    return losses.masked_scatter(tiny, (-odds).exp().log1p())


def loss(logits: Given, labels: Given) -> Estimate:
    """The mean cross-entropy in nats, with its normal interval, of which no end is below 0."""
    return intervals.mean(example_losses(logits, labels)).within(0, math.inf)


def group_accuracies(
    logits: Given, labels: Given, groups: Mapping[str, Given]
) -> dict[str, Estimate]:
    """The accuracy of each group that has examples, by name; `groups` has its members (N,) bool.
    `ValueError` for anything else: numbers would pick examples by their places."""
    logits, labels = with_labels(logits, labels)
    chosen: dict[str, Tensor] = {}
    for name, given in groups.items():
        members = chosen[name] = as_tensor(given, f"the members of group {name!r}")
        if members.dtype != torch.bool or members.shape != labels.shape:
            raise ValueError(
                f"the members of group {name!r} must be {tuple(labels.shape)} bool, not"
                f" {tuple(members.shape)} {members.dtype}"
            )
    return {
        name: accuracy(logits[members], labels[members])
        for name, members in chosen.items()
        if bool(members.any())
    }


def worst(accuracies: Mapping[str, Estimate]) -> tuple[str, Estimate]:
    """The group with the lowest accuracy, with that group's own interval; of several with the same
    one that of which the interval goes down furthest.

    Sagawa et al., "Distributionally robust neural networks for group shifts", ICLR 2020. A minimum
    over groups is biased downwards: the smaller the groups, the more. `ValueError` if there is
    none.
    """
    if not accuracies:
        raise ValueError("there is no group with an example, and so no worst one")

    def lowest(name: str) -> tuple[float, float]:
        share = accuracies[name]
        return share.value, share.value if share.low is None else share.low

    name = min(accuracies, key=lowest)
    return name, accuracies[name]


@split_metric(
    "accuracy/{split}",
    splits=("train", "test", "validation", "unbiased", "conflicting", "unseen_combinations"),
)
def accuracy_on_split(predictions: Predictions) -> Estimate:
    """`accuracy` by the given labels."""
    return accuracy(predictions.logits, predictions.labels)


@split_metric("loss/{split}", splits=("train", "test", "validation"))
def loss_on_split(predictions: Predictions) -> Estimate:
    """`loss` by the given labels."""
    return loss(predictions.logits, predictions.labels)
