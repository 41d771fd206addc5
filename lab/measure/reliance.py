"""Reliance: the share of predictions that change under interventions on one attribute."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals
from lab.measure.given import Given, as_tensor
from lab.measure.predictions import check_logits, log_odds


@dataclass(frozen=True)
class Reliance:
    """The effect of an intervention: the share of predictions that flip (0 to 1, Wilson's
    interval), and the mean absolute change of the log odds of the first prediction (from 0, normal
    interval)."""

    flips: Estimate
    moved: Estimate


def reliance(before: Given, after: Given) -> Reliance:
    """From the logits (K, C) of K samples and those of their counterfactuals; NaN for K = 0, and if
    there is NaN among them. `ValueError` if there is not one counterfactual for each sample."""
    before = as_tensor(before, "logits")
    after = as_tensor(after, "logits of counterfactuals")
    check_logits(before)
    if after.shape != before.shape:
        raise ValueError(
            f"{tuple(after.shape)} logits of counterfactuals for {tuple(before.shape)} of samples"
        )
    check_logits(after)
    predicted = before.argmax(dim=1)
    flipped = predicted != after.argmax(dim=1)
    moved = (log_odds(after, predicted) - log_odds(before, predicted)).abs()
    if torch.cat([before, after]).isnan().any():
        unknown = Estimate.point(math.nan, count=len(moved))
        return Reliance(unknown, unknown)
    return Reliance(wilson(int(flipped.sum()), len(flipped)), intervals.mean(moved))
