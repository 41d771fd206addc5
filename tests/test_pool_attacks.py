"""The likelihood-ratio attack against SciPy, planted networks, and a loop over thresholds."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from lab.measure import caught_at
from lab.measure.shadow_models import OWN_VARIANCE, likelihood_ratios, true_positive_rate


def planted(networks: int, count: int, *, effect: float, spread: float = 3.0) -> tuple:
    """Log odds that lie `effect` higher for members, around a mean of each example's own."""
    generator = torch.Generator().manual_seed(0)
    members = torch.rand(networks, count, generator=generator) < 0.5
    mean = spread * torch.randn(count, generator=generator)
    noise = torch.randn(networks, count, generator=generator)
    return mean + effect * members + noise, members


@pytest.mark.parametrize("networks", [12, 2 * OWN_VARIANCE + 6])
def test_the_scores_are_those_of_scipy(networks: int) -> None:
    odds, members = planted(networks, 7, effect=1.5)
    online = likelihood_ratios(odds, members)
    offline = likelihood_ratios(odds, members, online=False)
    target = 3
    rows = [k for k in range(networks) if k != target]
    fits: dict[bool, list[tuple[float, float]]] = {}
    counts = members[rows].sum(dim=0)
    own = (counts >= OWN_VARIANCE) & (networks - 1 - counts >= OWN_VARIANCE)
    assert own.any() == (networks > 12)
    assert not own.all()
    for inside in (True, False):
        values = [
            np.array([float(odds[k, i]) for k in rows if bool(members[k, i]) == inside])
            for i in range(7)
        ]
        shared = sum(((v - v.mean()) ** 2).sum() for v in values) / sum(len(v) - 1 for v in values)
        fits[inside] = [
            (v.mean(), math.sqrt(v.var(ddof=1) if own[i] else shared)) for i, v in enumerate(values)
        ]
    for i in range(7):
        x = float(odds[target, i])
        wanted = norm.logpdf(x, *fits[True][i]) - norm.logpdf(x, *fits[False][i])
        assert float(online[target, i]) == pytest.approx(wanted, rel=1e-6, abs=1e-6)
        mean, deviation = fits[False][i]
        assert float(offline[target, i]) == pytest.approx((x - mean) / deviation, rel=1e-6)


def test_it_finds_members_that_losses_hide_and_nothing_where_there_is_none() -> None:
    """Examples that differ in difficulty hide an effect from one threshold for all."""
    odds, members = planted(40, 300, effect=2.0)
    rates = [
        true_positive_rate(scores, members, false_positive_rate=0.01)
        for scores in (likelihood_ratios(odds, members), odds)
    ]
    assert rates[0].low > rates[1].high
    best = norm.sf(norm.isf(0.01) - 2.0)  # with means and variances known
    assert best - 0.08 < rates[0].value < best + 0.03
    odds, members = planted(40, 300, effect=0.0)
    scores = likelihood_ratios(odds, members)
    for false in (0.01, 0.1):
        found = true_positive_rate(scores, members, false_positive_rate=false)
        assert found.low < 1.3 * false
        assert found.high > 0.7 * false


def test_certain_members_have_an_interval_too() -> None:
    _, members = planted(10, 20, effect=0.0)
    found = true_positive_rate(members.double(), members, false_positive_rate=0.0)
    assert found.value == found.high == 1
    assert 0.5 < found.low < 0.9, "ten targets do not prove it for all"


def of_loop(scores: Tensor, members: Tensor, false: float) -> float:
    """The best of all thresholds, one by one."""
    inside, outside = scores[members], scores[~members]
    rates = [0.0]
    for threshold in scores.unique():
        if (outside >= threshold).double().mean() <= false:
            rates.append(float((inside >= threshold).double().mean()))
    return max(rates)


@pytest.mark.parametrize("false", [0.0, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("digits", [1, 9])
def test_rates_are_those_of_the_best_threshold(false: float, digits: int) -> None:
    odds, members = planted(9, 30, effect=1.0)
    scores = odds.double().round(decimals=digits)  # one digit: many ties
    found = true_positive_rate(scores, members, false_positive_rate=false)
    assert found.value == pytest.approx(of_loop(scores, members, false))
    assert found.low <= found.value <= found.high
    if digits > 1 and 0 < false < 1:
        other = caught_at(-scores[members], -scores[~members], false_alarms=false)
        assert found.value == pytest.approx(other.value)


def test_examples_without_enough_shadow_models_have_no_score() -> None:
    odds, members = planted(6, 5, effect=1.0)
    members[:, 0] = True
    members[:, 1] = torch.arange(6) == 0
    scores = likelihood_ratios(odds, members)
    assert scores[:, :2].isnan().all()
    members[:, 2:] = (torch.arange(6)[:, None] + torch.arange(3)) % 2 == 0
    scores = likelihood_ratios(odds, members)
    assert scores[:, 2:].isfinite().all()
    assert true_positive_rate(scores, members, false_positive_rate=0.5).count == 9
    assert math.isnan(true_positive_rate(odds, members | True, false_positive_rate=0.1).value)
