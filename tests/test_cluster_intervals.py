"""Intervals that take clusters for independent, and not examples."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from lab.core.estimate import Estimate, wilson
from lab.measure import Predictions, accuracy, loss, memorization_metrics, split_metrics
from lab.measure.dependent import allowing_for_dependence

Random = np.random.Generator


def predictions(
    right: np.ndarray, clusters: np.ndarray, *, split: str = "test", scale: np.ndarray | None = None
) -> Predictions:
    """Predictions for two classes of which these are right, of examples in these clusters; `scale`
    is how far the two logits lie apart."""
    labels = torch.arange(len(right)) % 2
    apart = torch.ones(len(right)) if scale is None else torch.from_numpy(scale).float()
    signed = torch.where(torch.from_numpy(right), apart, -apart)
    logits = torch.stack([torch.where(labels == 0, signed, -signed), torch.zeros(len(right))], 1)
    found = Predictions.of(logits, labels, split=split)
    return replace(found, clusters=torch.from_numpy(clusters))


def measured(test: Predictions) -> dict[str, Estimate]:
    """Accuracy and loss, with intervals."""

    def both(_: Predictions, one: Predictions) -> dict[str, Estimate]:
        right, mean = accuracy(one.logits, one.labels), loss(one.logits, one.labels)
        return {"accuracy/test": right, "loss/test": mean}

    return allowing_for_dependence(both, test, test)


def alike(random: Random, clusters: int, size: int, *, mean: float, icc: float) -> np.ndarray:
    """Which examples of equally large clusters are right, with an intraclass correlation: each
    cluster has a share of its own, from a beta distribution."""
    a, b = (share * (1 - icc) / icc for share in (mean, 1 - mean))
    return random.random(clusters * size) < random.beta(a, b, clusters).repeat(size)


@pytest.mark.parametrize("clusters", [2, 5, 20])
def test_the_interval_of_a_mean_is_that_of_the_means_of_clusters(clusters: int) -> None:
    """Student's, where clusters are equally large, by SciPy."""
    random = np.random.default_rng(clusters)
    owner = np.arange(clusters).repeat(30)
    scale = random.random(len(owner)) + 3 * random.random(clusters).repeat(30)
    test = predictions(np.full(len(owner), False), owner, scale=scale)
    losses = torch.nn.functional.cross_entropy(
        test.logits.double(), test.labels, reduction="none"
    ).numpy()
    means = losses.reshape(clusters, 30).mean(axis=1)
    low, high = stats.t.interval(0.95, clusters - 1, means.mean(), stats.sem(means))
    found = measured(test)["loss/test"]
    assert found.value == pytest.approx(means.mean(), rel=1e-6)
    assert found.interval == pytest.approx((max(0, low), high), rel=1e-4)


@pytest.mark.parametrize("clusters", [25, 60])
def test_many_clusters_are_put_into_groups(clusters: int) -> None:
    """The standard error is then about that of all clusters: within a third, by the mean."""
    random, ratios = np.random.default_rng(0), []
    owner = np.arange(clusters).repeat(10)
    for _ in range(40):
        right = alike(random, clusters, 10, mean=0.6, icc=0.4)
        low, high = measured(predictions(right, owner))["accuracy/test"].interval
        means = right.reshape(clusters, 10).mean(axis=1)
        ratios.append((high - low) / 2 / stats.sem(means))
    assert 1.9 < np.mean(ratios) < 2.3  # Student's quantile for 19 degrees of freedom is 2.09


@pytest.mark.parametrize(
    ("clusters", "size", "mean", "icc"),
    [(12, 20, 0.6, 0.3), (30, 8, 0.75, 0.3), (80, 8, 0.85, 0.3)],
)
def test_intervals_hold_the_truth(clusters: int, size: int, mean: float, icc: float) -> None:
    """In about 95 of 100 sets, where Wilson's of independent examples does so in far fewer."""
    random = np.random.default_rng(1)
    owner = np.arange(clusters).repeat(size)
    held = naive = 0
    for _ in range(200):
        right = alike(random, clusters, size, mean=mean, icc=icc)
        low, high = measured(predictions(right, owner))["accuracy/test"].interval
        held += low <= mean <= high
        low, high = wilson(int(right.sum()), len(right)).interval
        naive += low <= mean <= high
    assert held >= 0.9 * 200
    assert naive <= 0.85 * 200


@pytest.mark.parametrize("order", ["sorted", "alternating"])
def test_intervals_hold_the_truth_however_clusters_are_numbered(order: str) -> None:
    """Those of two sites of which one is harder may have the first half of the numbers, or every
    other one."""
    random = np.random.default_rng(6)
    held, widths = 0, []
    for _ in range(150):
        site = random.integers(0, 2, 80)  # which sites the clusters are of is drawn, too
        ranks = np.argsort(np.argsort(site, kind="stable"))
        numbers = ranks if order == "sorted" else np.where(site == 1, 2 * ranks, 2 * ranks + 1)
        share = np.where(site, 0.9, 0.4)
        right = random.random(800) < share.repeat(10)
        low, high = measured(predictions(right, numbers.repeat(10)))["accuracy/test"].interval
        held += low <= 0.65 <= high
        widths.append(high - low)
    assert held >= 0.9 * 150
    assert 0.09 < np.mean(widths) < 0.2  # 0.13 by Student's for the means of 80 clusters


@pytest.mark.parametrize(("studied", "tested"), [(20, 2), (40, 3), (3, 20)])
def test_gaps_of_few_clusters_in_one_set_hold_the_truth(studied: int, tested: int) -> None:
    """Both sets are of one population, so that there is no gap, and nothing to infer."""
    random = np.random.default_rng(7)
    held = {"gap/accuracy": 0, "memorization/membership_auc": 0}
    for _ in range(150):
        sets = []
        for split, first, count in (("train", 0, studied), ("test", 1000, tested)):
            share = random.beta(3, 2, count).repeat(15)
            right, owner = random.random(15 * count) < share, first + np.arange(count).repeat(15)
            sets.append(
                predictions(right, owner, split=split, scale=share + random.random(15 * count))
            )
        found = memorization_metrics(*sets)
        for tag, truth in (("gap/accuracy", 0.0), ("memorization/membership_auc", 0.5)):
            low, high = found[tag].interval
            held[tag] += low <= truth <= high
    assert min(held.values()) >= 0.9 * 150, held


def test_clusters_of_one_example_each_change_little() -> None:
    random, ratios = np.random.default_rng(2), []
    for _ in range(30):
        test = predictions(random.random(300) < 0.7, np.arange(300))
        own = measured(test)["accuracy/test"]
        alone = measured(replace(test, clusters=None))["accuracy/test"]
        assert own.value == alone.value
        assert own.interval[0] <= alone.interval[0] < alone.interval[1] <= own.interval[1]
        ratios.append(np.ptp(own.interval) / np.ptp(alone.interval))
    assert np.mean(ratios) < 1.25


def test_where_all_are_right_clusters_count() -> None:
    """Nothing shows how alike examples of a cluster are: 20 patients are 20, not 400 pictures."""
    owner = np.arange(20).repeat(20)
    found = measured(predictions(np.full(400, True), owner))["accuracy/test"]
    assert found.interval == wilson(20, 20).interval


def test_one_cluster_has_no_interval() -> None:
    test = predictions(np.arange(40) % 3 > 0, np.zeros(40, dtype=np.int64))
    found = measured(test)
    assert all(each.low is None for each in found.values())
    assert found["accuracy/test"].value == pytest.approx(26 / 40)


def test_gap_and_membership_have_the_spread_of_new_patients() -> None:
    """By the standard deviations over many training and test sets."""
    random = np.random.default_rng(3)
    values: dict[str, list[float]] = {"gap/accuracy": [], "memorization/membership_auc": []}
    widths: dict[str, list[float]] = {tag: [] for tag in values}
    for _ in range(60):
        sets = []
        for split, first, mean in (("train", 0, 0.8), ("test", 1000, 0.6)):
            share = random.beta(4 * mean, 4 * (1 - mean), 24).repeat(10)
            right, owner = random.random(240) < share, first + np.arange(24).repeat(10)
            sets.append(predictions(right, owner, split=split, scale=share + random.random(240)))
        found = memorization_metrics(*sets)
        for tag, its in values.items():
            its.append(found[tag].value)
            low, high = found[tag].interval
            widths[tag].append(high - low)
            assert -1 <= low <= high <= 1
    for tag, its in values.items():
        assert 0.85 < np.mean(widths[tag]) / (2 * 2.07 * np.std(its)) < 1.35, tag


def test_patients_in_both_sets_count_once() -> None:
    """Where a patient's examples are as hard in both, the gap varies less than by two sets of other
    patients, and its interval is narrower."""
    random = np.random.default_rng(4)
    narrower = 0
    for _ in range(20):
        share = random.beta(1, 1, 30).repeat(10)
        owner = np.arange(30).repeat(10)
        train, test = (
            predictions(random.random(300) < share, owner, split=split)
            for split in ("train", "test")
        )
        apart = replace(test, clusters=test.clusters + 1000)  # type: ignore[operator]
        same, other = (
            np.ptp(memorization_metrics(train, each)["gap/accuracy"].interval)
            for each in (test, apart)
        )
        narrower += same < other
    assert narrower >= 18


def test_listed_metrics_go_by_clusters() -> None:
    random = np.random.default_rng(5)
    owner = np.arange(15).repeat(20)
    test = predictions(alike(random, 15, 20, mean=0.6, icc=0.5), owner)
    for metric in split_metrics():
        for tag, each in metric(test).items():
            alone = metric(replace(test, clusters=None))[tag]
            assert isinstance(each, Estimate)
            assert isinstance(alone, Estimate)
            if alone.low is not None:
                assert np.ptp(each.interval) > 1.5 * np.ptp(alone.interval), tag


def test_clusters_go_with_their_examples() -> None:
    test = predictions(np.arange(30) % 3 > 0, np.arange(30) // 5)
    some = test.where(test.labels == 1)
    assert some.clusters is not None
    assert some.clusters.tolist() == [k // 5 for k in range(1, 30, 2)]
    halves = [test.where(torch.arange(30) < 15), test.where(torch.arange(30) >= 15)]
    whole = Predictions.cat(halves)
    assert whole.clusters is not None
    assert whole.clusters.tolist() == test.clusters.tolist()  # type: ignore[union-attr]
    assert test.copied().clusters is not test.clusters
    with pytest.raises(ValueError, match="clusters are noted of 1 of 2 parts only"):
        Predictions.cat([halves[0], replace(halves[1], clusters=None)])


def test_copies_and_clusters_widen_both() -> None:
    """A copy in another cluster, as a picture that two patients share, is still a copy."""
    right, owner = np.arange(200) % 4 > 0, np.arange(200) // 10
    test = replace(predictions(right, owner), copies=torch.arange(200) % 50)
    low, high = measured(test)["accuracy/test"].interval
    copied = measured(replace(test, clusters=None))["accuracy/test"].interval
    assert low <= copied[0] < copied[1] <= high
    assert not math.isinf(high)


def test_a_set_of_few_clusters_that_are_all_right_is_still_uncertain() -> None:
    """Though those of the other set, which are not, are many: the next patient may be all wrong."""
    random = np.random.default_rng(8)
    share = random.beta(9, 1, 40).repeat(20)
    train = predictions(random.random(800) < share, np.arange(40).repeat(20), split="train")
    owner = 1000 + np.arange(3).repeat(20)
    for right in (True, False):
        test = predictions(np.full(60, right), owner)
        own = measured(test)["accuracy/test"]
        assert np.ptp(own.interval) == pytest.approx(np.ptp(wilson(3 * right, 3).interval))
        gap = memorization_metrics(train, test)["gap/accuracy"]
        assert np.ptp(gap.interval) > 0.9 * np.ptp(own.interval)


@pytest.mark.parametrize("order", ["by class", "mixed"])
def test_of_classes_that_are_all_right_each_cluster_counts_as_one_example(order: str) -> None:
    """Of twelve patients with examples of both classes, some of whom have a wrong label, too."""
    owner = torch.arange(12).repeat(10)
    labels = torch.tensor([0] * 6 + [1] * 4).repeat_interleave(12)
    for seed in range(3):
        places = torch.arange(120)
        if order == "mixed":
            places = torch.randperm(120, generator=torch.Generator().manual_seed(seed))
        clean = labels.clone()
        clean[:5] = 1  # five patients have one each
        test = Predictions.of(
            9.0 * torch.nn.functional.one_hot(labels, 2)[places], labels[places],
            clean_labels=clean[places],
        )  # fmt: skip
        test = replace(test, clusters=owner[places])
        kinds = {
            "accuracy/test": (torch.ones_like(test.mislabeled), 12),
            "subpopulation_accuracy/none": (test.labels == 0, 12),
            "subpopulation_accuracy/tumor": (test.labels == 1, 12),
            "mislabeled/fitted": (test.mislabeled, 5),
        }

        def by_kind(_: Predictions, one: Predictions) -> dict[str, Estimate]:
            chosen = {
                "accuracy/test": torch.ones_like(one.mislabeled),
                "subpopulation_accuracy/none": one.labels == 0,
                "subpopulation_accuracy/tumor": one.labels == 1,
                "mislabeled/fitted": one.mislabeled,
            }
            return {
                tag: accuracy(one.logits[which], one.labels[which])
                for tag, which in chosen.items()
                if which.any()
            }

        found = allowing_for_dependence(by_kind, test, test)
        for tag, (which, clusters) in kinds.items():
            assert found[tag].count == int(which.sum())
            assert found[tag].low == pytest.approx(wilson(clusters, clusters).low), tag
