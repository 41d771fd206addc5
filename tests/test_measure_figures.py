"""Every figure against an independent computation, and on sets small enough to count by hand."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure import (
    Predictions,
    accuracy,
    caught_at,
    example_losses,
    expected_calibration_error,
    loss,
    membership_auc,
    memorization_metrics,
    mislabeled_fitted,
    mislabeled_true_label,
    reliance,
)
from lab.measure.intervals import area
from lab.measure.memorization import fitted_at_random, true_label_by_constant

TAGS = ("gap/accuracy", "gap/loss", "memorization/membership_auc")
NOISE_TAGS = ("memorization/mislabeled_fitted", "memorization/mislabeled_true_label")


def answers(count: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, classes, generator=generator) * 3
    return logits, torch.randint(0, classes, (count,), generator=generator)


def says(said: Tensor | list[int], *, sure: float = 5.0, classes: int = 2) -> Tensor:
    """Logits of someone who says the given classes, out of so many."""
    return torch.nn.functional.one_hot(torch.as_tensor(said), classes).float() * sure


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("count", [2, 9, 250])
def test_accuracy_and_loss_equal_scikit_learn(count: int, classes: int) -> None:
    logits, labels = answers(count, classes, seed=count)
    probabilities = logits.double().softmax(1).numpy()
    right, said = accuracy(logits, labels), logits.argmax(1).numpy()
    assert right.value == pytest.approx(accuracy_score(labels, said))
    test = stats.binomtest(int((said == labels.numpy()).sum()), count)
    ends = test.proportion_ci(method="wilson")
    assert (right.low, right.high) == pytest.approx((ends.low, ends.high))
    assert right.count == count
    mean = loss(logits, labels)
    assert mean.value == pytest.approx(log_loss(labels, probabilities, labels=range(classes)))
    each = -np.log(probabilities[np.arange(count), labels])
    assert example_losses(logits, labels).numpy() == pytest.approx(each)
    sure = stats.norm.interval(0.95, each.mean(), each.std(ddof=1) / math.sqrt(count))
    assert (mean.low, mean.high) == pytest.approx((max(0, sure[0]), sure[1]))


def test_no_end_of_the_interval_of_a_loss_is_below_0() -> None:
    """Of one large loss among tiny ones."""
    logits = torch.tensor([[20.0, 0.0]]).repeat(50, 1)
    logits[0] = torch.tensor([0.0, 3.0])
    found = loss(logits, torch.zeros(50, dtype=torch.int64))
    assert found.low == 0
    assert found.value > 0


def test_losses_of_confident_networks_are_exact_and_ranked() -> None:
    """-log softmax with exact fractions: from log odds of 37 on float64's logsumexp says 0."""
    margins = torch.tensor([5.0, 13.0, 15.0, 30.0, 36.0, 38.0, 40.0, 300.0, 700.0])
    logits = torch.stack([margins + 3, torch.full_like(margins, 3.0)], dim=1)
    losses = example_losses(logits, torch.zeros(len(margins), dtype=torch.long))
    assert losses.numpy() == pytest.approx(np.log1p(np.exp(-margins.double().numpy())), rel=1e-7)
    assert losses[2:].numpy() == pytest.approx(
        np.log1p(np.exp(-margins[2:].double().numpy())), rel=1e-14
    )
    assert membership_auc(losses[6:], losses[4:6]).value == 1
    three = torch.tensor([[50.0, 1.0, 2.0], [90.0, 2.0, 90.0], [-torch.inf, 0.0, 0.0]])
    assert example_losses(three, torch.tensor([0, 0, 0])).tolist() == pytest.approx(
        [math.exp(-48) + math.exp(-49), math.log(2), math.inf]
    )


def test_tiny_losses_stay_distinct() -> None:
    small = example_losses(torch.tensor([[20.0, 0.0], [25.0, 0.0]]), torch.tensor([0, 0]))
    assert small.tolist() == pytest.approx([math.exp(-20), math.exp(-25)], rel=1e-4)


@pytest.mark.parametrize(("members", "others"), [(1, 1), (3, 40), (40, 3), (200, 150)])
@pytest.mark.parametrize("ties", [False, True])
def test_membership_auc_equals_scikit_learn(members: int, others: int, ties: bool) -> None:
    generator = torch.Generator().manual_seed(members)
    ours = torch.rand(members, generator=generator)
    theirs = torch.rand(others, generator=generator) + 0.2
    if ties:
        ours, theirs = (ours * 4).round(), (theirs * 4).round()
    found = membership_auc(ours, theirs)
    is_member = [1] * members + [0] * others
    score = -torch.cat([ours, theirs])
    assert found.value == pytest.approx(roc_auc_score(is_member, score))
    naive = np.mean([(a < b) + (a == b) / 2 for a in ours.tolist() for b in theirs.tolist()])
    assert found.value == pytest.approx(naive)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.count == members + others


def test_delong_variance_equals_a_naive_loop() -> None:
    one, other = torch.randn(12).double(), torch.randn(17).double() + 1
    above = [np.mean([float(a < b) for b in other]) for a in one]
    below = [np.mean([float(a < b) for a in one]) for b in other]
    error = math.sqrt(np.var(above, ddof=1) / 12 + np.var(below, ddof=1) / 17)
    middle = float(np.mean(above))
    found = area(one, other)
    logit, reach = math.log(middle / (1 - middle)), 1.959964 * error / (middle * (1 - middle))
    ends = [1 / (1 + math.exp(-end)) for end in (logit - reach, logit + reach)]
    assert [found.low, found.high] == pytest.approx(ends, rel=1e-5)


@pytest.mark.parametrize("flip", [False, True])
def test_area_interval_behaves_at_the_extremes(flip: bool) -> None:
    low, high = torch.arange(30.0), torch.arange(30.0) + 100
    found = area(high, low) if flip else area(low, high)
    outer, inner = (found.low, found.high) if flip else (found.high, found.low)
    assert outer == pytest.approx(float(not flip))
    assert inner is not None
    assert 0.02 < abs(inner - float(not flip)) < 0.15
    tied = area(torch.zeros(30), torch.zeros(30))
    assert tied.value == 0.5
    assert tied.low == pytest.approx(1 - (tied.high or 0))


def test_caught_at_a_rate_of_false_alarms() -> None:
    members, fresh = torch.tensor([0.1, 0.2, 0.3, 0.9]), torch.linspace(0.25, 1.25, 101)
    assert caught_at(members, fresh, false_alarms=0.01).value == 0.5  # below 0.26
    assert caught_at(members, fresh, false_alarms=0.06).value == 0.75
    assert caught_at(members, fresh, false_alarms=1.0).value == 1.0
    for rate in (0.0, 0.01, 0.2, 0.5):
        generator = torch.Generator().manual_seed(3)
        fresh = torch.rand(50, generator=generator).mul(20).round()
        named = caught_at(fresh, fresh, false_alarms=rate).value
        assert named <= rate


def measured(
    train_logits: Tensor, labels: Tensor, clean_labels: Tensor, test_logits: Tensor, truth: Tensor
) -> dict[str, Estimate]:
    """Accuracy, loss and memorization on a training and a test set, by tag."""
    train = Predictions.of(train_logits, labels, clean_labels=clean_labels, split="train")
    test = Predictions.of(test_logits, truth)
    found = memorization_metrics(train, test)
    for each in (train, test):
        found[f"accuracy/{each.split}"] = accuracy(each.logits, each.labels)
        found[f"loss/{each.split}"] = loss(each.logits, each.labels)
    return found


# Eight faces, counted by hand: two labels of class 0 were turned into 1.
CLEAN = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
GIVEN = torch.tensor([1, 1, 0, 0, 1, 1, 1, 1])
SAID = torch.tensor([1, 0, 0, 0, 1, 1, 1, 0])


def test_eight_faces() -> None:
    answers = (says(SAID), GIVEN, CLEAN)
    assert mislabeled_fitted(*answers) == accuracy(says([1, 0]), torch.tensor([1, 1]))
    assert mislabeled_fitted(*answers).value == 0.5
    assert mislabeled_true_label(*answers).value == 0.5
    figures = measured(*answers, says([0, 0, 1, 0]), torch.tensor([0, 1, 1, 0]))
    assert figures["accuracy/train"].value == 6 / 8
    assert figures["accuracy/test"].value == 3 / 4
    assert figures["gap/accuracy"].value == 0
    right, wrong = math.log1p(math.exp(-5)), math.log1p(math.exp(5))
    assert figures["loss/train"].value == pytest.approx((6 * right + 2 * wrong) / 8)
    assert figures["loss/test"].value == pytest.approx((3 * right + wrong) / 4)
    assert figures["gap/loss"].value == pytest.approx(0)
    assert figures["memorization/membership_auc"].value == pytest.approx(0.5)
    assert tuple(figures)[: len(TAGS + NOISE_TAGS)] == TAGS + NOISE_TAGS


def test_without_mislabelled_faces_there_are_no_figures_on_them() -> None:
    same = Predictions.of(says(SAID), CLEAN)
    assert tuple(memorization_metrics(same, same)) == TAGS


def test_of_many_classes_a_mislabelled_face_may_get_a_third() -> None:
    logits = torch.eye(4)[[1, 0, 2, 3]]
    given, clean = torch.tensor([1, 1, 1, 3]), torch.tensor([0, 0, 0, 3])
    assert mislabeled_fitted(logits, given, clean).value == pytest.approx(1 / 3)
    assert mislabeled_true_label(logits, given, clean).value == pytest.approx(1 / 3)


def test_what_dealt_answers_get_is_the_mean_over_all_deals() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        clean, given, said = torch.randint(3, (3, 7), generator=generator)
        places = (given != clean).nonzero()[:5, 0]
        clean, given, said = clean[places], given[places], said[places]
        if not len(places):
            continue
        deals = [
            mislabeled_fitted(says(said[list(order)], classes=3), given, clean).value
            for order in permutations(range(len(places)))
        ]
        found = fitted_at_random(says(said, classes=3), given, clean)
        assert found.value == pytest.approx(sum(deals) / len(deals))
        assert found.low is None
        best = max(
            mislabeled_true_label(says([c] * len(places), classes=3), given, clean).value
            for c in range(3)
        )
        assert true_label_by_constant(given, clean).value == pytest.approx(best)


def test_of_a_constant_answer_dealing_changes_nothing() -> None:
    same = says([1] * 8)
    assert fitted_at_random(same, GIVEN, CLEAN).value == mislabeled_fitted(same, GIVEN, CLEAN).value
    assert math.isnan(fitted_at_random(same, CLEAN, CLEAN).value)
    assert math.isnan(true_label_by_constant(CLEAN, CLEAN).value)


# Planted models, whose figures are known


def planted(kind: str, *, count: int = 400, seed: int = 0) -> dict[str, Estimate]:
    """Figures of a lookup table, of the true rule, and of a coin, with 30 % flipped labels."""
    generator = torch.Generator().manual_seed(seed)
    clean, fresh = torch.randint(0, 2, (2, count), generator=generator)
    given = torch.where(torch.rand(count, generator=generator) < 0.3, 1 - clean, clean)
    coins = torch.randint(0, 2, (2, count), generator=generator)
    said, said_fresh = {
        "table": (given, coins[1]),  # knows what it was shown, guesses about the rest
        "rule": (clean, fresh),
        "coin": (coins[0], coins[1]),
    }[kind]
    jitter = torch.rand(2, count, 1, generator=generator) + 1
    return measured(says(said) * jitter[0], given, clean, says(said_fresh) * jitter[1], fresh)


def holds(figure: Estimate, value: float) -> bool:
    assert figure.low is not None
    assert figure.high is not None
    return figure.low <= value <= figure.high


def test_a_lookup_table_is_caught() -> None:
    figures = planted("table")
    assert figures["accuracy/train"].value == 1
    assert holds(figures["accuracy/test"], 0.5)
    assert holds(figures["gap/accuracy"], 0.5)
    assert figures["gap/loss"].low > 1  # type: ignore[operator]
    assert holds(figures["memorization/membership_auc"], 0.75)
    assert figures["memorization/mislabeled_fitted"].value == 1
    assert figures["memorization/mislabeled_true_label"].value == 0
    # half of the unseen ones are right by luck, with losses like those of training faces
    assert holds(figures["memorization/tpr_at_1_percent_fpr"], 0.02)


def test_the_rate_of_true_positives_needs_a_hundred_unseen_examples() -> None:
    few, many = (planted("table", count=count) for count in (99, 100))
    assert "memorization/tpr_at_1_percent_fpr" not in few
    assert "memorization/tpr_at_1_percent_fpr" in many


def test_the_interval_of_true_positives_covers_the_truth() -> None:
    """Losses of exponential distributions, whose rate is three times as high for members."""
    generator = torch.Generator().manual_seed(0)
    truth, covered = 1 - 0.99**3, 0
    for _ in range(200):
        members = -torch.rand(200, generator=generator).log() / 3
        others = -torch.rand(1000, generator=generator).log()
        covered += holds(caught_at(members, others, false_alarms=0.01), truth)
    assert covered >= 190


def test_the_true_rule_gets_a_clean_bill() -> None:
    figures = planted("rule")
    assert figures["accuracy/test"].value == 1
    assert figures["gap/accuracy"].high < 0  # type: ignore[operator]
    assert figures["memorization/mislabeled_fitted"].value == 0
    assert figures["memorization/mislabeled_true_label"].value == 1


def test_a_coin_knows_nothing() -> None:
    figures = planted("coin")
    for tag in ("accuracy/train", "accuracy/test", *NOISE_TAGS, "memorization/membership_auc"):
        assert holds(figures[tag], 0.5), tag
    assert holds(figures["gap/accuracy"], 0)
    assert holds(figures["gap/loss"], 0)


def test_answers_that_are_not_numbers_are_wrong_and_tell_no_member() -> None:
    """The largest of NaNs would be the first class: right for all of its pictures."""
    logits = says([0, 0, 1, 1])
    logits[[0, 3]] = math.nan
    labels = torch.tensor([0, 0, 1, 1])
    assert accuracy(logits, labels).value == 0.5
    assert Predictions.of(logits, labels).right.tolist() == [False, True, True, False]
    losses = torch.tensor([0.1, math.nan, 0.2])
    for found in (membership_auc(losses, losses[:1]), membership_auc(losses[:1], losses)):
        assert math.isnan(found.value)
        assert found.count == 4


def test_labels_and_logits_that_do_not_fit_are_refused_and_not_counted_as_wrong() -> None:
    logits, labels = answers(6, 2, seed=0)
    for measured in (accuracy, loss, example_losses, expected_calibration_error):
        for wrong in (labels + 1, labels - 1, labels - 100):
            with pytest.raises(ValueError, match="must be from 0 to 1"):
                measured(logits, wrong)
        with pytest.raises(ValueError, match=r"\(1,\) labels for \(6, 2\) logits"):
            measured(logits, labels[:1])
        with pytest.raises(ValueError, match="whole numbers"):
            measured(logits, labels + 0.5)
        with pytest.raises(ValueError, match="C of 2 or more"):
            measured(logits[:, :1], torch.zeros(6, dtype=torch.long))
    with pytest.raises(ValueError, match="C of 2 or more"):
        reliance(logits[:, :1], logits[:, 1:])
    for kind in (torch.int32, torch.uint8, torch.bool):
        assert loss(logits, labels.to(kind)) == loss(logits, labels)


def test_of_nothing_and_of_what_is_no_number_membership_inference_is_unknown() -> None:
    some, broken = torch.rand(10), torch.tensor([0.1, math.nan, 0.2])
    for one, other in ((some, some[:0]), (some[:0], some), (some, broken), (broken, some)):
        assert math.isnan(caught_at(one, other, false_alarms=0.1).value)
        assert math.isnan(membership_auc(one, other).value)
    with pytest.raises(ValueError, match="from 0 to 1"):
        caught_at(some, some, false_alarms=5)
