"""Copies in a test set whose classes or groups have other shares than those of the training set:
whether the shares differ is judged with copies counted once, as intervals are, in what is said
before training and in what is measured after it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from lab.core.config import DataConfig
from lab.core.estimate import Estimate, homogeneity, widened, wilson
from lab.evaluators.evaluation import Evaluation
from lab.evaluators.groups import GroupsEvaluator
from lab.experiments import make_jobs
from lab.experiments.runner.run import check_jobs, doubts_of_jobs
from lab.measure import Predictions, consistency, memorization_metrics
from lab.measure.class_shares import ACCURACY, AUC, BY_GROUP, GAP, UNSTUDIED, at_test_shares
from lab.measure.dependent import allowing_for_dependence
from lab.measure.right_labels import of_right_labels
from lab.runs.train import start
from lab.verdict.uneven import uneven
from lab.worlds import open_world
from lab.worlds.doubts import doubts_of_pictures
from support.configs import tiny

PLAIN = "memorization/membership_auc"


class Sets(NamedTuple):
    """Predictions that know nothing of the training set; `different` are those of the test set
    before its examples were copied."""

    train: Predictions
    test: Predictions
    different: Predictions


def unknowing(seed: int, *, share: float, few: int = 30) -> Sets:
    """Two classes, half and half in training, and of `few` test examples, each of which is there 4
    to 12 times, about that share of the second class."""
    rng = np.random.default_rng(seed)

    def predicted(labels: np.ndarray) -> Predictions:
        logits = rng.normal(0, 1, (len(labels), 2))
        logits[np.arange(len(labels)), labels] += 1
        return Predictions.of(torch.tensor(logits), torch.tensor(labels))

    train = predicted(np.repeat([0, 1], 150))
    different = predicted((rng.random(few) < share).astype(np.int64))
    taken = np.repeat(np.arange(few), rng.integers(4, 13, few))
    test = Predictions.of(different.logits[taken], different.labels[taken])
    return Sets(train, replace(test, copies=torch.tensor(taken)), different)


def test_intervals_at_shares_hold_what_they_should_where_test_examples_are_copies() -> None:
    """The membership AUC by which memory is judged misses one half in about 5 % of all cases; where
    intervals or the shares took copies for independent examples it did in a third."""
    missed = count = by_class = 0
    for seed in range(300):
        train, test, different = unknowing(seed, share=0.7)
        found = at_test_shares(train, test)
        told = homogeneity([150, 150], np.bincount(different.labels, minlength=2).tolist()) < 0.01
        assert bool(found) == bool(at_test_shares(train, different))
        assert bool(found) or not told
        judged = found.get(AUC, memorization_metrics(train, test)[PLAIN])
        by_class += AUC in found
        low, high = judged.interval
        missed += not low <= 0.5 <= high
        count += 1
    assert 30 < by_class < count / 2
    assert missed <= 0.1 * count


def test_no_interval_is_that_of_all_copies() -> None:
    """Each goes by that of the different ones."""
    for seed in range(40):
        train, test, different = unknowing(seed, share=0.9)
        noisy = replace(train, clean_labels=train.labels.roll(30))
        one, alone = (
            {**at_test_shares(train, each), **memorization_metrics(train, each),
             **of_right_labels(noisy, each)}
            for each in (test, different)
        )  # fmt: skip
        assert one.keys() == alone.keys() >= {ACCURACY, GAP, AUC}
        for tag, found in one.items():
            wide = found.with_interval_of(alone[tag])
            assert found.interval == pytest.approx(wide.interval), tag
            if "right_labels" not in tag and tag in (ACCURACY, GAP, AUC):
                assert found.count == (alone[tag].count or 0) + (
                    0 if tag == ACCURACY else len(test) - len(different)
                )


def test_what_the_different_ones_do_not_have_is_without_interval() -> None:
    _, test, _ = unknowing(0, share=0.5)

    def measure(_: Predictions, unseen: Predictions) -> dict[str, Estimate]:
        many = {"many": wilson(3, 4)} if len(unseen) > 100 else {}
        return {"all": wilson(len(unseen) // 2, len(unseen)), **many}

    found = allowing_for_dependence(measure, test, test)
    assert (found["many"].value, found["many"].low, found["many"].high) == (0.75, None, None)
    assert found["all"].interval[0] < wilson(15, 30).interval[0] + 1e-9


def test_a_rate_at_one_false_alarm_of_a_hundred_needs_a_hundred_different_ones() -> None:
    rate = "memorization/tpr_at_1_percent_fpr"
    for few, there in ((30, False), (99, False), (100, True)):
        train, test, _ = unknowing(1, share=0.5, few=few)
        assert len(test) > 100
        assert (rate in memorization_metrics(train, test)) == there


def test_groups_are_judged_by_different_examples_too() -> None:
    """A fifth of the training examples is of the place b, and of the 12 different test examples are
    3, of which there are 40 copies each."""
    train, _, _ = unknowing(2, share=0.5)
    names = ("0,a", "0,b", "1,a", "1,b")
    train = replace(
        train, group_names=names, groups=2 * train.labels + (torch.arange(300) % 5 == 0).long()
    )
    rng = np.random.default_rng(0)
    labels, place = np.arange(12) % 2, np.arange(12) % 4 == 0
    logits, groups = torch.tensor(rng.normal(size=(12, 2))), torch.tensor(2 * labels + place)
    different = replace(
        Predictions.of(logits, torch.tensor(labels)), group_names=names, groups=groups
    )
    taken = np.repeat(np.arange(12), np.where(place, 40, 1))
    test = replace(different.where(torch.tensor(taken)), copies=torch.tensor(taken))
    as_if = replace(test, copies=None)
    assert not at_test_shares(train, different)
    assert not at_test_shares(train, test)
    assert set(at_test_shares(train, as_if)) == set(BY_GROUP)

    names = (*names[:2], "0,c", *names[2:], "1,c")  # another place, which no training example has
    train = replace(train, group_names=names, groups=train.groups + train.labels)
    elsewhere = replace(
        test, group_names=names, groups=3 * test.labels + torch.where(test.groups % 2 == 1, 0, 2)
    )
    found = at_test_shares(train, elsewhere, kinds=True)[UNSTUDIED]
    assert found.value == pytest.approx(9 / 129), "those of which there is one each"
    assert found.interval == (wilson(9, 129).low, wilson(9, 12).high)


def copied(folder: Path, different: tuple[int, ...], times: tuple[int, ...]) -> DataConfig:
    """Settings with 60 training pictures of each of two classes, and so many different test
    pictures of each, with so many copies of one of them; of training pictures there are none."""
    rng = np.random.default_rng(0)
    held = {"y": np.repeat([0, 1], 60), "y_test": np.repeat([0, 1], different)}
    for kind in ("", "_test"):
        held[f"x{kind}"] = rng.integers(0, 256, (len(held[f"y{kind}"]), 16, 16)).astype(np.uint8)
    some = [k for label, n in enumerate(times) for k in [label * different[0]] * n]
    for name in ("x_test", "y_test"):
        held[name] = np.concatenate([held[name], held[name][some]])
    np.savez(folder / "own.npz", class_names=np.array(["a", "b"]), **held)
    return DataConfig(
        data=str(folder / "own.npz"), image_size=16, num_train=120, num_test=len(held["y_test"])
    )


@pytest.mark.parametrize(
    ("different", "times", "said"),
    [
        ((30, 30), (0, 60), ""),  # 30 and 90 pictures, of 30 different ones each
        ((60, 12), (0, 0), "the class a is 50.0 % of the training set and 83.3 % of the test set:"),
        ((60, 12), (20, 0), "the class a is 50.0 % of the training set and 87.0 % of the test set"),
        ((60, 12), (0, 48), ""),  # 60 each: compared class by class without a word
    ],
)
def test_what_is_said_before_training_is_of_different_pictures_too(
    different: tuple[int, ...], times: tuple[int, ...], said: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    data = copied(tmp_path, different, times)
    world = open_world(data, seed=0)
    train, test = world.load("train", 120), world.load("test", data.num_test)
    fresh = len(np.unique(test.images.numpy().reshape(len(test), -1), axis=0))
    assert fresh == sum(different)
    run = replace(tiny(tmp_path, steps=3, width=2, batch_size=10, counterfactuals=0), data=data)
    jobs = make_jobs(run, {}, seeds=1, out=tmp_path)
    result = start(run)
    printed = " ".join(capsys.readouterr().out.split())
    for told in (
        world.doubts(), doubts_of_pictures(world, train, test), check_jobs(jobs), [printed],
    ):  # fmt: skip
        assert ("come from that, too" in " ".join(told)) == bool(said)
        assert said in " ".join(told)
    assert "come from that, too" not in " ".join(doubts_of_jobs(jobs)), "which were told"
    summary = json.loads((result.folder / "summary.json").read_text())
    assert ("accuracy_at_test_shares" in summary["gap"]) == (different == (60, 12))


def test_all_intervals_of_a_run_are_those_without_the_copies(tmp_path: Path) -> None:
    found = []
    for times in ((0, 0), (90, 0)):  # 61 different ones; of one of them there are 91
        (place := tmp_path / str(times[0])).mkdir()
        data = copied(place, (1, 60), times)
        run = replace(tiny(place, steps=30, width=2, batch_size=10, counterfactuals=48), data=data)
        found.append(start(run))
    once, more = (run.metrics for run in found)
    assert more.keys() - {"accuracy/test_majority"} == once.keys() - {"accuracy/test_majority"}
    assert AUC in more
    for tag, one in once.items():
        other = more[tag]
        if (
            isinstance(one, Estimate)
            and one.low is not None
            and not tag.startswith("answers/changed")
        ):
            assert isinstance(other, Estimate)
            wide = other.with_interval_of(one)
            assert other.interval == pytest.approx(wide.interval, abs=1e-6), tag


def test_groups_that_differ_by_chance_alone_are_seldom_named_unequal() -> None:
    """Eight groups of 25 different examples, of which there are 20 copies each."""
    said = {True: 0, False: 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        labels, groups = np.arange(200) % 2, np.arange(200) % 8
        logits = np.where(rng.random(200)[:, None] < 0.8, np.eye(2)[labels], np.eye(2)[1 - labels])
        names = tuple(f"{'ab'[k % 2]},site={k}" for k in range(8))
        made = Predictions.of(torch.tensor(logits), torch.tensor(labels))
        different = replace(made, groups=torch.tensor(groups), group_names=names)
        taken = torch.arange(200).repeat(20)
        for known in (True, False):
            test = replace(different.where(taken), copies=taken if known else None)
            found = GroupsEvaluator("test", None, "", "")(evaluation_of(test)).metrics
            said[known] += bool(uneven(found, "pictures"))  # type: ignore[arg-type]
    assert said[True] <= 3
    assert said[False] > 30


def evaluation_of(test: Predictions) -> Evaluation:
    """An evaluation that has these predictions on the test set."""
    split = Mock()
    split.predict.return_value = test
    return Evaluation(torch.nn.Identity(), {"test": split})


def test_one_of_many_intervals_of_copies_is_wider_as_that_of_others_is() -> None:
    for right, count in ((0, 30), (12, 30), (30, 30)):
        alone = wilson(right, count)
        copies = replace(alone, count=20 * count)
        for among in (1, 3, 50):
            assert widened(alone, among=among) == wilson(right, count, among=among)
            expected = wilson(right, count, among=among).interval
            assert widened(copies, among=among).interval == pytest.approx(expected)
            other = replace(copies, value=(right + 1) / 32)  # of all copies
            low, high = widened(other, among=among).interval
            assert low <= alone.interval[0]
            assert alone.interval[1] <= high
            assert high - low > 0.8 * (expected[1] - expected[0])
    for odd in (
        Estimate.point(0.5, count=9), Estimate(0.5, 0.4, 0.6), wilson(0, 0),
        Estimate(0.5, 0, 1, 9), Estimate(0.5, 0.5, 0.5, 9),
    ):  # fmt: skip
        assert widened(odd, among=4) == odd or odd.count == 0


class Moody(torch.nn.Module):
    """Gives another answer each time."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.randn(len(x), 2) * self.weight


def test_answers_that_change_are_those_of_the_different_pictures() -> None:
    images = torch.randint(0, 256, (10, 3, 8, 8), dtype=torch.uint8).repeat(6, 1, 1, 1)
    own = torch.arange(60) < 10
    torch.manual_seed(0)
    found, plain = consistency(Moody(), images, own=own), consistency(Moody(), images)
    for tag, each in found.items():
        assert each.value == plain[tag].value
        assert each.count == 60
        ends = [each.with_interval_of(wilson(k, 10)).interval for k in range(11)]
        assert each.interval in ends
