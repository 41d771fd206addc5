"""Influence of training examples on others, against loops, brute force, and planted networks."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from lab.measure.influence import causes, influence, mean_differences, noise, shuffled
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


def found_by_loops(
    outputs: np.ndarray, members: np.ndarray, blocks: np.ndarray
) -> tuple[list[int], np.ndarray]:
    """What `causes` finds, and the effects, by NumPy: forward selection with other shuffles."""
    count, faces = members.shape
    chance, found = np.random.default_rng(0), list[int]()
    effects, left = np.zeros(0), outputs - outputs.mean()

    def strengths(some: np.ndarray) -> list[float]:
        return [abs(np.corrcoef(some, members[:, i])[0, 1]) for i in range(faces)]

    while True:
        orders = [np.argsort(blocks + chance.random(count)) for _ in range(100)]
        strongest = [max(strengths(left[order])) for order in orders]
        now = strengths(left)
        if max(now) <= np.quantile(strongest, 0.95):
            return found, effects
        found.append(int(np.argmax(now)))
        table = np.column_stack([np.ones(count), members[:, found]])
        constant, *effects = np.linalg.lstsq(table, outputs, rcond=None)[0]
        left = outputs - constant - members[:, found] @ effects


def test_causes_of_one_output_are_those_of_a_plain_loop() -> None:
    members, blocks = masks(60, count=20), torch.arange(60) // 10
    chance = torch.rand(60, generator=torch.Generator().manual_seed(2)).double()
    outputs = 0.3 + 0.4 * members[:, 7] - 0.25 * members[:, 3] + 0.1 * chance
    told = causes(outputs, members, blocks, most=6)
    found, effects = found_by_loops(outputs.numpy(), members.numpy(), blocks.numpy())
    assert list(told.found) == found == [7, 3]
    np.testing.assert_allclose(told.effects, effects, atol=1e-12)
    np.testing.assert_allclose(told.effects, [0.4, -0.25], atol=4 * told.standard_error.max())
    assert 0 < told.noise < 0.05, "what is left when both are taken out is small"

    inside, outside = (outputs[part].numpy() for part in (members[:, 7], ~members[:, 7]))
    alone = causes(outputs, members, blocks, most=1)
    assert float(alone.effects) == pytest.approx(inside.mean() - outside.mean())
    assert float(alone.effects) == pytest.approx(
        float(mean_differences(outputs[:, None], members)[7])
    )
    between = (float(alone.effects) + 0.25) / 2
    assert causes(outputs, members, blocks, most=6, least=between).found == (7,)
    error = math.sqrt(inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside))
    assert float(alone.standard_error) == pytest.approx(error)


def test_the_errors_of_causes_are_how_far_they_scatter() -> None:
    """Over 300 pools whose outputs vary more with one example than without it."""
    members, blocks = masks(40, count=30), torch.arange(40) // 10
    generator = torch.Generator().manual_seed(8)
    effects, errors = [], []
    for _ in range(300):
        noise = torch.randn(40, generator=generator) * (0.1 + 0.5 * members[:, 6])
        outputs = 5 * members[:, 6] - 2 * members[:, 8] + noise
        told = causes(outputs, members, blocks, most=2, shuffles=20)
        assert told.found == (6, 8)
        effects.append(told.effects)
        errors.append(told.standard_error)
    scatter, told_errors = torch.stack(effects).std(dim=0), torch.stack(errors).mean(dim=0)
    assert ((told_errors / scatter - 1).abs() < 0.2).all()


def test_where_there_are_no_causes_few_are_found() -> None:
    """At 5 %: in 100 pools 5 are expected, and 12 are 3 standard deviations more. A face that
    others were trained on by accident does not take them along."""
    members, blocks = masks(40, count=30), torch.arange(40) // 10
    generator = torch.Generator().manual_seed(5)
    alone = beside = 0
    for _ in range(100):
        outputs = torch.rand(40, generator=generator)
        alone += bool(causes(outputs, members, blocks, most=6, shuffles=100).found)
        told = causes(3 * members[:, 4] + outputs, members, blocks, most=2, shuffles=100)
        assert told.found[0] == 4
        beside += len(told.found) > 1
    assert alone <= 12
    assert beside <= 12


def test_equal_outputs_have_no_cause_and_a_table_has_one() -> None:
    members, blocks = masks(40, count=30), torch.arange(40) // 10
    none = causes(torch.full((40,), 0.7), members, blocks, most=6)
    assert (none.found, none.noise) == ((), 0.0)
    table = causes(members[:, 9].float(), members, blocks, most=6)
    assert table.found == (9,)
    assert float(table.effects[0]) == pytest.approx(1)
    members[:, 2], members[:, 3] = True, False
    assert causes(members[:, 9].float(), members, blocks, most=6).found == (9,), "all and none"
