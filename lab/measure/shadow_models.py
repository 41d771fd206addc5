"""Membership inference with shadow models: likelihood-ratio attacks, and their true positives.

Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022 (LiRA). Each of
K networks, trained on random subsets of N examples, is the target in turn, and all others are its
shadow models, or those that are not in its group: `groups` (K,) are numbers of groups of networks
whose subsets depend on each other. (Of networks that leave out parts of one order of the examples,
those that were not trained on an example lack others in common, too. Their answers are alike, so
that without any effect of training an attack on such a network by means of such others finds more
than a guess.) `odds` (K, N) are the log odds log(p / (1 - p)) that each network gives to each
example's label, and `members` (K, N) bool says which were trained on which.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def likelihood_ratios(
    odds: Tensor, members: Tensor, *, online: bool = True, groups: Tensor | None = None
) -> Tensor:
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
    inside, outside = (_over_others(where.double(), groups) for where in (members, ~members))
    own = (inside >= OWN_VARIANCE) & (outside >= OWN_VARIANCE)
    mean, variance = _normal_fits(odds, ~members, own, groups)
    if not online:
        return (odds - mean) / variance.sqrt()
    without = -0.5 * ((odds - mean).square() / variance + variance.log())
    mean, variance = _normal_fits(odds, members, own, groups)
    return -0.5 * ((odds - mean).square() / variance + variance.log()) - without


def relative_ratios(
    odds: Tensor,
    members: Tensor,
    population: Tensor,
    *,
    online: bool = True,
    offline_scale: float = 0.3,
    groups: Tensor | None = None,
) -> Tensor:
    """The score (K, N) float64 of RMIA for each target: the share of `population` examples z whose
    likelihood ratio p(z | target) / p(z) is at most the example's own, p(x | target) / p(x). It
    comes in steps of 1 / Z. NaN as in `likelihood_ratios`.

    p(x) is the mean probability of the label over the shadow models: half of it those that were
    trained on x and half those that were not; offline the latter alone, as
    ((1 + a) p_out(x) + 1 - a) / 2 with a = `offline_scale`. `population` (K, Z) are the log odds on
    examples that no network was trained on. Zarifzadeh, Liu & Shokri, "Low-cost high-power
    membership inference attacks", ICML 2024, with gamma = 1.
    """

    def corrected(mean: Tensor) -> Tensor:
        return mean if online else ((1 + offline_scale) * mean + 1 - offline_scale) / 2

    inside = members.double()
    p = odds.double().sigmoid()
    without = _mean_of_others(p, 1 - inside, groups)
    mean = (without + _mean_of_others(p, inside, groups)) / 2 if online else corrected(without)
    ratio = p / mean
    z = population.double().sigmoid()
    ratio_z = z / corrected(_mean_of_others(z, torch.ones_like(z), groups))
    ordered = ratio_z.sort(dim=1).values.contiguous()
    count = torch.searchsorted(ordered, ratio.nan_to_num(0.0).contiguous(), right=True)
    return (count.double() / population.shape[1]).where(ratio.isfinite(), math.nan)


def true_positive_rates(
    scores: Tensor, members: Tensor, *, false_positive_rates: Sequence[float]
) -> list[Estimate]:
    """For each rate the share of members (pairs of target and example) whose score is above a
    threshold that at most this share of the non-members exceeds, one for all targets; pairs without
    a score are left out. The intervals are a bootstrap's over the targets (percentiles); where that
    has no width, as at 0 and 1, Wilson's for as many observations as there are targets."""
    known = scores.isfinite()
    if not len(false_positive_rates):
        return []
    order = scores[known].argsort(descending=True)
    ranked = scores[known][order]
    target = torch.arange(len(scores))[:, None].expand_as(scores)[known][order]
    positive = members[known][order]
    if not bool(positive.any()) or bool(positive.all()):
        return [Estimate.point(math.nan, count=0) for _ in false_positive_rates]
    last = torch.ones_like(positive)  # of those with the same score
    last[:-1] = ranked[:-1] != ranked[1:]
    place = torch.arange(len(ranked)).where(last, -1).cummax(dim=0).values  # of the last one so far
    allowed = torch.tensor(false_positive_rates, dtype=torch.float64)

    def rates(weights: Tensor) -> Tensor:
        weight = weights[target]
        true = (weight * positive).cumsum(dim=0)
        false = weight.cumsum(dim=0) - true
        end = torch.searchsorted(false, allowed * false[-1], right=True) - 1
        end = place[end.clamp(min=0)].where(end >= 0, -1)
        return (true[end] / true[-1]).where(end >= 0, 0.0)

    count = len(scores)
    values = rates(torch.ones(count, dtype=torch.float64)).tolist()
    generator = torch.Generator().manual_seed(0)
    resamples = max(LEAST, min(RESAMPLES, PAIRS // len(ranked)))
    drawn = torch.randint(count, (resamples, count), generator=generator)
    found = torch.stack([rates(torch.bincount(row, minlength=count).double()) for row in drawn])
    ends = found.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0).T.tolist()
    estimates = []
    for value, (low, high) in zip(values, ends, strict=True):
        if low == high:
            low, high = wilson(round(value * count), count).interval
        estimates.append(Estimate(value, min(low, value), max(high, value), int(positive.sum())))
    return estimates


def true_positive_rate(scores: Tensor, members: Tensor, *, false_positive_rate: float) -> Estimate:
    """`true_positive_rates` at one rate."""
    return true_positive_rates(scores, members, false_positive_rates=[false_positive_rate])[0]


def _over_others(values: Tensor, groups: Tensor | None) -> Tensor:
    """For each network the sum (K, N) of `values` (K, N) over its shadow models."""
    if groups is None:
        return values.sum(dim=0) - values
    _, place = torch.unique(groups, return_inverse=True)
    sums = values.new_zeros(int(place.max()) + 1, values.shape[1]).index_add_(0, place, values)
    return values.sum(dim=0) - sums[place]


def _mean_of_others(values: Tensor, weight: Tensor, groups: Tensor | None) -> Tensor:
    """For each network the weighted mean (K, N) over its shadow models; NaN where their weights are
    0."""
    return _over_others(values * weight, groups) / _over_others(weight, groups)


def _normal_fits(
    odds: Tensor, where: Tensor, own: Tensor, groups: Tensor | None
) -> tuple[Tensor, Tensor]:
    """For each target (K, N): mean and variance of each example's log odds over its shadow models
    `where` (K, N) says so; the variance is shared by all but those that have their `own` (K, N)
    bool. NaN for examples with fewer than two such models."""
    weight = where.double()
    count = _over_others(weight, groups)
    mean = _over_others(weight * odds, groups) / count
    squares = _over_others(weight * odds * odds, groups) - count * mean.square()
    enough = count >= 2
    squares = squares.where(enough, 0.0).clamp(min=0.0)
    freedom = (count - 1).where(enough, 0.0)
    shared = squares.sum(dim=1, keepdim=True) / freedom.sum(dim=1, keepdim=True)
    variance = torch.where(own, squares / freedom, shared)
    return mean, variance.clamp(min=1e-12).where(enough, math.nan)
