"""Reliance, groups and parts against independent computations."""

import math
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import accuracy_score
from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.measure import (
    Predictions,
    component_values,
    group_accuracies,
    memorization_metrics,
    mislabeled_fitted,
    reliance,
    worst,
)
from lab.measure.components import shapley
from lab.measure.predictions import log_odds

PARTS = ("eyes", "nose", "mouth", "ears")


def logits(count: int, classes: int, seed: int) -> Tensor:
    return torch.randn(count, classes, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("classes", [2, 5])
def test_log_odds_are_those_of_the_probability(classes: int) -> None:
    asked = logits(200, classes, 0)
    column = torch.arange(200) % classes
    chances = asked.double().softmax(dim=1).numpy()[np.arange(200), column]
    assert log_odds(asked, column).numpy() == pytest.approx(np.log(chances / (1 - chances)))
    if classes == 2:
        assert log_odds(asked, column).numpy() == pytest.approx(
            (asked.gather(1, column[:, None]) - asked.gather(1, 1 - column[:, None]))[:, 0].double()
        )


@pytest.mark.parametrize("classes", [2, 5])
def test_reliance_is_what_a_loop_finds(classes: int) -> None:
    before, after = logits(150, classes, 1), logits(150, classes, 2)
    flips, moves = 0, []
    for one, other in zip(before.double().tolist(), after.double().tolist(), strict=True):
        said = max(range(classes), key=one.__getitem__)
        flips += said != max(range(classes), key=other.__getitem__)

        def odds(z: list[float], said: int = said) -> float:
            return z[said] - math.log(sum(math.exp(v) for k, v in enumerate(z) if k != said))

        moves.append(abs(odds(other) - odds(one)))
    found = reliance(before, after)
    assert found.flips.value == flips / 150
    ends = stats.binomtest(flips, 150).proportion_ci(method="wilson")
    assert found.flips.interval == pytest.approx((ends.low, ends.high))
    assert found.moved.value == pytest.approx(np.mean(moves))
    reach = stats.norm.interval(0.95, np.mean(moves), np.std(moves, ddof=1) / math.sqrt(150))
    assert found.moved.interval == pytest.approx(reach)


def test_nobody_asked_nothing_known() -> None:
    found = reliance(logits(0, 2, 0), logits(0, 2, 1))
    assert math.isnan(found.flips.value)
    assert found.flips.count == 0


def test_of_groups_with_the_same_accuracy_the_worst_is_the_least_certain() -> None:
    groups = {
        "many": wilson(50, 50),
        "few": wilson(4, 4),
        "one cluster": Estimate.point(1.0, count=9),
    }
    assert worst(groups)[0] == "few"
    assert worst(groups | {"half": Estimate.point(0.5, count=2)})[0] == "half"


def test_group_accuracies_equal_scikit_learn_and_name_the_worst() -> None:
    asked = logits(90, 2, 3)
    labels, member = torch.arange(90) % 2, torch.arange(90) % 4
    groups = {name: member == k for k, name in enumerate("abcd")} | {"empty": member == 9}
    found = group_accuracies(asked, labels, groups)
    assert set(found) == set("abcd")
    for name, figure in found.items():
        mine = groups[name]
        assert figure.value == pytest.approx(accuracy_score(labels[mine], asked[mine].argmax(1)))
        assert figure.count == int(mine.sum())
    name, figure = worst(found)
    assert figure.value == min(f.value for f in found.values())
    assert found[name] == figure


def game(seed: int, faces: int = 7) -> Tensor:
    return torch.rand(16, faces, generator=torch.Generator().manual_seed(seed)) < 0.5


LOGITS, SIX = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 2


@pytest.mark.parametrize(
    "ask",
    [
        lambda: group_accuracies(LOGITS, SIX, {"in": torch.tensor([1, 0, 0, 0, 1, 1])}),
        lambda: group_accuracies(LOGITS, SIX, {"in": torch.tensor([True, False])}),
        lambda: reliance(LOGITS[:1], LOGITS),
        lambda: mislabeled_fitted(LOGITS, SIX, SIX[:1]),
        lambda: memorization_metrics(
            Predictions.of(LOGITS, SIX), Predictions.of(LOGITS, SIX, split="train")
        ),
    ],
)
def test_tensors_that_would_be_taken_for_others_are_refused(ask: Callable[[], object]) -> None:
    """Members as 0 and 1, one row for many, two sets in the other order."""
    with pytest.raises(ValueError, match=r"group|counterfactuals|true labels|training set first"):
        ask()


@pytest.mark.parametrize("player", range(4))
def test_shapley_values_are_the_mean_over_all_orders(player: int) -> None:
    called = game(player)
    total = []
    for face in called.T.tolist():
        gains = []
        for order in permutations(range(4)):
            before = sum(2**p for p in order[: order.index(player)])
            gains.append(face[before + 2**player] - face[before])
        total.append(np.mean(gains))
    found = shapley(called, player)
    assert found.value == pytest.approx(np.mean(total))
    reach = stats.norm.interval(0.95, np.mean(total), np.std(total, ddof=1) / math.sqrt(7))
    assert found.interval == pytest.approx(reach)


def test_shapley_values_share_out_what_all_parts_do_together() -> None:
    called = game(9, faces=50)
    total = sum(value.shapley.value for value in component_values(called, PARTS).values())
    assert total == pytest.approx(float((called[-1].float() - called[0].float()).mean()))


def test_parts_of_eight_faces_counted_by_hand() -> None:
    called = torch.zeros(16, 8, dtype=torch.bool)
    called[15] = torch.tensor([1, 1, 1, 1, 1, 1, 0, 0])  # all parts
    called[14] = torch.tensor([1, 1, 0, 0, 0, 0, 1, 0])  # without eyes: four of six no longer
    called[0] = torch.tensor([1, 0, 0, 0, 0, 0, 0, 0])  # without anything
    called[1] = torch.tensor([1, 1, 0, 0, 0, 0, 0, 1])  # eyes alone: two of the other seven
    eyes = component_values(called, PARTS)["eyes"]
    assert (eyes.necessity.value, eyes.necessity.count) == (4 / 6, 6)
    assert (eyes.sufficiency.value, eyes.sufficiency.count) == (2 / 7, 7)


def test_wilson_intervals_of_reliance_cover_by_simulation() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        flips = torch.from_numpy(generator.random(48) < 0.2).long()
        before = torch.tensor([[1.0, 0.0]]).repeat(48, 1)
        after = torch.stack([1.0 - 2 * flips, torch.zeros(48)], dim=1)
        low, high = reliance(before, after).flips.interval
        covered += low <= 0.2 <= high
    assert covered / 400 > 0.92


@pytest.mark.parametrize("late", [False, True])
def test_of_answers_that_are_not_numbers_nothing_is_known(late: bool) -> None:
    logits, broken = torch.randn(5, 2), torch.randn(5, 2)
    broken[2, 1] = torch.nan
    found = reliance(logits, broken) if late else reliance(broken, logits)
    assert math.isnan(found.flips.value)
    assert math.isnan(found.moved.value)
    assert found.flips.count == 5
