"""95 % intervals for differences, means and areas (Wilson's, for a share, is in
`lab.core.estimate`)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lab.core.estimate import Estimate, Z


def difference(one: Estimate, other: Estimate) -> Estimate:
    """`one` minus `other`, for two independent estimates with intervals.

    Square-and-add: with Wilson intervals it is the hybrid score interval of Newcombe, "Interval
    estimation for the difference between independent proportions", Statist. Med. 17, 1998, method
    10; with normal intervals it is the usual one. Without both intervals the result has none.
    """
    value = one.value - other.value
    counts = [figure.count for figure in (one, other) if figure.count is not None]
    count = sum(counts) if len(counts) == 2 else None
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Estimate.point(value, count=count)
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - down, value + up, count)


def mean(values: Tensor) -> Estimate:
    """The mean of independent values (N,) with its normal interval; none below two values."""
    count = len(values)
    if count == 0:
        return Estimate.point(math.nan, count=0)
    values = values.double()
    value = values.mean().item()
    if count == 1:
        return Estimate.point(value, count=1)
    reach = Z * values.std().item() / math.sqrt(count)
    return Estimate(value, value - reach, value + reach, count)


def area(smaller: Tensor, larger: Tensor) -> Estimate:
    """P(a value of `smaller` (M,) < one of `larger` (N,)), ties counting half: a ROC's area.

    The value is the Mann-Whitney statistic over M N. Its interval is normal on the logit scale with
    the variance of DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988, which assumes nothing on
    the distribution of the values. Where that variance vanishes (area 0 or 1), it is method 5 of
    Newcombe, Statist. Med. 25, 2006, 559-573: the areas t whose standard error, with
    V(t) = t (1 - t) (1 + s ((1 - t) / (2 - t) + t / (1 + t))) / (m n) and s = (m + n) / 2 - 1,
    reaches the value. By simulation DeLong's covers 92 to 97 % for areas up to 0.95, also when the
    losses lie in two heaps (Newcombe's falls to 81 % there), but only 85 to 91 % at 0.98 when one
    side has 100 values or fewer.
    """
    m, n = len(smaller), len(larger)
    if m == 0 or n == 0:
        return Estimate.point(math.nan, count=m + n)
    one, other = smaller.double(), larger.double()
    above = 1 - _share_below(other, one)  # (M,) for each: share of `larger` above it
    below = _share_below(one, other)  # (N,) for each: share of `smaller` below it
    value = above.mean().item()
    variance = math.inf
    if m > 1 and n > 1:
        variance = above.var().item() / m + below.var().item() / n
    if 0 < value < 1 and 0 < variance < math.inf:
        reach = Z * math.sqrt(variance) / (value * (1 - value))
        logit = math.log(value / (1 - value))
        return Estimate(value, _logistic(logit - reach), _logistic(logit + reach), m + n)
    low, high = _score_interval(value, m, n)
    return Estimate(value, low, high, m + n)


def _share_below(sample: Tensor, values: Tensor) -> Tensor:
    """For each of `values`: the share of `sample` below it, ties counting half."""
    ranked = sample.sort().values
    strictly = torch.searchsorted(ranked, values)
    at_most = torch.searchsorted(ranked, values, right=True)
    return (strictly + at_most).double() / (2 * len(sample))


def _score_interval(area: float, m: int, n: int) -> tuple[float, float]:
    """Newcombe 2006, method 5: the areas whose own standard error reaches `area`."""
    star = (m + n) / 2 - 1

    def reach(area: float) -> float:
        spread = 1 + star * ((1 - area) / (2 - area) + area / (1 + area))
        return Z * math.sqrt(max(0.0, area * (1 - area) * spread / (m * n)))

    low = _last(lambda candidate: area - candidate > reach(candidate), 0.0, area)
    high = 1 - _last(lambda rest: (1 - rest) - area > reach(1 - rest), 0.0, 1 - area)
    return low, high


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where `holds`, true near `low` and false near `high`, turns: by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
