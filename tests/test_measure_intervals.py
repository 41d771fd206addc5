"""Intervals hold what they promise: 95 %, counted over simulated repetitions."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from lab.core.estimate import Estimate, difference, highest, together, wilson
from lab.measure.intervals import area, mean

TIMES = 400
LEAST = stats.binom.ppf(1e-4, TIMES, 0.93) / TIMES  # a method of 93 % passes almost surely


def coverage(estimates: list[Estimate], truth: float) -> float:
    return float(np.mean([e.low <= truth <= e.high for e in estimates]))  # type: ignore[operator]


def test_newcombe_1998_table_ii() -> None:
    """The worked examples of method 10 in the paper: (a) 56/70 - 48/80, (b) 9/10 - 3/10."""
    for one, other, low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ):
        found = difference(wilson(*one), wilson(*other))
        assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


def test_a_difference_needs_both_intervals() -> None:
    assert difference(Estimate.point(0.5), wilson(3, 10)) == Estimate.point(0.2)
    assert difference(wilson(5, 10), wilson(3, 10)).count == 20


def test_the_mean_of_little() -> None:
    assert math.isnan(mean(torch.tensor([])).value)
    assert mean(torch.tensor([2.0])) == Estimate.point(2.0, count=1)


@pytest.mark.parametrize(("p", "q"), [(0.99, 0.7), (0.9, 0.9), (0.5, 0.5)])
@pytest.mark.parametrize(("m", "n"), [(32, 2000), (100, 100)])
def test_differences_of_shares_cover(p: float, q: float, m: int, n: int) -> None:
    draw = np.random.default_rng(0)
    found = [
        difference(wilson(int(a), m), wilson(int(b), n))
        for a, b in zip(draw.binomial(m, p, TIMES), draw.binomial(n, q, TIMES), strict=True)
    ]
    assert coverage(found, p - q) >= LEAST


def test_means_and_their_differences_cover() -> None:
    draw = np.random.default_rng(0)
    one = [mean(torch.from_numpy(draw.exponential(1.0, 200))) for _ in range(TIMES)]
    other = [mean(torch.from_numpy(draw.exponential(3.0, 500))) for _ in range(TIMES)]
    assert coverage(one, 1.0) >= LEAST
    both = [difference(b, a) for a, b in zip(one, other, strict=True)]
    assert coverage(both, 2.0) >= LEAST


@pytest.mark.parametrize("far", [0.0, 0.3, 0.7])
@pytest.mark.parametrize(("m", "n"), [(30, 30), (100, 1000), (1000, 100)])
def test_areas_cover(far: float, m: int, n: int) -> None:
    """Losses of members, and of fresh faces of which a share lies far above all members."""
    draw = np.random.default_rng(1)
    found = []
    for _ in range(TIMES):
        fresh = draw.normal(size=n) + 20 * (draw.random(n) < far)
        found.append(area(torch.from_numpy(draw.normal(size=m)), torch.from_numpy(fresh)))
    assert coverage(found, (1 + far) / 2) >= LEAST


def test_newcombe_2006_method_5_holds_at_its_ends() -> None:
    """At an end t of the interval, the distance to the area is Z standard errors of t."""
    found = area(torch.arange(20.0), torch.arange(50.0) + 100)
    assert found.low is not None
    t, star = found.low, (20 + 50) / 2 - 1
    variance = t * (1 - t) / (20 * 50) * (1 + star * ((1 - t) / (2 - t) + t / (1 + t)))
    assert (1 - t) / math.sqrt(variance) == pytest.approx(stats.norm.ppf(0.975))
    assert found.high == pytest.approx(1)


@pytest.mark.parametrize("true", [[0.1] * 30, [0.02] * 29 + [0.4], [0.0] * 10, [0.5]])
def test_intervals_hold_together_and_so_does_that_of_the_highest(true: list[float]) -> None:
    random, missed, lost, rounds = np.random.default_rng(0), 0, 0, 400
    for _ in range(rounds):
        shares = [wilson(int(random.binomial(48, p)), 48) for p in true]
        wide = [each.interval for each in together(shares)]
        missed += any(not low <= p <= high for (low, high), p in zip(wide, true, strict=True))
        most = highest(shares)
        assert most.value == max(share.value for share in shares)
        low, high = most.interval
        assert low <= most.value <= high
        lost += not low <= max(true) <= high
    assert lost <= missed <= 0.1 * rounds  # 0.05, but Wilson's intervals are approximate


def test_one_share_alone_has_the_interval_it_had() -> None:
    assert together([wilson(5, 48)]) == [wilson(5, 48)]
    assert highest([wilson(5, 48)]) == wilson(5, 48)
    assert highest([Estimate.point(0.3), wilson(1, 48)]) == Estimate.point(0.3)
