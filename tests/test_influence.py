"""Influence of training examples on others, against loops, brute force, and planted networks."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from lab.measure.influence import influence, mean_differences, noise, shuffled
from lab.measure.memorization_scores import memorization_scores
from lab.pool import membership

POINTS = torch.rand(10, 2, generator=torch.Generator().manual_seed(3))
LABELS = torch.tensor([0, 1, 0, 1, 1, 0, 0, 1, 0, 1])
OTHERS = torch.rand(6, 2, generator=torch.Generator().manual_seed(4))
OTHER_LABELS = torch.tensor([0, 1, 1, 0, 1, 0])


def masks(networks: int, count: int = 10) -> Tensor:
    """The memberships of a pool."""
    return torch.stack([membership(k, count=count, share=0.7, seed=0) for k in range(networks)])


def nearest(members: Tensor, asked: Tensor, labels: Tensor) -> Tensor:
    """Which of the points `asked` the label of the nearest of the members (N,) is right on."""
    far = torch.cdist(asked, POINTS).masked_fill(~members, torch.inf)
    return LABELS[far.argmin(dim=1)] == labels


def pool_of_neighbors(members: Tensor) -> tuple[Tensor, Tensor]:
    """Of each subset: which training points and which others a nearest-neighbor rule gets right."""
    return tuple(
        torch.stack([nearest(row, asked, labels) for row in members])
        for asked, labels in ((POINTS, LABELS), (OTHERS, OTHER_LABELS))
    )


def test_all_subsets_by_brute_force() -> None:
    """Over all 120 subsets of 7 of 10, the influences are what a table of all retrainings says,
    exactly; a pool's estimates are near."""
    subsets = list(combinations(range(10), 7))
    members = torch.zeros(120, 10, dtype=torch.bool)
    for row, subset in zip(members, subsets, strict=True):
        row[list(subset)] = True
    _, hits = pool_of_neighbors(members)
    exact = influence(hits, members).values
    assert exact.abs().max() > 0.5
    for i in range(10):
        for j in range(6):
            inside = [bool(hits[k, j]) for k in range(120) if i in subsets[k]]
            outside = [bool(hits[k, j]) for k in range(120) if i not in subsets[k]]
            assert (len(inside), len(outside)) == (84, 36)
            wanted = sum(inside) / 84 - sum(outside) / 36
            assert float(exact[i, j]) == pytest.approx(wanted, abs=1e-6)

    members = masks(1000)
    found = influence(pool_of_neighbors(members)[1], members)
    assert ((found.values - exact).abs() < 4 * found.standard_error).all()


def test_a_loop_over_single_numbers_agrees() -> None:
    rng = np.random.default_rng(0)
    members, hits = rng.random((13, 5)) < 0.6, rng.random((13, 4)) < 0.5
    members[:, 0] = True  # never left out
    outputs = rng.normal(size=(13, 4))
    found = influence(torch.from_numpy(hits), torch.from_numpy(members))
    means = mean_differences(torch.from_numpy(outputs), torch.from_numpy(members))
    assert found.values.shape == found.standard_error.shape == means.shape == (5, 4)
    for each in (found.values, found.standard_error, found.strength, means):
        assert each[0].isnan().all()
    for i in range(1, 5):
        for j in range(4):
            inside, outside = (
                [k for k in range(13) if bool(members[k, i]) == there] for there in (True, False)
            )
            ends = [np.mean([hits[k, j] for k in rows]) for rows in (inside, outside)]
            assert float(found.values[i, j]) == pytest.approx(ends[0] - ends[1], abs=1e-6)
            parts = [
                ((sum(hits[k, j] for k in rows) + 1) / (len(rows) + 2), len(rows) + 2)
                for rows in (inside, outside)
            ]
            error = math.sqrt(sum(p * (1 - p) / n for p, n in parts))
            assert float(found.standard_error[i, j]) == pytest.approx(error, abs=1e-6)
            share = np.mean(hits[:, j])
            pooled = math.sqrt(share * (1 - share) * (1 / len(inside) + 1 / len(outside)))
            strength = (ends[0] - ends[1]) / pooled
            assert float(found.strength[i, j]) == pytest.approx(strength, abs=1e-5)
            wanted = np.mean([outputs[k, j] for k in inside]) - np.mean(
                [outputs[k, j] for k in outside]
            )
            assert float(means[i, j]) == pytest.approx(wanted)


def test_a_copy_of_a_training_example_is_influenced_as_that_is_memorized() -> None:
    members = masks(60)
    training = torch.stack([nearest(row, POINTS, LABELS) for row in members])
    copies = torch.stack([nearest(row, POINTS.clone(), LABELS) for row in members])
    scores = memorization_scores(training, members)
    found = influence(copies, members)
    assert torch.allclose(found.values.diagonal().double(), scores.score, atol=1e-6)
    assert torch.allclose(found.standard_error.diagonal().double(), scores.standard_error)
    assert scores.score.max() == 1


def test_networks_that_ignore_their_training_set_have_none() -> None:
    members = masks(40, 20)
    rule = (torch.arange(30) % 3 > 0).expand(40, 30)
    found = influence(rule, members)
    assert (found.values == 0).all()
    assert (found.strength == 0).all()
    assert (found.standard_error > 0).all(), "40 networks do not prove it for all"
    nothing = noise(rule, members, torch.arange(40) // 10)
    assert nothing.bound == nothing.mean_square == 0


def guesses(members: Tensor, count: int, seed: int) -> Tensor:
    """Predictions that are right by accident."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(len(members), count, generator=generator) < 0.6


def test_noise_is_seldom_called_more() -> None:
    members, blocks = masks(30, 20), torch.arange(30) // 10
    beyond = below = 0
    for seed in range(100):
        hits = guesses(members, 25, seed)
        found = noise(hits, members, blocks, shuffles=40)
        beyond += bool((influence(hits, members).strength.abs() > found.bound).any())
        below += found.p_value <= 0.05
        assert 0.7 < found.share < 1.4
    assert beyond <= 11
    assert below <= 11, "five are expected; more than eleven have a chance of one in 250"


def test_a_planted_influence_is_beyond_noise_and_no_other_is() -> None:
    members, blocks = masks(60, 40), torch.arange(60) // 10
    hits = guesses(members, 50, 0)
    hits[:, 7] = members[:, 11]
    hits[:, 8] = ~members[:, 12]
    found = noise(hits, members, blocks)
    strength = influence(hits, members).strength
    beyond = (strength.abs() > found.bound).nonzero().tolist()
    assert beyond == [[11, 7], [12, 8]]
    assert strength[12, 8] < 0


def test_shuffles_move_whole_subsets_within_their_blocks() -> None:
    blocks = torch.tensor([0, 0, 0, 2, 2, 2, 2, 5])
    generator = torch.Generator().manual_seed(0)
    orders = torch.stack([shuffled(blocks, generator) for _ in range(200)])
    assert (blocks[orders] == blocks).all()
    assert (orders.sort(dim=1).values == torch.arange(8)).all()
    assert {int(order[0]) for order in orders} == {0, 1, 2}
