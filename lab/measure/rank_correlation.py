"""Spearman's rank correlation with a bootstrap interval."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lab.core.estimate import Estimate

RESAMPLES = 2000
"""Bootstrap samples of an interval."""


def spearman(one: Tensor, other: Tensor) -> float:
    """Spearman's rank correlation of two measures (N,) of the same N examples, -1 to 1: Pearson's
    of their ranks, equal values having their mean rank. NaN if either is constant, or has NaN."""
    if len(one) != len(other):
        raise ValueError(f"{len(one)} values of one measure, {len(other)} of the other")
    if bool(one.isnan().any() | other.isnan().any()):
        return math.nan
    x, y = (_ranks(values) for values in (one, other))
    spread = x.norm() * y.norm()
    return ((x @ y) / spread).clamp(-1, 1).item() if spread > 0 else math.nan


def rank_correlation(one: Tensor, other: Tensor, *, among: int = 1) -> Estimate:
    """`spearman` with the 95 % percentile interval of a bootstrap over the examples: for other
    examples of the same kind, the measures taken as they are. With `among` > 1 it is one of so many
    intervals that all hold together (Bonferroni's correction)."""
    value, count = spearman(one, other), len(one)
    if math.isnan(value) or count < 3:
        return Estimate.point(value, count=count)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(count, (RESAMPLES, count), generator=generator)
    found = torch.tensor([spearman(one[row], other[row]) for row in drawn], dtype=torch.float64)
    found = found[found.isfinite()]
    tail = 0.025 / among
    low, high = found.quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return Estimate(value, min(low, value), max(high, value), count)


def _ranks(values: Tensor) -> Tensor:
    """The ranks (N,) less their mean; equal values have the same."""
    ordered = values.sort().values
    below = torch.searchsorted(ordered, values)
    at_most = torch.searchsorted(ordered, values, right=True)
    ranks = (below + at_most).double()
    return ranks - ranks.mean()
