"""Reliance: the share of predictions that change under interventions on one attribute."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals


@dataclass(frozen=True)
class Reliance:
    """The effect of an intervention on predictions: the share that flips (0 to 1, Wilson's
    interval), and the mean absolute change of the log odds of the original prediction (nats, from
    0, normal interval)."""

    flips: Estimate
    moved: Estimate


def reliance(before: Tensor, after: Tensor) -> Reliance:
    """Reliance from the logits (K, C) of K examples and of their counterfactuals; NaN without
    interval for K = 0."""
    said = before.argmax(dim=1)
    flipped = said != after.argmax(dim=1)
    moved = (log_odds(after, said) - log_odds(before, said)).abs()
    return Reliance(wilson(int(flipped.sum()), len(flipped)), intervals.mean(moved))


def log_odds(logits: Tensor, classes: Tensor) -> Tensor:
    """log(p / (1 - p)) (N,) float64 of the given `classes` (N,) under logits (N, C).

    With two classes it is the difference of the two logits.
    """
    logits, column = logits.double(), classes[:, None]
    one = logits.gather(1, column)[:, 0]
    others = logits.scatter(1, column, -torch.inf).logsumexp(dim=1)
    return one - others
