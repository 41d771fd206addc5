"""The linear datamodeling score against SciPy, and planted truths."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from lab.measure.datamodeling import (
    datamodeling_score,
    datamodeling_scores,
    empirical_attributions,
    halves_score,
    repeat_score,
)
from lab.pool import membership


def masks(networks: int, count: int) -> Tensor:
    """The memberships of a pool."""
    return torch.stack([membership(k, count=count, share=0.7, seed=0) for k in range(networks)])


def planted(networks: int, count: int, *, noise: float, seed: int = 0) -> tuple:
    """Attributions of `count` examples to 40 others, members, and outputs that are their sums and
    noise of so many standard deviations."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(count, 40, generator=generator)
    members = masks(networks, count)
    sums = members.float() @ truth
    outputs = sums + noise * sums.std(dim=0) * torch.randn(sums.shape, generator=generator)
    return truth, members, outputs


def test_the_scores_are_those_of_scipy_in_a_loop() -> None:
    truth, members, outputs = planted(20, 12, noise=1.0)
    outputs = outputs.round()  # with equal values
    found = datamodeling_scores(truth, members, outputs)
    for j in range(40):
        sums = [sum(float(truth[i, j]) for i in range(12) if members[k, i]) for k in range(20)]
        wanted = spearmanr(np.round(sums, 4), outputs[:, j].numpy()).statistic
        assert float(found[j]) == pytest.approx(wanted, abs=1e-9)


def test_the_truth_has_1_and_random_numbers_have_0() -> None:
    truth, members, outputs = planted(60, 30, noise=0.0)
    groups = torch.arange(60) // 10
    assert datamodeling_score(truth, members, outputs, groups).value == pytest.approx(1.0)
    values = []
    for seed in range(20):
        wild = torch.randn(truth.shape, generator=torch.Generator().manual_seed(100 + seed))
        found = datamodeling_score(wild, members, outputs, groups)
        values.append(found.value)
        assert abs(found.value) < 0.2
    assert abs(sum(values)) / 20 < 0.03
    reverse = datamodeling_score(-3 * truth, members, outputs, groups)
    assert reverse.value == pytest.approx(-1.0)


def test_noise_bounds_what_the_truth_can_have() -> None:
    """Networks trained again on the same subsets tell how much of the outputs is theirs."""
    truth, members, outputs = planted(400, 30, noise=1.0)
    generator = torch.Generator().manual_seed(5)
    sums = members.float() @ truth
    again = sums + sums.std(dim=0) * torch.randn(sums.shape, generator=generator)
    groups = torch.arange(400) // 10
    shared = repeat_score(outputs[:100], again[:100])
    assert shared.low < 0.48 < shared.high, "half of the variance (of ranks: a little less)"
    best = datamodeling_score(truth, members, outputs, groups)
    assert best.value == pytest.approx(shared.value**0.5, abs=0.05)
    half = halves_score(members, outputs, groups)
    own = datamodeling_score(empirical_attributions(members, outputs), members, outputs, groups)
    assert 0.3 < half.value < best.value < own.value + 0.05


def test_halves_that_know_nothing_of_each_other_have_0() -> None:
    members = masks(80, 30)
    outputs = torch.randn(80, 200, generator=torch.Generator().manual_seed(0))
    found = halves_score(members, outputs, torch.arange(80) // 10)
    assert found.low < 0 < found.high
    assert abs(found.value) < 0.05
    own = datamodeling_score(
        empirical_attributions(members, outputs), members, outputs, torch.arange(80) // 10
    )
    assert own.low > 0.3, "on itself it seems to know a lot"


def test_intervals_hold_the_score_of_other_networks() -> None:
    """The score of one set of attributions, by many pools: nearly all intervals hold its mean."""
    truth, _, _ = planted(20, 30, noise=1.0)
    wild = truth + 2 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    found = []
    for seed in range(60):
        members = torch.stack([membership(k, count=30, share=0.7, seed=seed) for k in range(60)])
        sums = members.float() @ truth
        noise = torch.randn(sums.shape, generator=torch.Generator().manual_seed(seed))
        outputs = sums + sums.std(dim=0) * noise
        found.append(datamodeling_score(wild, members, outputs, torch.arange(60) // 10))
    mean = sum(each.value for each in found) / 60
    assert sum(each.low < mean < each.high for each in found) >= 52
