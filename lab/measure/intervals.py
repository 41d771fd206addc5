"""95 % intervals for means and areas (those of shares and differences are in
`lab.core.estimate`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import torch
from torch import Tensor

from lab.core.estimate import Estimate, Z


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


def area(smaller: Tensor, larger: Tensor, *, among: int = 1) -> Estimate:
    """P(a value of `smaller` (M,) < one of `larger` (N,)), ties counting half: a ROC's area.

    The value is the Mann-Whitney statistic over M N. Its interval is normal on the logit scale with
    the variance of DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988, which assumes nothing on
    the distribution of the values. Where that variance vanishes (area 0 or 1), it is method 5 of
    Newcombe, Statist. Med. 25, 2006, 559-573: the areas t whose standard error, with
    V(t) = t (1 - t) (1 + s ((1 - t) / (2 - t) + t / (1 + t))) / (m n) and s = (m + n) / 2 - 1,
    reaches the value. By simulation DeLong's covers 92 to 97 % for areas up to 0.95, also when the
    losses lie in two heaps (Newcombe's falls to 81 % there), but only 85 to 91 % at 0.98 when one
    side has 100 values or fewer.

    With `among` > 1 it is one of so many intervals that all hold together (Bonferroni's
    correction). Of none, or with NaN among them, it is NaN.
    """
    z = Z if among == 1 else NormalDist().inv_cdf(1 - 0.025 / among)
    m, n = len(smaller), len(larger)
    one, other = smaller.double(), larger.double()
    if m == 0 or n == 0 or torch.cat([one, other]).isnan().any():
        return Estimate.point(math.nan, count=m + n)
    above = 1 - _share_below(other, one)  # (M,) for each: share of `larger` above it
    below = _share_below(one, other)  # (N,) for each: share of `smaller` below it
    value = above.mean().item()
    variance = math.inf
    if m > 1 and n > 1:
        variance = above.var().item() / m + below.var().item() / n
    if 0 < value < 1 and 0 < variance < math.inf:
        reach = z * math.sqrt(variance) / (value * (1 - value))
        logit = math.log(value / (1 - value))
        return Estimate(value, _logistic(logit - reach), _logistic(logit + reach), m + n)
    low, high = _score_interval(value, m, n, z)
    return Estimate(value, low, high, m + n)


def area_of_few(smaller: Tensor, larger: Tensor) -> Estimate:
    """`area`, with an interval that also holds that of Newcombe's method 5: where one side has few
    values, DeLong's variance may be far too small by chance."""
    found = area(smaller, larger)
    if found.low is None or found.high is None:
        return found
    low, high = _score_interval(found.value, len(smaller), len(larger), Z)
    return Estimate(found.value, min(found.low, low), max(found.high, high), found.count)


def _share_below(sample: Tensor, values: Tensor) -> Tensor:
    """For each of `values`: the share of `sample` below it, ties counting half."""
    ranked = sample.sort().values
    strictly = torch.searchsorted(ranked, values)
    at_most = torch.searchsorted(ranked, values, right=True)
    return (strictly + at_most).double() / (2 * len(sample))


def _score_interval(area: float, m: int, n: int, z: float) -> tuple[float, float]:
    """Newcombe 2006, method 5: the areas whose own standard error reaches `area`."""
    star = (m + n) / 2 - 1

    def reach(area: float) -> float:
        spread = 1 + star * ((1 - area) / (2 - area) + area / (1 + area))
        return z * math.sqrt(max(0.0, area * (1 - area) * spread / (m * n)))

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
