"""Attacks with shadow models against SciPy, planted networks, and loops."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from lab.core.words import NOTHING
from lab.measure import caught_at
from lab.measure.shadow_models import (
    OWN_VARIANCE,
    likelihood_ratios,
    relative_ratios,
    true_positive_rate,
    true_positive_rates,
)
from lab.pool.attacks import (
    FRESH,
    LOSS,
    OFFLINE,
    ONLINE,
    RELATIVE,
    RELATIVE_OFFLINE,
    attack_with,
)
from lab.pool.membership import BLOCK, membership
from lab.pool.pictures import curves
from lab.pool.report import attack_rows


@pytest.fixture
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let intervals be those of 60 samples, for attacks on hundreds of thousands of pairs."""
    monkeypatch.setattr("lab.measure.shadow_models.RESAMPLES", 60)


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


def test_several_rates_are_found_as_one_by_one() -> None:
    odds, members = planted(9, 30, effect=1.0)
    rates = (0.3, 0.01, 0.1)
    together = true_positive_rates(odds, members, false_positive_rates=rates)
    alone = [true_positive_rate(odds, members, false_positive_rate=rate) for rate in rates]
    assert together == alone


@pytest.mark.parametrize("online", [True, False])
def test_relative_ratios_are_those_of_a_loop(online: bool) -> None:
    odds, members = planted(8, 6, effect=1.0)
    population, _ = planted(8, 15, effect=0.0)
    found = relative_ratios(odds, members, population, online=online)

    def p(value: Tensor) -> float:
        return 1 / (1 + math.exp(-float(value)))

    def reference(values: Tensor, target: int, inside: Tensor | None) -> float:
        rows = [k for k in range(8) if k != target]
        if inside is None:
            mean = np.mean([p(values[k]) for k in rows])
            return float(mean) if online else (1.3 * float(mean) + 0.7) / 2
        out = np.mean([p(values[k]) for k in rows if not inside[k]])
        if not online:
            return (1.3 * float(out) + 0.7) / 2
        return float(out + np.mean([p(values[k]) for k in rows if inside[k]])) / 2

    for target in range(8):
        z = [p(c[target]) / reference(c, target, None) for c in population.T]
        for i in range(6):
            others = [bool(members[k, i]) for k in range(8) if k != target]
            if all(others) or not any(others):
                continue
            x = p(odds[target, i]) / reference(odds[:, i], target, members[:, i])
            wanted = np.mean([each <= x for each in z])
            assert float(found[target, i]) == pytest.approx(float(wanted))


@pytest.mark.usefixtures("fewer_resamples")
def test_fresh_examples_are_compared_as_members_are() -> None:
    """With known normal distributions the best attack's rates are known too, down to 0.01 %."""
    networks, count, many, effect = 100, 200, 2400, 3.0
    odds, _ = planted(networks, count + many, effect=0.0)
    members = torch.rand(networks, count, generator=torch.Generator().manual_seed(1)) < 0.5
    odds[:, :count] += effect * members
    found = attack_with(odds[:, :count], odds[:, count:], members)
    assert found.non_members > 100_000
    assert list(found.fresh) == [OFFLINE, RELATIVE_OFFLINE, LOSS]
    for rate, each in found.fresh[OFFLINE].items():
        best = norm.sf(norm.isf(rate) - effect)
        assert best - 0.12 < each.value < best + 0.03, (
            "variances from 50 shadow models cost a little"
        )
    assert list(found.fresh[OFFLINE]) == list(FRESH)
    assert list(found.fresh[RELATIVE_OFFLINE]) == [0.1, 0.01], "steps of 1 in 1,000"
    assert found.left_out[ONLINE][0.01].value > found.left_out[LOSS][0.01].value
    assert found.left_out[RELATIVE][0.1].value > found.left_out[LOSS][0.1].value
    assert list(found.power) == [16, 32, 64, 100]


@pytest.mark.usefixtures("fewer_resamples")
def test_attacks_find_nothing_where_there_is_nothing() -> None:
    """Networks whose answers do not depend on their training set: rates lie on the diagonal."""
    odds, _ = planted(100, 4400, effect=0.0)
    members = torch.rand(100, 200, generator=torch.Generator().manual_seed(1)) < 0.5
    found = attack_with(odds[:, :200], odds[:, 200:], members)
    for rates in (found.null, *found.fresh.values(), *found.left_out.values()):
        for rate, each in rates.items():
            assert each.low < 1.5 * rate + 3 / each.count
            assert each.high > 0.5 * rate
    assert min(found.null) == 0.0001


def test_shadow_models_are_those_of_other_groups() -> None:
    odds, members = planted(12, 7, effect=1.5)
    fresh = torch.randn(12, 9, generator=torch.Generator().manual_seed(3))
    groups = torch.tensor([5, 5, 5, 0, 0, 0, 9, 9, 9, 9, 9, 9])

    def scores(odds: Tensor, members: Tensor, fresh: Tensor, groups: Tensor | None) -> list[Tensor]:
        found = [likelihood_ratios(odds, members, online=o, groups=groups) for o in (True, False)]
        found += [
            relative_ratios(odds, members, fresh, online=o, groups=groups) for o in (True, False)
        ]
        return found

    for target in (0, 4, 11):
        rows = [target, *(k for k in range(12) if groups[k] != groups[target])]
        alone = scores(odds[rows], members[rows], fresh[rows], None)
        for one, other in zip(scores(odds, members, fresh, groups), alone, strict=True):
            torch.testing.assert_close(one[target], other[0], equal_nan=True)


def test_networks_of_a_block_are_alike_and_do_not_attack_each_other() -> None:
    """Answers that are alike where subsets have examples in common, with no effect of any one
    example: all other networks as shadow models find more than a guess, other blocks do not."""
    networks, count = 40, 1000
    generator = torch.Generator().manual_seed(0)
    members = torch.stack([membership(k, count=count, share=0.7, seed=0) for k in range(networks)])
    features, answers = torch.randn(2, count, 200, generator=generator)
    odds = (members.float() - 0.7) @ features @ answers.T / 200
    blocks = torch.arange(networks) // BLOCK
    for online in (True, False):
        usual, apart = (
            true_positive_rate(
                likelihood_ratios(odds, members, online=online, groups=groups),
                members, false_positive_rate=0.1,
            )
            for groups in (None, blocks)
        )  # fmt: skip
        assert usual.low > 0.1
        assert apart.low < 0.1 < apart.high


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


def test_too_few_fresh_examples_leave_out_what_they_cannot_show() -> None:
    odds, members = planted(20, 60, effect=1.0)
    for fresh, measured in ((48, [OFFLINE, LOSS]), (12, [OFFLINE, LOSS]), (2, [])):
        found = attack_with(odds, torch.randn(20, fresh), members)
        _, (header, *rows) = attack_rows(found, "pictures")
        assert [row[0] for row in rows[:-1]] == measured
        assert all(row[1] != NOTHING for row in rows[:-1])
        assert len(header) == 1 + len(FRESH)
        assert curves(found, "pictures").axes
