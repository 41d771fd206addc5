"""Memorization scores against brute force, planted networks, and loops over single numbers."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from lab.measure.memorization_scores import Averages, identity, mean_score, memorization_scores
from lab.pool import membership

POINTS = torch.tensor(
    [[0.0, 0.0], [0.1, 0.2], [0.3, 0.1], [1.0, 1.1], [1.2, 0.9], [0.9, 1.0], [0.2, 0.0],
     [2.0, 0.1], [1.9, 0.3], [0.6, 0.5]]
)  # fmt: skip
LABELS = torch.tensor([0, 0, 1, 1, 1, 0, 0, 1, 0, 1])


def nearest(members: Tensor, points: Tensor, labels: Tensor) -> Tensor:
    """Which points (N,) a nearest-neighbor classifier of the members gets right."""
    found = torch.cdist(points, points[members]).argmin(dim=1)
    return labels[members][found] == labels


def masks(networks: int, count: int, share: float, seed: int = 0) -> Tensor:
    """The members (K, N) of each network of a pool."""
    rows = [membership(k, count=count, share=share, seed=seed) for k in range(networks)]
    return torch.stack(rows)


def pool_of_neighbors(networks: int, share: float, points: Tensor, labels: Tensor) -> tuple:
    """What nearest-neighbor classifiers get right (K, N), and their members."""
    members = masks(networks, len(points), share)
    return torch.stack([nearest(row, points, labels) for row in members]), members


def test_leaving_out_one_at_a_time_is_exact() -> None:
    """At a share of 9 of 10 ten networks are all that there are."""
    hits, members = pool_of_neighbors(10, 0.9, POINTS, LABELS)
    scores = memorization_scores(hits, members)
    for i in range(10):
        without = torch.arange(10) != i
        exact = 1.0 - float(nearest(without, POINTS, LABELS)[i])
        assert scores.score[i] == exact
    assert mean_score(hits, members).value == scores.score.mean()


def test_all_subsets_give_what_a_large_pool_estimates() -> None:
    subsets = list(combinations(range(10), 7))
    inside, outside = torch.zeros(2, 10), torch.zeros(2, 10)
    for subset in subsets:
        members = torch.zeros(10, dtype=torch.bool)
        members[list(subset)] = True
        hits = nearest(members, POINTS, LABELS).float()
        inside += torch.stack([hits * members, members.float()])
        outside += torch.stack([hits * ~members, (~members).float()])
    exact = inside[0] / inside[1] - outside[0] / outside[1]
    assert len(subsets) == 120
    assert exact.max() == 1
    assert exact.min() < 0.2

    scores = memorization_scores(*pool_of_neighbors(2000, 0.7, POINTS, LABELS))
    assert ((scores.score - exact).abs() < 4 * scores.standard_error).all()
    assert (scores.score - exact).abs().max() < 0.07


def test_copies_are_not_memorized_and_a_lone_exception_is() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.cat([torch.rand(14, 2, generator=generator), torch.full((6, 2), 3.0)])
    labels = torch.zeros(20, dtype=torch.int64)
    labels[14:] = 1  # six copies of one point
    labels[0] = 1  # an exception
    scores = memorization_scores(*pool_of_neighbors(200, 0.7, points, labels))
    assert scores.score[14:].abs().max() < 0.03
    assert scores.score[0] == 1


def test_the_true_rule_scores_0_and_a_table_1_minus_a_guess() -> None:
    members = masks(400, 50, 0.7)
    rule = torch.ones_like(members)
    found = memorization_scores(rule, members)
    assert (found.score == 0).all()
    assert (found.standard_error > 0).all(), "400 networks do not prove it for all"
    assert found.by_heart().value == 0

    guesses = torch.rand(members.shape, generator=torch.Generator().manual_seed(1)) < 1 / 4
    table = members | guesses
    scores = memorization_scores(table, members)
    assert (scores.accuracy_in == 1).all()
    assert mean_score(table, members).low < 0.75 < mean_score(table, members).high
    assert scores.by_heart().value == 1


def test_a_loop_over_single_numbers_agrees() -> None:
    rng = np.random.default_rng(0)
    members, hits = rng.random((13, 9)) < 0.6, rng.random((13, 9)) < 0.5
    members[:, 0] = True  # never left out
    scores = memorization_scores(torch.from_numpy(hits), torch.from_numpy(members))
    assert math.isnan(scores.score[0])
    assert math.isnan(scores.standard_error[0])
    wanted = []
    for i in range(1, 9):
        inside = [hits[k, i] for k in range(13) if members[k, i]]
        outside = [hits[k, i] for k in range(13) if not members[k, i]]
        wanted.append(np.mean(inside) - np.mean(outside))
        parts = [((sum(h) + 1) / (len(h) + 2), len(h) + 2) for h in (inside, outside)]
        error = math.sqrt(sum(p * (1 - p) / n for p, n in parts))
        assert float(scores.score[i]) == pytest.approx(wanted[-1])
        assert float(scores.standard_error[i]) == pytest.approx(error)
        assert (scores.count_in[i], scores.count_out[i]) == (len(inside), len(outside))
    assert scores.by_heart().count == 8
    assert scores.by_heart().value == np.mean(np.array(wanted) >= 0.5)

    found = mean_score(torch.from_numpy(hits), torch.from_numpy(members))
    assert found.value == pytest.approx(np.mean(wanted))
    left = []
    for k in range(13):
        rest = [j for j in range(13) if j != k]
        each = memorization_scores(
            torch.from_numpy(hits[rest]), torch.from_numpy(members[rest])
        ).score[1:]
        left.append(float(each.mean()))
    variance = np.var(wanted, ddof=1) / 8 + 12 / 13 * np.sum((left - np.mean(left)) ** 2)
    assert found.high - found.value == pytest.approx(1.959964 * math.sqrt(variance))


def test_averages_without_a_network_are_those_of_the_others() -> None:
    hits = torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) < 0.5
    found = Averages.of(hits)
    for k in range(6):
        rest = torch.arange(6) != k
        assert torch.allclose(found.without[k], hits[rest].double().mean(dim=0))


def simulated(seed: int, *, networks: int = 20, classes: int = 2, wrong: float = 0.0) -> tuple:
    """Hits on 60 training and 150 fresh examples by networks that know their members and get
    another example right by its difficulty and their own skill; 0.6 in the mean."""
    generator = torch.Generator().manual_seed(seed)
    members = masks(networks, 60, 0.7, seed)
    skill = 0.3 * (torch.rand(networks, 1, generator=generator) - 0.5)
    hits = []
    for count in (60, 150):
        ease = 0.4 + 0.4 * torch.rand(count, generator=generator)
        hits.append(torch.rand(networks, count, generator=generator) < ease + skill)
    mislabeled = torch.rand(60, generator=generator) < wrong
    lucky = torch.rand(networks, 60, generator=generator) < 1 / (classes - 1)
    given = torch.where(mislabeled, ~hits[0] & lucky, hits[0])
    return given | members, members, hits[1], mislabeled


@pytest.mark.parametrize(("classes", "wrong"), [(2, 0.0), (2, 0.3), (5, 0.3)])
def test_the_identity_holds_as_often_as_its_interval_says(classes: int, wrong: float) -> None:
    held, covered, runs = 0, 0, 200
    for seed in range(runs):
        hits, members, fresh, mislabeled = simulated(seed, classes=classes, wrong=wrong)
        found = identity(hits, members, fresh, wrong=mislabeled, classes=classes)
        held += found.holds
        chance = 0.6 * (1 - wrong) + wrong * 0.4 / (classes - 1)
        low, high = found.score.interval
        covered += low < 1 - chance < high
        difference = found.members.value - found.others.value
        assert found.score.value == pytest.approx(difference), "each is left out 6 times of 20"
    assert held / runs > 0.93
    assert covered / runs > 0.92


def test_a_training_set_of_another_kind_breaks_the_identity() -> None:
    hits, members, fresh, wrong = simulated(0, networks=40)
    easier = fresh | (torch.rand(fresh.shape, generator=torch.Generator().manual_seed(9)) < 0.7)
    found = identity(hits, members, easier, wrong=wrong, classes=2)
    assert not found.holds
    assert found.off.value < -0.1


def test_too_few_networks_have_no_interval() -> None:
    hits, members, _, _ = simulated(0, networks=2)
    found = mean_score(hits, members)
    assert found.low is None
    assert found.count == 36, "those that one network was trained on and the other was not"


def test_scores_that_are_all_the_same_have_no_interval() -> None:
    """They tell nothing of their spread, and would be called apart from all others."""
    found = mean_score(torch.ones(6, 5, dtype=torch.bool), masks(6, 5, 0.6))
    assert (found.value, found.low, found.count) == (0.0, None, 5)


@pytest.mark.parametrize(("count", "share"), [(500, 0.7), (37, 0.5), (12, 0.9), (8, 0.7)])
def test_subsets_have_their_size_and_balance(count: int, share: float) -> None:
    members = masks(40, count, share)
    assert (members.sum(dim=1) == round(share * count)).all()
    for block in members.split(10):
        left_out = (~block).sum(dim=0)
        assert left_out.max() - left_out.min() <= 1 + 10 / count
    assert not torch.equal(members[:10], members[10:20])
    assert torch.equal(members[7], membership(7, count=count, share=share, seed=0))
    assert not torch.equal(members, masks(40, count, share, seed=1))


def test_a_subset_holds_any_two_examples_as_often_as_any_other_two() -> None:
    members = masks(4000, 6, 0.5)[::10].double()  # one of each block
    together = members.T @ members / len(members)
    pairs = together[~torch.eye(6, dtype=torch.bool)]
    assert (pairs - 0.2).abs().max() < 4 * math.sqrt(0.2 * 0.8 / 400)


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_subsets_of_all_or_none_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match=f"--share {share}"):
        membership(0, count=10, share=share, seed=0)
