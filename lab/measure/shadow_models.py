"""Membership inference with shadow models: the likelihood-ratio attack, and its true positives.

Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022 (LiRA). Each of
K networks, trained on random subsets of N examples, is the target in turn, and all others are its
shadow models. `odds` (K, N) are the log odds log(p / (1 - p)) that each network gives to each
example's label, and `members` (K, N) bool says which were trained on which.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lab.core.estimate import Estimate, wilson

OWN_VARIANCE = 32
"""Shadow models with an example, and as many without it, from which on its log odds have variances
of their own; below, all examples share one of each kind. (Carlini et al. do so below 64 shadow
models, half of which have the example.)"""

RESAMPLES, LEAST, PAIRS = 400, 50, 200_000_000
"""Bootstrap samples of the networks; at least so many where they would have more pairs of target
and example than that in all, which takes a minute."""


def likelihood_ratios(odds: Tensor, members: Tensor, *, online: bool = True) -> Tensor:
    """The attack's score (K, N) float64 of each example for each target: the higher, the more
    likely it is that the target was trained on it. NaN where fewer than two shadow models were
    trained on the example, or fewer than two were not.

    Online: the logarithm of the likelihood of the target's log odds under a normal distribution
    fitted to the shadow models that were trained on the example, over that under one fitted to the
    others. Offline: standard deviations above the mean of the latter alone, as for an attacker who
    meets the example only after the shadow models are trained.
    """
    odds = odds.double()
    odds = odds - odds.mean(dim=0)  # against rounding; no score depends on it
    count = members.sum(dim=0) - members.int()  # (K, N) of the shadow models of each target
    own = (count >= OWN_VARIANCE) & (len(odds) - 1 - count >= OWN_VARIANCE)
    mean, variance = _normal_fits(odds, ~members, own)
    if not online:
        return (odds - mean) / variance.sqrt()
    without = -0.5 * ((odds - mean).square() / variance + variance.log())
    mean, variance = _normal_fits(odds, members, own)
    return -0.5 * ((odds - mean).square() / variance + variance.log()) - without


def true_positive_rate(scores: Tensor, members: Tensor, *, false_positive_rate: float) -> Estimate:
    """The share of members (pairs of target and example) whose score is above a threshold that at
    most this share of the non-members exceeds, one for all targets; pairs without a score are left
    out. The interval is a bootstrap's over the targets (percentiles); where that has no width, as
    at 0 and 1, Wilson's for as many observations as there are targets."""
    known = scores.isfinite()
    order = scores[known].argsort(descending=True)
    ranked = scores[known][order]
    target = torch.arange(len(scores))[:, None].expand_as(scores)[known][order]
    positive = members[known][order]
    last = torch.ones_like(positive)  # of those with the same score
    last[:-1] = ranked[:-1] != ranked[1:]

    def rate(weights: Tensor) -> float:
        weight = weights[target]
        false = (weight * ~positive).cumsum(dim=0)
        true = (weight * positive).cumsum(dim=0)
        allowed = last & (false <= false_positive_rate * false[-1])
        return float(true[allowed].max() / true[-1]) if bool(allowed.any()) else 0.0

    if not bool(positive.any()) or bool(positive.all()):
        return Estimate.point(math.nan, count=0)
    count = len(scores)
    value = rate(torch.ones(count, dtype=torch.float64))
    generator = torch.Generator().manual_seed(0)
    resamples = max(LEAST, min(RESAMPLES, PAIRS // len(ranked)))
    drawn = torch.randint(count, (resamples, count), generator=generator)
    found = [rate(torch.bincount(row, minlength=count).double()) for row in drawn]
    low, high = torch.tensor(found).quantile(torch.tensor([0.025, 0.975])).tolist()
    if low == high:
        low, high = wilson(round(value * count), count).interval
    return Estimate(value, min(low, value), max(high, value), int(positive.sum()))


def _normal_fits(odds: Tensor, where: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """For each target (K, N): mean and variance of each example's log odds over the other networks
    `where` (K, N) says so; the variance is shared by all but those that have their `own` (K, N)
    bool. NaN for examples with fewer than two such networks."""
    weight = where.double()
    weighted = weight * odds
    squared = weighted * odds
    count = weight.sum(dim=0) - weight
    mean = (weighted.sum(dim=0) - weighted) / count
    squares = (squared.sum(dim=0) - squared) - count * mean.square()
    enough = count >= 2
    squares = squares.where(enough, 0.0).clamp(min=0.0)
    freedom = (count - 1).where(enough, 0.0)
    shared = squares.sum(dim=1, keepdim=True) / freedom.sum(dim=1, keepdim=True)
    variance = torch.where(own, squares / freedom, shared)
    return mean, variance.clamp(min=1e-12).where(enough, math.nan)
