"""Classes with other shares in the test set than in the training set: no memory of the network's,
and none is claimed; what it does memorize is found all the same."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import nn
from torch.utils.data import TensorDataset

from lab import watch
from lab.core.config import DataConfig
from lab.core.estimate import Estimate, homogeneity, shares_differ, wilson
from lab.core.metrics import heading
from lab.experiments import make_grid, make_jobs, run_grid
from lab.experiments.presets.learning_curve import view
from lab.experiments.report_card.make import size_of
from lab.experiments.runner.run import check_jobs
from lab.measure import Predictions, example_losses, loss, memorization_metrics
from lab.measure.class_shares import (
    ACCURACY,
    AUC,
    BY_GROUP,
    GAP,
    MEAN,
    STUDIED,
    UNSTUDIED,
    at_test_shares,
    class_mean,
    same_answer,
)
from lab.measure.ranking import ROC_AUC, roc_auc
from lab.measure.right_labels import of_right_labels, rightly_labeled
from lab.runs.train import start
from lab.verdict import Finding, findings
from lab.worlds import open_world
from lab.worlds.doubts import doubts_of_pictures
from lab.worlds.groups import are_kinds
from lab.worlds.metadata import Column
from lab.worlds.shares import shares_told
from support.configs import tiny
from support.made_up import figures, kinds, setting


def made(counts: tuple[int, ...], *, known: float, seed: int) -> Predictions:
    """Predictions of a network that leans to the first class, and knows labels by `known`."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    logits = rng.normal(size=(len(labels), len(counts))) + np.linspace(1.5, 0, len(counts))
    logits[np.arange(len(labels)), labels] += 0.7 + known
    return Predictions.of(torch.tensor(logits), torch.tensor(labels))


SHARES = [
    ((90, 10), (100, 100)),
    ((74, 26), (380, 620)),
    ((40, 40, 5, 5, 5), (20, 20, 20, 20, 20)),
]


@pytest.mark.parametrize(("studied", "unseen"), SHARES)
def test_figures_are_those_of_a_plain_computation(
    studied: tuple[int, ...], unseen: tuple[int, ...]
) -> None:
    train, test = made(studied, known=1.0, seed=0), made(unseen, known=0.0, seed=1)
    found = at_test_shares(train, test)
    weights = np.array(unseen) / sum(unseen)

    def by_class(predictions: Predictions) -> list[tuple[np.ndarray, np.ndarray]]:
        logits, labels = predictions.logits.numpy(), predictions.labels.numpy()
        own = logits[np.arange(len(labels)), labels]
        losses = np.log(np.exp(logits).sum(axis=1)) - own
        right = logits.argmax(axis=1) == labels
        return [(right[labels == c], losses[labels == c]) for c in range(len(weights))]

    pairs = list(zip(by_class(train), by_class(test), strict=True))
    accuracy = weights @ [mine[0].mean() for mine, _ in pairs]
    gap = weights @ [mine[0].mean() - other[0].mean() for mine, other in pairs]
    area = weights @ [(mine[1][:, None] < other[1]).mean() for mine, other in pairs]
    assert found[ACCURACY].value == pytest.approx(accuracy)
    assert found[GAP].value == pytest.approx(gap)
    assert found[AUC].value == pytest.approx(area)
    for each in found.values():
        assert each.interval[0] <= each.value <= each.interval[1]


@pytest.mark.parametrize(("studied", "unseen"), SHARES)
def test_their_intervals_claim_memory_seldom_where_there_is_none(
    studied: tuple[int, ...], unseen: tuple[int, ...]
) -> None:
    """The usual ones do so nearly always."""
    wrong = {GAP: 0, AUC: 0, "gap/accuracy": 0, "memorization/membership_auc": 0}
    for seed in range(60):
        train, test = (
            made(n, known=0.0, seed=2 * seed + k) for k, n in enumerate((studied, unseen))
        )
        told = at_test_shares(train, test) | memorization_metrics(train, test)
        for tag in wrong:
            wrong[tag] += told[tag].interval[0] > (0.0 if "gap" in tag else 0.5)
    assert max(wrong[GAP], wrong[AUC]) <= 6
    assert min(wrong["gap/accuracy"], wrong["memorization/membership_auc"]) > 20


def test_shares_that_do_not_surely_differ_leave_the_usual_figures() -> None:
    for studied, unseen in (((50, 50), (20, 20)), ((52, 48), (100, 100)), ((9, 1), (8, 2))):
        assert not at_test_shares(made(studied, known=1, seed=0), made(unseen, known=0, seed=1))


def test_classes_of_one_set_only_are_left_out() -> None:
    train, test = made((40, 40, 0), known=4.0, seed=0), made((10, 20, 30), known=0.0, seed=1)
    found = at_test_shares(train, test)
    kept = test.labels < 2
    rest = Predictions.of(test.logits[kept], test.labels[kept])
    alike = wilson(int(rest.right.sum()), 30)
    assert found[GAP].value == pytest.approx(found[ACCURACY].value - alike.value)
    assert not at_test_shares(made((40, 0), known=0, seed=0), made((0, 40), known=0, seed=1))


def group_metrics(test: Predictions) -> dict[str, Estimate]:
    """The accuracy on each group."""
    return {
        f"group_accuracy/{name}": wilson(int(test.right[where].sum()), int(where.sum()))
        for k, name in enumerate(test.group_names)
        if (where := test.groups == k).any()
    }


def told(
    train: Predictions, test: Predictions, more: Mapping[str, Estimate] = MappingProxyType({}),
    **known: Any,
) -> list[Finding]:  # fmt: skip
    """The findings on such predictions and `more` metrics, in a setting with what is `known`."""
    labels = test.labels.bincount()
    metrics: dict[str, Estimate] = {
        **figures(float(train.right.double().mean()), float(test.right.double().mean()),
                  num_train=len(train), num_test=len(test)),
        **memorization_metrics(train, test),
        **at_test_shares(train, test),
        "answers/most_frequent": same_answer(test.predicted),
        "loss/train": loss(train.logits, train.labels),
        **more,
    }  # fmt: skip
    known = {"frequent_train": float(train.labels.bincount().max()) / len(train), **known}
    return findings(
        metrics,
        setting(
            num_train=len(train), num_test=len(test), num_classes=len(labels),
            frequent=float(labels.max()) / len(test), noun="pictures",
            **known,
        ),
    )  # fmt: skip


def constant(counts: tuple[int, ...]) -> Predictions:
    """A network that gives the same answer to all."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    logits = torch.linspace(2, 0, len(counts)).repeat(len(labels), 1)
    return Predictions.of(logits, labels)


@pytest.mark.parametrize(
    ("studied", "unseen"),
    [((180, 20), (100, 100)), ((740, 260), (620, 380)), ((50, 1), (30, 30)),
     ((60, 20, 20), (30,) * 3)],
)  # fmt: skip
def test_one_answer_to_all_is_no_memory(studied: tuple[int, ...], unseen: tuple[int, ...]) -> None:
    found = told(constant(studied), constant(unseen))
    assert not {"memorized", "memorized partly", "memorized a little", "members exposed"} & set(
        kinds(found)
    )
    assert found[0].kind == "nothing"
    assert "other shares in the test set" in found[0].text
    assert "all test pictures the same answer" in found[0].text


MILD = [
    ((120, 80), (100, 100)),
    ((66, 34), (50, 50)),
    ((70, 30, 50), (50, 50, 50)),
    ((80, 120), (100,) * 2),
    ((240, 140, 20), (99, 92, 9)),  # of one class there are few
]
"""Shares that no test of them surely tells apart, though a gap does that comes from them alone."""


@pytest.mark.parametrize(("studied", "unseen"), MILD)
def test_nor_is_it_where_shares_differ_a_little(
    studied: tuple[int, ...], unseen: tuple[int, ...]
) -> None:
    assert not shares_differ(studied, unseen)
    train, test = constant(studied), constant(unseen)
    assert memorization_metrics(train, test)["memorization/membership_auc"].value != 0.5
    assert not MEMORY & set(kinds(told(train, test)))
    assert at_test_shares(train, test)[AUC].value == 0.5
    knows, fresh = made(studied, known=9.0, seed=0), made(unseen, known=-0.5, seed=1)
    assert told(knows, fresh)[0].kind == "memorized"
    assert not at_test_shares(knows, fresh), "what is memory stays in the plain figures"


def test_memory_of_groups_of_a_few_stays_memory() -> None:
    """Intervals of small groups are wide, which is no reason to take memory for none."""
    train, test = by_background((5,) * 4, 0, known=9.0), by_background((9, 11, 10, 10), 1)
    assert not at_test_shares(train, test)


def test_memory_is_found_under_other_shares() -> None:
    for studied, unseen in (*SHARES, ((180, 20), (100, 100))):
        found = told(made(studied, known=9.0, seed=0), made(unseen, known=-0.5, seed=1))
        assert found[0].kind == "memorized"
        assert "members exposed" in kinds(found)
        assert "same answer" not in found[0].text


def test_a_network_that_has_learned_is_told_so_under_other_shares() -> None:
    found = told(made((900, 100), known=5.0, seed=0), made((500, 500), known=5.0, seed=1))
    assert found[0].kind == "learned"
    assert "same answer" not in found[0].text


def test_with_equal_shares_nothing_is_said_of_them() -> None:
    found = told(made((50, 50), known=9.0, seed=0), made((100, 100), known=-0.5, seed=1))
    assert found[0].kind == "memorized"
    text = " ".join(each.text for each in found)
    assert "shares" not in text
    assert "of one class" not in text


def rule(counts: list[int], seed: int, *, knows: int | None = None, rare: int = 0) -> Predictions:
    """A fixed rule, which cannot memorize: right on the first `knows` classes (None: all) and never
    on the others, but on every second example only of the last `rare` classes."""
    rng = np.random.default_rng([seed, len(counts)])
    labels = np.repeat(np.arange(len(counts)), counts)
    answers = labels.copy()
    if knows is not None:
        answers[labels >= knows] -= knows
    hard = (labels >= len(counts) - rare) & (rng.random(len(labels)) < 0.5)
    answers[hard] -= len(counts) - rare
    logits = np.zeros((len(labels), len(counts)))
    logits[np.arange(len(labels)), answers] = 6 + rng.normal(size=len(labels))
    return Predictions.of(torch.tensor(logits), torch.tensor(labels))


def with_wrong_labels(train: Predictions, every: int) -> Predictions:
    """The same with another label in place of the true one for each of so many examples."""
    wrong = torch.arange(len(train)) % every == 0
    given = torch.where(wrong, (train.labels + 1) % train.logits.shape[1], train.labels)
    return replace(train, labels=given)


@pytest.mark.parametrize(
    ("unseen", "said"),
    [
        ((60, 60, 0), (
            "The classes have other shares in the test set than among the 160 pictures it studied"
            " with right labels. Counted at the shares of the test set, it gets 100 %",
            "of these right: that is what the verdict compares, as all test pictures have right",
        )),
        ((60, 60, 60), (
            "60 are of classes that it has never studied with right labels; of the others it gets",
            "The verdict compares these with the pictures of the same classes that it studied with"
            " right labels, at the same shares: it gets 100 %",
        )),
    ],
)  # fmt: skip
def test_with_wrong_labels_the_verdict_says_that_it_compares_right_ones(
    unseen: tuple[int, ...], said: tuple[str, ...]
) -> None:
    """A network that knows its training examples, and none of their wrong labels: of all of them
    a fifth is not right."""
    clean, test = made((160, 40, 0), known=30.0, seed=0), made(unseen, known=-1.0, seed=1)
    train = with_wrong_labels(clean, 5)
    right = rightly_labeled(train)
    assert right is not None
    more = {**at_test_shares(right, test), **of_right_labels(train, test)}
    text = " ".join(each.text for each in told(train, test, more))
    for each in (*said, "two pictures of one class with right labels, of which it studied one"):
        assert each in text
    assert "than in the training set" not in text
    plain = " ".join(each.text for each in told(clean, test))
    assert "two pictures of one class, of which it studied one" in plain
    assert "right labels" not in plain
    fresh = replace(test, logits=test.logits + 9 * torch.eye(3)[test.labels])
    shy = replace(train, logits=torch.randn(len(train), 3, generator=torch.manual_seed(0)))
    right = rightly_labeled(shy)
    assert right is not None
    more = {**at_test_shares(right, fresh), **of_right_labels(shy, fresh)}
    text = " ".join(each.text for each in told(shy, fresh, more))
    assert "studied with right labels less well than fresh ones of the same class" in text


MEMORY = {"memorized", "memorized partly", "memorized a little", "members exposed"}


@pytest.mark.parametrize("each", [1, 3, 10])
def test_classes_without_training_examples_are_no_memory_and_are_told(each: int) -> None:
    train = rule([each] * 100 + [0] * 100, 0, knows=100)
    test = rule([3] * 200, 1, knows=100)
    found = at_test_shares(train, test)
    assert found[STUDIED].value == 1
    assert found[STUDIED].count == 300
    assert found[GAP].value == pytest.approx(0)
    findings = told(train, test)
    assert not MEMORY & set(kinds(findings))
    text = findings[0].text
    assert "Of the test pictures, 300 are of classes that it has never studied; of the" in text
    assert "of the others it gets 100 %" in text
    assert "verdict compares these with the pictures of the same classes that it studied" in text
    sampled = told(train, test, measured_train=len(train))[0].text
    assert f"300 are of classes of which none is among the {len(train):,} picked at" in sampled
    assert "never studied" not in sampled


def test_a_memorizer_of_some_classes_is_found_beside_classes_that_it_never_studied() -> None:
    train, test = made((30,) * 5 + (0,) * 5, known=9.0, seed=0), made((20,) * 10, known=-1, seed=1)
    assert {*kinds(told(train, test)), "memorized partly", "memorized a little"} >= MEMORY


@pytest.mark.parametrize(("often", "seldom", "each"), [(12, 3, 3), (12, 3, 4), (20, 5, 5)])
def test_many_classes_of_other_shares_are_no_memory(often: int, seldom: int, each: int) -> None:
    """A long tail in the training set, and a balanced test set with few examples of each class:
    none of them alone differs surely."""
    train = rule([often] * 100 + [seldom] * 100, 0, rare=100)
    test = rule([each] * 200, 1, rare=100)
    by_class = [train.right[train.labels == k].double().mean() for k in range(200)]
    assert at_test_shares(train, test)[ACCURACY].value == pytest.approx(float(np.mean(by_class)))
    assert not MEMORY & set(kinds(told(train, test)))


@pytest.mark.parametrize(("classes", "count"), [(2, 100), (10, 200), (200, 1000), (200, 300)])
def test_sets_that_are_split_at_random_seldom_differ_and_proportional_ones_never(
    classes: int, count: int
) -> None:
    random = np.random.default_rng(0)
    differ, times = 0, 100
    for _ in range(times):
        shares = random.dirichlet(np.ones(classes))
        mine, theirs = (random.multinomial(n, shares).tolist() for n in (count, count // 2))
        differ += shares_differ(mine, theirs)
        assert not shares_differ(mine, mine)
        assert not shares_differ([4 * n for n in mine], mine)
    assert differ <= 0.05 * times


def test_homogeneity_is_the_chi_square_test() -> None:
    random = np.random.default_rng(0)
    for classes in (2, 3, 10, 50):
        shares = random.dirichlet(np.full(classes, 5.0))
        for _ in range(10):
            pair = np.stack([random.multinomial(n, shares) for n in (900, 400)])
            seen = pair[:, pair.sum(axis=0) > 0]
            exact = stats.chi2_contingency(seen, correction=False).pvalue
            assert homogeneity(*pair.tolist()) == pytest.approx(exact, rel=0.1, abs=0.01)


def by_background(counts: tuple[int, ...], seed: int, *, known: float = 0.0) -> Predictions:
    """Birds of two classes on two backgrounds, predicted by the background and, with `known`, by
    themselves; `counts` of the groups."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(4), counts)
    labels, place = groups // 2, groups % 2
    odds = 3.0 * (2 * place - 1) + rng.normal(size=len(groups)) + known * (2 * labels - 1)
    found = Predictions.of(torch.tensor(np.stack([0 * odds, odds], 1)), torch.tensor(labels))
    names = tuple(f"{bird},place={where}" for bird in "lw" for where in "lw")
    return replace(found, groups=torch.tensor(groups), group_names=names)


def test_groups_of_other_shares_are_no_memory_and_are_told() -> None:
    train, test = by_background((95, 12, 12, 121), 0), by_background((50, 50, 50, 50), 1)
    found = at_test_shares(train, test)
    right = [train.right[train.groups == k].double().mean() for k in range(4)]
    assert found[BY_GROUP[0]].value == pytest.approx(float(np.mean(right)))
    losses = [
        [example_losses(each.logits, each.labels)[each.groups == k] for each in (train, test)]
        for k in range(4)
    ]
    areas = [(mine[:, None] < other).double().mean() for mine, other in losses]
    assert found[BY_GROUP[2]].value == pytest.approx(float(np.mean(areas)))
    metrics = group_metrics(test)
    assert not MEMORY & set(kinds(told(train, test, metrics)))
    text = " ".join(each.text for each in told(train, test, metrics))
    assert "The groups have other shares in the test set" in text
    assert "attacker can tell which of two pictures of one group it studied" in text
    elsewhere = replace(test, groups=test.labels, group_names=test.classes)  # of a watched loop
    text = " ".join(each.text for each in told(made((90, 10), known=0, seed=0), elsewhere, metrics))
    assert "group it studied" not in text
    assert "groups have" not in text
    knows = by_background((95, 12, 12, 121), 0, known=9.0)
    assert MEMORY & set(kinds(told(knows, test, metrics)))


def test_groups_of_shares_that_differ_a_little_are_no_memory() -> None:
    train, test = by_background((61, 39, 39, 61), 0), by_background((50,) * 4, 1)
    assert not shares_differ((61, 39, 39, 61), (50,) * 4)
    assert set(at_test_shares(train, test)) == set(BY_GROUP)
    metrics = group_metrics(test)
    assert not MEMORY & set(kinds(told(train, test, metrics)))
    assert "The groups have other shares" in " ".join(e.text for e in told(train, test, metrics))
    knows = by_background((61, 39, 39, 61), 0, known=9.0)
    assert MEMORY & set(kinds(told(knows, test, metrics)))


def test_groups_of_the_same_shares_and_those_without_common_ones_leave_classes() -> None:
    same = by_background((40, 10, 10, 40), 0), by_background((80, 20, 20, 80), 1)
    assert not at_test_shares(*same)
    train, test = by_background((50, 0, 0, 50), 0), by_background((0, 50, 50, 0), 1)
    assert not at_test_shares(train, test)


def test_a_test_set_of_groups_that_were_never_studied_is_not_called_memory() -> None:
    """As that of another hospital; unless each group should be in one set, as patients should."""
    train = by_background((80, 0, 0, 80), 0, known=4.0)
    test = by_background((0, 50, 50, 0), 1, known=4.0)
    metrics = group_metrics(test)
    assert UNSTUDIED not in at_test_shares(train, test)
    assert MEMORY & set(kinds(told(train, test, metrics)))
    found = at_test_shares(train, test, kinds=True)
    assert found.keys() == {UNSTUDIED}
    assert found[UNSTUDIED].value == 1
    findings = told(train, test, {**metrics, **found})
    assert not MEMORY & set(kinds(findings))
    text = " ".join(each.text for each in findings)
    assert "All 100 test pictures are of groups that it never studied." in text
    assert "such a test set cannot tell" in text
    assert "Unseen pictures of the groups that it studied would settle it." in text


def test_of_a_test_set_partly_of_unstudied_groups_the_others_are_compared() -> None:
    train = by_background((80, 0, 0, 80), 0, known=2.0)
    for both in (5, 15):
        test = by_background((both, 50, 50, both), 1, known=2.0)
        found = at_test_shares(train, test, kinds=True)
        assert BY_GROUP[1] in found
        assert UNSTUDIED not in found
        assert found[STUDIED].count == 2 * both
    few = by_background((4, 50, 50, 4), 1, known=2.0)
    assert at_test_shares(train, few, kinds=True).keys() == {UNSTUDIED}
    same = by_background((80, 0, 0, 80), 2, known=2.0)
    assert not at_test_shares(train, same, kinds=True)


def test_of_groups_that_both_sets_have_the_shares_among_these_are_told() -> None:
    names = [f"{bird},camera={place}" for bird in "lw" for place in "abc"]
    train, test = [50, 50, 0, 50, 50, 0], [50, 10, 40, 50, 10, 40]
    lacking, shares = shares_told(names, train, test, noun="pictures", what=("group", "groups"))
    assert "80 of the 200 pictures of the test set are of these" in lacking
    assert shares.startswith("the group l,camera=a is 25.0 % of the training set and 41.7 % of the")
    assert "of the test set without those, and other groups differ, too: the gap" in shares
    (alone,) = shares_told(names, [50, 50, 0, 50, 50, 0], [50, 10, 0, 50, 10, 0], noun="pictures")
    assert "without those" not in alone


@pytest.mark.parametrize(
    ("column", "values", "count", "kinds"),
    [
        ("station", 26, 1040, True), ("station", 26, 200, False), ("site", 3, 100, True),
        ("patient_id", 5, 1000, False), ("video", 4, 4000, False),
        ("Split", ("train", "test"), 900, False), ("dataset", ("test", "train"), 900, False),
        ("from", ("Training", "Val", "test"), 900, False), ("site", ("test",), 900, True),
        ("study", ("nih", "padchest", "mimic"), 900, True), ("plant", ("a", "b"), 900, True),
        ("plant", 4, 720, True), ("plant", 60, 300, False), ("cluster", 4, 400, True),
        ("subject", 4, 720, False),
    ],
)  # fmt: skip
def test_which_columns_are_kinds(
    column: str, values: int | tuple[str, ...], count: int, kinds: bool
) -> None:
    words = values if isinstance(values, tuple) else tuple(f"v{k}" for k in range(values))
    assert are_kinds([Column(column, words)], count) == kinds
    assert not are_kinds([Column("site", ("a", "b")), Column("patient_id", ("p1", "p2"))], count)
    assert not are_kinds([], count)


def by_site(folder: Path, column: str, values: tuple[str, ...]) -> DataConfig:
    """Noise in train/ and test/, whose pictures have one of the first or the last `values`."""
    half, rows = len(values) // 2, []
    for split, named, count in (("train", values[:half], 40), ("test", values[half:], 30)):
        noise(folder / split, {"a": count, "b": count}, len(split))
        files = sorted((folder / split).rglob("*.png"))
        rows += [
            f"{file.relative_to(folder).as_posix()},{named[k % len(named)]}"
            for k, file in enumerate(files)
        ]
    (folder / "metadata.csv").write_text("\n".join([f"file_name,{column}", *rows]))
    return DataConfig(data=str(folder), image_size=16, num_train=80, num_test=60, groups=(column,))


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [("site", ("A", "B", "C", "C"), True), ("patient_id", ("p1", "p2", "p3", "p4"), False)],
)
def test_pictures_of_another_site_are_told_before_training_and_in_the_verdict(
    column: str, values: tuple[str, ...], said: bool, tmp_path: Path
) -> None:
    data = by_site(tmp_path / "own", column, values)
    world = open_world(data, seed=0)
    lines = doubts_of_pictures(world, world.load("train", 80), world.load("test", 60))
    told = [one for one in lines if "groups that the training set lacks" in one]
    assert len(told) == said
    assert not said or told[0].startswith("60 of 60 test pictures are of groups that the training")
    run = replace(
        tiny(tmp_path, steps=80, width=4, batch_size=10, learning_rate=0.01, counterfactuals=0),
        data=data,
    )
    result = start(run)
    verdict = " ".join(result.verdict.split())
    assert ("It memorized" in verdict) != said
    assert ("All 60 test pictures are of groups that it never studied" in verdict) == said


@pytest.mark.parametrize(("num_train", "num_test"), [(300, 220), (60, 60)])
def test_many_stations_are_told_of_whichever_part_of_their_pictures_is_used(
    num_train: int, num_test: int, tmp_path: Path
) -> None:
    """20 stations with 26 pictures each, of which one part is in the training set."""
    rows = ["file_name,station"]
    for split, names, each in (("train", range(12), 156), ("test", range(12, 20), 112)):
        noise(tmp_path / split, {"a": each, "b": each}, len(split))
        files = sorted((tmp_path / split).rglob("*.png"), key=lambda file: file.stem)
        rows += [
            f"{file.relative_to(tmp_path).as_posix()},S{names[place % len(names)]}"
            for place, file in enumerate(files)
        ]
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    data = DataConfig(
        data=str(tmp_path), image_size=16, num_train=num_train, num_test=num_test,
        groups=("station",),
    )  # fmt: skip
    world = open_world(data, seed=0)
    lines = doubts_of_pictures(world, world.load("train", num_train), world.load("test", num_test))
    assert [one for one in lines if "groups that the training set lacks" in one]
    assert not [one for one in lines if "belong together" in one]


@pytest.mark.parametrize(
    ("most", "count", "frequent", "said"),
    [
        (200, 200, 0.5, "all test"), (198, 200, 0.5, "nearly all test"), (170, 200, 0.5, ""),
        (20, 20, 0.5, "all test"), (19, 20, 0.5, ""), (196, 200, 0.9, ""), (200, 200, 0.9, "all"),
        (20, 20, 0.95, ""), (120, 200, 0.1, ""),
    ],
)  # fmt: skip
def test_the_same_answer_to_nearly_all_is_told(
    most: int, count: int, frequent: float, said: str
) -> None:
    metrics = figures(0.6, 0.5) | {"answers/most_frequent": wilson(most, count)}
    text = findings(metrics, setting(frequent=frequent, num_classes=2))[0].text
    assert ("same answer" in text) == bool(said)
    assert f"{said} " in text
    assert "such as a caption" not in text
    for own, hint in (((), bool(said) and frequent < 0.9), (("eyes",), False)):
        known = figures(1.0, 0.5) | {"answers/most_frequent": wilson(most, count)}
        both = setting(
            frequent=frequent, frequent_train=frequent, num_classes=2, relevant=own, noun="pictures"
        )
        assert ("such as a caption" in " ".join(f.text for f in findings(known, both))) is hint


def noise(folder: Path, counts: dict[str, int], seed: int) -> None:
    """Pictures of noise, the same wherever they lie."""
    random = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 256, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def test_pictures_of_ones_own_with_other_shares_are_told_of_and_not_called_memorized(
    tmp_path: Path,
) -> None:
    noise(tmp_path / "own" / "train", {"a": 45, "b": 5}, 0)
    noise(tmp_path / "own" / "test", {"a": 25, "b": 25}, 1)
    data = DataConfig(data=str(tmp_path / "own"), image_size=16, num_train=50, num_test=50)
    (said,) = (one for one in open_world(data, seed=0).doubts() if "the gap" in one)
    assert said.startswith("the class a is 90.0 % of the training set and 50.0 % of the test set:")
    result = start(
        replace(tiny(tmp_path, steps=20, width=2, batch_size=10, counterfactuals=0), data=data)
    )
    assert "It memorized" not in result.verdict
    summary = json.loads((result.folder / "summary.json").read_text())
    assert abs(summary["gap"]["accuracy_at_test_shares"]["value"]) < 0.2


def arrays(
    folder: Path, train: tuple[int, ...], test: tuple[int, ...], **changes: Any
) -> DataConfig:
    """Settings with pictures of noise in a file, of so many in each class."""
    rng = np.random.default_rng(0)
    held = {}
    for kind, counts in (("", train), ("_test", test)):
        held[f"y{kind}"] = np.repeat(np.arange(len(counts)), counts)
        held[f"x{kind}"] = rng.integers(0, 256, (sum(counts), 16, 16)).astype(np.uint8)
    names = np.array(list("abcde")[: len(train)])
    np.savez(folder / "own.npz", class_names=names, **held)
    return DataConfig(
        data=str(folder / "own.npz"), image_size=16, num_train=sum(train), num_test=sum(test),
        **changes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("train", "test", "noise", "kind", "said"),
    [
        ((120, 80, 40), (50, 60, 40), 0.0, "flip", "the class a is 50.0 % of the training set and"),
        ((120, 80, 40), (50, 60, 40), 0.2, "flip", ""),
        ((160, 40), (60, 60), 0.2, "flip", "% of the training set without its wrong labels and"),
        ((160, 40), (60, 60), 0.9, "random", "% of the training set without its wrong labels and"),
        ((160, 40), (60, 60), 0.9, "flip", "% of the training set by its given labels and"),
        ((60, 60), (60, 60), 0.9, "random", ""),
    ],
)
def test_what_is_said_before_training_is_what_is_measured(
    train: tuple[int, ...], test: tuple[int, ...], noise: float, kind: Literal["random", "flip"],
    said: str, tmp_path: Path,
) -> None:  # fmt: skip
    """By the examples that are compared: the rightly labeled ones where some labels are wrong."""
    data = arrays(tmp_path, train, test, label_noise=noise, label_noise_kind=kind)
    told = [one for one in open_world(data, seed=0).doubts() if "the gap and" in one]
    assert len(told) == bool(said)
    assert said in " ".join(told)
    run = replace(tiny(tmp_path, steps=3, width=2, batch_size=10, counterfactuals=0), data=data)
    summary = json.loads((start(run).folder / "summary.json").read_text())
    assert ("accuracy_at_test_shares" in summary["gap"]) == bool(said)


def test_before_training_the_groups_that_are_compared_are_told(tmp_path: Path) -> None:
    """None where most labels are wrong, so that no figures at group shares are measured."""
    data = arrays(tmp_path, (128, 128), (60, 60))
    held = dict(np.load(str(data.data)))
    places = {
        f"place{kind}": np.array([str(k % n == 0) for k in range(len(held[f"y{kind}"]))])
        for kind, n in (("", 8), ("_test", 2))
    }
    np.savez(str(data.data), **held, **places)
    for noise, called in ((0.0, "the training set"), (0.2, "the training set without"), (0.9, "")):
        config = replace(
            data, groups=("place",), label_noise=noise, label_noise_kind="flip",
        )  # fmt: skip
        world = open_world(config, seed=0)
        sets = world.load("train", 256), world.load("test", 120)
        told = [one for one in doubts_of_pictures(world, *sets) if "the group " in one]
        assert len(told) == bool(called)
        assert f"% of {called}" in " ".join(told) or not called
        run = replace(tiny(tmp_path / f"{noise}", steps=3, width=2, counterfactuals=0), data=config)
        summary = json.loads((start(run).folder / "summary.json").read_text())
        assert ("accuracy_at_group_shares" in summary["gap"]) == bool(called)


@pytest.mark.parametrize("few", [2, 20])
def test_classes_that_the_training_set_lacks_are_left_out_only_if_they_are_many(
    few: int, tmp_path: Path
) -> None:
    """2 of 500 test pictures are compared with the others, of which nothing else is said."""
    data = arrays(tmp_path, (200, 200, 1), (250 - few // 2, 250 - few // 2, few))
    data = replace(data, num_train=100)  # of which the one picture of c is none
    world = open_world(data, seed=0)
    (told,) = (one for one in world.doubts() if "no network can know" in one)
    assert f"{few} of the 500 pictures of the test set are of these" in told
    assert ("What is said of memory compares the others." in told) == (few == 20)
    run = replace(tiny(tmp_path, steps=3, width=2, batch_size=10, counterfactuals=0), data=data)
    summary = json.loads((start(run).folder / "summary.json").read_text())
    assert ("test_studied" in summary["accuracy"]) == (few == 20)


@pytest.mark.parametrize("kind", ["random", "flip"])
def test_what_one_answer_gets_right_is_by_the_labels_that_are_given(
    kind: Literal["random", "flip"], tmp_path: Path
) -> None:
    clean = arrays(tmp_path, (120, 80, 40), (120, 80, 40))
    (said,) = (one for one in open_world(clean, seed=0).doubts() if "training pictures are" in one)
    assert said.endswith("120 a, 40 c. Always answering a gets 50.0% of them right, not 1 of 3.")
    world = open_world(replace(clean, label_noise=0.1, label_noise_kind=kind), seed=0)
    training, test = (one for one in world.doubts() if "evenly" in one)
    most = float(world.load("train", 240).labels.bincount().max()) / 240
    assert most < 0.5
    told = f": 120 a, 40 c. Always answering a gets {most:.1%} of them right by the labels they are"
    assert told in training
    assert "50.0% of them right, not" in test
    world = open_world(replace(clean, label_noise=1.0, label_noise_kind="random"), seed=0)
    (said,) = (one for one in world.doubts() if "training pictures are" in one)
    assert said.endswith("over the classes: 120 a, 40 c.")


def test_a_watched_loop_is_told_of_the_shares_of_its_right_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = torch.arange(2).repeat_interleave(torch.tensor([160, 40]))
    wrong = torch.arange(200) % 5 == 0
    given = torch.where(wrong, 1 - labels, labels)
    train = TensorDataset(torch.rand(200, 3, 8, 8), given)
    test = TensorDataset(torch.rand(120, 3, 8, 8), torch.arange(2).repeat_interleave(60))
    for truth, said in (
        (labels, "80.0 % of train without its wrong labels"),
        (None, "of train and"),
    ):
        with watch(
            Same(), train=train, test=test, out=tmp_path / str(truth is None), pictures=False,
            clean_labels=truth,
        ):  # fmt: skip
            pass
        assert f"{said} " in capsys.readouterr().out


def test_classes_that_the_training_set_lacks_and_groups_of_other_shares_are_told(
    tmp_path: Path,
) -> None:
    noise(tmp_path / "many", {f"class{k:02}": 6 for k in range(20)}, 0)
    few = DataConfig(data=str(tmp_path / "many"), image_size=16, num_train=10)
    (said,) = (one for one in open_world(few, seed=0).doubts() if "no network can know" in one)
    assert "the training set has no picture of 10 of the 20 classes (class" in said
    assert "and 2 more), and 10 of the 20 pictures of the test set are of these" in said
    least = int(said.split("--num-train ")[1].split()[0])
    for number, expected in ((least, 0), (least - 1, 1)):
        world = open_world(replace(few, num_train=number), seed=0)
        assert sum("no network can" in one for one in world.doubts()) == expected
    base = replace(tiny(tmp_path, steps=2, counterfactuals=0), data=few)
    jobs = make_jobs(base, make_grid({"num_train": [10, 12, 80]}), seeds=2, out=tmp_path)
    said = "with {} training pictures and seed 0: the training set has no picture of {}"
    assert sorted(one.split(" of the ")[0] for one in check_jobs(jobs)) == [
        said.format(10, 10), said.format(12, 8),
    ]  # fmt: skip
    for name, shares in (("train", (30, 4, 4, 30)), ("test", (15, 15, 15, 15))):
        rows = []
        for k, count in enumerate(shares):
            folder = tmp_path / "birds" / name / "lw"[k // 2]
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = np.random.default_rng([k, number, len(name)]).integers(0, 256, (16, 16, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{k}_{number}.png")
                rows.append(f"{name}/{'lw'[k // 2]}/{k}_{number}.png,{'lw'[k % 2]}")
        with (tmp_path / "birds" / "metadata.csv").open("a") as table:
            table.write("\n".join([*(["file_name,place"] if name == "train" else []), *rows, ""]))
    data = DataConfig(
        data=str(tmp_path / "birds"), image_size=16, num_train=68, num_test=60, groups=("place",)
    )
    world = open_world(data, seed=0)
    train, test = world.load("train", 68), world.load("test", 60)
    (said,) = (one for one in doubts_of_pictures(world, train, test) if "the group " in one)
    assert "44.1 % of the training set and 25.0 % of the test set" in said
    assert "each group at its share of the test set" in said


@pytest.mark.usefixtures("runs_here")
def test_cards_and_learning_curves_compare_class_by_class(tmp_path: Path) -> None:
    """Networks that answer nearly alike to all pictures have no gap on a card."""
    noise(tmp_path / "own" / "train", {"a": 90, "b": 10}, 0)
    noise(tmp_path / "own" / "test", {"a": 25, "b": 25}, 1)
    base = tiny(tmp_path, steps=12, width=2, batch_size=10, counterfactuals=0)
    data = DataConfig(data=str(tmp_path / "own"), image_size=16, num_test=50)
    grid = {"num_train": [50, 100]}
    table = run_grid(replace(base, data=data), grid, seeds=2, processes=1)
    for cell in table.cells:
        found = [run.metrics for run in cell.runs]
        assert cell.mean("gap/accuracy").value > 0.2
        gap = float(np.mean([each[GAP].value for each in found]))
        assert abs(gap) < 0.15
        assert cell.judged("gap/accuracy").value == pytest.approx(gap, abs=1e-12)
        size = size_of(cell)
        assert size.membership_auc.value == np.mean([each[AUC].value for each in found])
        assert size.train.value == np.mean([each[ACCURACY].value for each in found])
    assert view(table).columns.keys() >= {heading(tag) for tag in (GAP, AUC, ACCURACY)}


@pytest.mark.parametrize(
    ("train", "test"),
    [({"a": 20, "b": 20}, {"a": 10, "b": 10}), ({"a": 20, "b": 20}, {"a": 9, "b": 11}),
     ({"a": 90, "b": 10}, {"a": 18, "b": 2})],
)  # fmt: skip
def test_shares_that_are_about_the_same_are_not_told(
    train: dict[str, int], test: dict[str, int], tmp_path: Path
) -> None:
    noise(tmp_path / "own" / "train", train, 0)
    noise(tmp_path / "own" / "test", test, 1)
    world = open_world(DataConfig(data=str(tmp_path / "own"), image_size=16), seed=0)
    assert not [one for one in world.doubts() if "the gap" in one]


class Same(nn.Module):
    """A network that gives the same answer to all inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(x), 2)


def test_a_watched_network_that_gives_one_answer_has_not_memorized(tmp_path: Path) -> None:
    def some(*counts: int) -> TensorDataset:
        labels = torch.arange(2).repeat_interleave(torch.tensor(counts))
        return TensorDataset(torch.rand(len(labels), 3, 8, 8), labels)

    with watch(
        Same(), train=some(180, 20), test=some(100, 100), out=tmp_path / "run", pictures=False,
        quiet=True,
    ) as watcher:  # fmt: skip
        pass
    assert "memorized" not in watcher.verdict
    assert "all test pictures the same answer" in watcher.verdict


def test_a_detector_of_a_rare_class_has_learned_something() -> None:
    """Trained with weights for the classes, it is less often right than a constant answer."""
    plain = figures(0.866, 0.861, num_train=2000)
    rare = setting(num_train=2000, frequent=0.95, frequent_train=0.95, noun="pictures")
    assert kinds(findings(plain, rare))[0] == "nothing"
    labels = torch.tensor([1] * 100 + [0] * 1900)
    answers = torch.tensor([1] * 95 + [0] * 5 + [1] * 271 + [0] * 1629)
    test = Predictions.of(torch.eye(2)[answers], labels)
    mean = class_mean(test)
    assert mean.value == pytest.approx((95 / 100 + 1629 / 1900) / 2)
    main, *_, advised = findings({**plain, MEAN: mean}, rare)
    assert main.kind == "apart"
    assert advised.text.startswith("More training may help: try --steps"), "of the same pictures"
    assert "the mean of its accuracy on each class is 90.4 %" in main.text
    assert "worse than always answering the most frequent class" in main.text
    constant = Predictions.of(torch.eye(2)[torch.zeros(2000, dtype=torch.int64)], labels)
    assert class_mean(constant).value == 0.5
    (first, *_) = findings({**plain, MEAN: class_mean(constant)}, rare)
    assert first.kind == "nothing"


@pytest.mark.parametrize(("classes", "count", "advised"), [(2, 1000, 30), (12, 250, 24)])
def test_fewer_training_pictures_that_are_advised_have_each_class(
    classes: int, count: int, advised: int
) -> None:
    said = findings(
        figures(0.99, 0.99, num_train=count, num_test=5000),
        setting(num_train=count, num_test=5000, num_classes=classes, frequent=1 / classes),
    )
    assert f"--num-train {advised}." in said[-1].text


def test_fewer_training_pictures_than_two_of_each_class_are_not_advised() -> None:
    said = findings(
        figures(0.99, 0.99, num_train=300, num_test=5000),
        setting(num_train=300, num_test=5000, num_classes=200, frequent=1 / 200),
    )
    assert not any("fewer" in each.text for each in said)


def ranked(seed: int, *, apart: float, bias: float, classes: int = 2) -> Predictions:
    """Predictions on 300 examples, 10 % of them of the last class, of a network that answers the
    first class by a `bias`; log odds of the right class are `apart` higher."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, 300, p=[*[0.9 / (classes - 1)] * (classes - 1), 0.1])
    logits = rng.normal(size=(300, classes))
    logits[np.arange(300), labels] += apart
    logits[:, 0] += bias
    return Predictions.of(torch.tensor(logits), torch.tensor(labels))


@pytest.mark.parametrize("classes", [2, 4])
def test_the_area_under_the_roc_curve_is_that_of_all_pairs(classes: int) -> None:
    test = ranked(0, apart=1.5, bias=8.0, classes=classes)
    chances, areas = test.logits.double().softmax(dim=1), []
    for k in range(classes) if classes > 2 else (1,):
        mine, others = chances[test.labels == k, k], chances[test.labels != k, k]
        pairs = (mine[:, None] > others) + 0.5 * (mine[:, None] == others)
        areas.append(pairs.double().mean().item())
    found = roc_auc(test)
    assert found is not None
    assert found.value == pytest.approx(float(np.mean(areas)), abs=1e-9)
    assert found.interval[0] < found.value < found.interval[1]
    assert roc_auc(made((50, 0), known=1, seed=0)) is None


@pytest.mark.parametrize(("apart", "said"), [(2.0, True), (0.0, False)])
def test_a_network_that_ranks_classes_but_answers_one_is_told_so(apart: float, said: bool) -> None:
    train, test = (ranked(seed, apart=apart, bias=12.0) for seed in (0, 1))
    area = roc_auc(test)
    assert area is not None
    of_a_guess = Estimate(0.69, 0.68, 0.7)
    found = told(train, test, {"accuracy/test_roc_auc": area, "loss/train": of_a_guess})
    assert found[0].kind == ("apart" if said else "nothing")
    assert ("its probabilities do: by these the area" in found[0].text) == said
    assert "all test pictures the same answer" in found[0].text
    assert found[-1].text.startswith("More training may help: try --steps")


@pytest.mark.parametrize(
    ("right", "wrong", "claim"),
    [
        (10, 4, "It tells the classes apart a little"),  # Fisher's exact test: p = 5e-8
        (5, 0, "It tells the classes apart a little"),
        (30, 40, "It tells the classes apart: "),
        (3, 12, "Whether its answers tell the classes apart cannot be told"),
        (0, 0, "Its answers do not tell the classes apart"),
    ],
)
@pytest.mark.parametrize("ranks", [True, False])
def test_what_answers_tell_of_a_rare_class_is_what_their_interval_tells(
    right: int, wrong: int, claim: str, ranks: bool
) -> None:
    """Of 54 sick and 546 healthy ones, with so many right and wrong alarms; by probabilities too,
    or by these not at all."""
    labels = torch.tensor([1] * 54 + [0] * 546)
    alarm = torch.zeros(600, dtype=torch.int64)
    alarm[:right], alarm[54 : 54 + wrong] = 1, 1
    mean = class_mean(Predictions.of(torch.eye(2)[alarm], labels))
    known = {MEAN: mean, "loss/train": Estimate(0.69, 0.68, 0.7)}
    if ranks:
        known[ROC_AUC] = Estimate(0.75, 0.68, 0.81)
    share = float((alarm == labels).double().mean())
    rare = setting(num_train=600, frequent=0.91, frequent_train=0.91, noun="pictures")
    main, *_ = findings({**figures(share, share, num_train=600), **known}, rare)
    surely = mean.interval[0] > 0.5
    assert surely is ("It tells" in claim)
    assert main.text.startswith(claim if ranks or surely else "It has learned nothing that shows")
    assert ("area under the ROC curve" in main.text) is (ranks and claim != TOLD)
    assert main.kind == ("apart" if ranks or surely else "nothing")
    if 0 < right < 30 and surely:  # also of one that has fitted a little of its training set
        fitted = {**figures(0.95, share, num_train=600), **known}
        first, *_ = findings(fitted | {"gap/accuracy": Estimate(0.03, -0.01, 0.07)}, rare)
        assert first.text.startswith(claim)


TOLD = "It tells the classes apart: "
"""The claim of answers that surely tell them apart, beside which no ranks are told."""


def knowing(counts: tuple[int, ...], wrong: int, *, seed: int) -> Predictions:
    """A network that is sure of its answers, of which so many are wrong."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    answers = labels.clone()
    mistaken = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[:wrong]
    answers[mistaken] = (answers[mistaken] + 1) % len(counts)
    return Predictions.of(8 * torch.eye(len(counts))[answers], labels)


@pytest.mark.parametrize(
    ("studied", "unseen", "wrong", "kind"),
    [
        ((100, 100), (1470, 30), 750, "memorized"),  # trained on equal shares of a rare class
        ((27, 3), (900, 100), 200, "memorized"),
        ((98, 2), (982, 18), 20, "unsettled"),  # its few mistakes are no more than chance makes
    ],
)
def test_memory_shows_though_one_answer_to_all_gets_more_right(
    studied: tuple[int, ...], unseen: tuple[int, ...], wrong: int, kind: str
) -> None:
    """A network that has all training examples by heart is not told to be trained longer."""
    found = told(knowing(studied, 0, seed=0), knowing(unseen, wrong, seed=1))
    assert found[0].kind == kind, found[0].text
    assert "learned nothing" not in found[0].text
    assert not found[-1].text.startswith("More training may help"), found[-1].text
    assert "--steps" not in found[-1].text


def test_networks_without_knowledge_are_seldom_said_to_rank() -> None:
    areas = [roc_auc(ranked(seed, apart=0.0, bias=12.0)) for seed in range(100)]
    assert sum(each is not None and each.interval[0] > 0.6 for each in areas) == 0
