"""Spearman's rank correlation with a bootstrap interval."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lab.core.estimate import Estimate

RESAMPLES, LEAST, PAIRS = 2000, 200, 20_000_000
"""Bootstrap samples of an interval; at least so many where they would draw more examples than that
in all, which takes some seconds."""

_BLOCK = 2**22
"""Examples of bootstrap samples that are held at a time."""


def spearman(one: Tensor, other: Tensor) -> float:
    """Spearman's rank correlation of two measures (N,) of the same N examples, -1 to 1: Pearson's
    of their ranks, equal values having their mean rank. NaN if either is constant, or has NaN."""
    if len(one) != len(other):
        raise ValueError(f"{len(one)} values of one measure, {len(other)} of the other")
    if len(one) == 0 or bool(one.isnan().any() | other.isnan().any()):
        return math.nan
    return _correlations(one[None], other[None]).item()


def rank_correlation(one: Tensor, other: Tensor, *, among: int = 1) -> Estimate:
    """`spearman` with the 95 % percentile interval of a bootstrap over the examples: for other
    examples of the same kind, the measures taken as they are. With `among` > 1 it is one of so many
    intervals that all hold together (Bonferroni's correction)."""
    value, count = spearman(one, other), len(one)
    if math.isnan(value) or count < 3:
        return Estimate.point(value, count=count)
    generator = torch.Generator().manual_seed(0)
    resamples = max(LEAST, min(RESAMPLES, PAIRS // count))
    rows = max(1, _BLOCK // count)
    found = []
    for start in range(0, resamples, rows):
        shape = (min(rows, resamples - start), count)
        drawn = torch.randint(count, shape, generator=generator)
        found.append(_correlations(one[drawn], other[drawn]))
    values = torch.cat(found)
    tail = 0.025 / among
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = values[values.isfinite()].quantile(ends).tolist()
    return Estimate(value, min(low, value), max(high, value), count)


def _correlations(one: Tensor, other: Tensor) -> Tensor:
    """Spearman's correlation (R,) of each row of two tensors (R, N); NaN where one is constant."""
    x, y = (_ranks(values) for values in (one, other))
    spread = (x.square().sum(dim=1) * y.square().sum(dim=1)).sqrt()
    return ((x * y).sum(dim=1) / spread).clamp(-1, 1)


def _ranks(values: Tensor) -> Tensor:
    """The ranks in each row (R, N) less their mean, float64; equal values have the same."""
    values = values.contiguous()
    ordered = values.sort(dim=1).values
    below = torch.searchsorted(ordered, values)
    at_most = torch.searchsorted(ordered, values, right=True)
    ranks = (below + at_most).double()
    return ranks - ranks.mean(dim=1, keepdim=True)
