"""Copies (`--copies`, and the same picture in several files) are no independent evidence: intervals
do not count them as such, and values do."""

import dataclasses
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.core.config import DataConfig
from lab.core.estimate import Estimate, wilson
from lab.evaluators import splits_of
from lab.evaluators.data_summary import DataSummary
from lab.evaluators.evaluation import LoadedSplit
from lab.measure import Predictions, memorization_metrics, split_metrics
from lab.runs.evaluate import evaluate
from lab.runs.train import start
from lab.worlds import DrawnWorld
from lab.worlds.groups import measured as measured_cues
from lab.worlds.planted import originals
from support.configs import tiny
from support.picture_folders import fill

TIMES, COUNT = 200, 300
TRAIN = ("accuracy/train", "loss/train", "calibration/ece_train")


def predicted(
    seed: int, copies: torch.Tensor | None, *, count: int = COUNT, split: str = "train"
) -> Predictions:
    """Random logits of two classes, on average 80 % right; copies have equal ones, and labels."""
    random = np.random.default_rng([seed, len(split)])
    place = np.arange(count) if copies is None else copies.numpy()
    logits = torch.from_numpy(random.normal(0.8416, 1, count))[place]
    labels = torch.from_numpy(random.integers(0, 2, count))[place]
    odds = torch.where(labels == 1, logits, -logits)
    found = Predictions.of(torch.stack([0 * odds, odds], 1).float(), labels, split=split)
    clean = torch.from_numpy(random.random(count) < 0.5)[place]
    clean_labels = torch.where(clean, labels, 1 - labels)
    return replace(found, clean_labels=clean_labels, copies=copies)


def measured(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    found: dict[str, Estimate | float] = dict(memorization_metrics(train, test))
    for metric in split_metrics():
        found |= metric(train)
    return {tag: each for tag, each in found.items() if isinstance(each, Estimate)}


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_they_cover_as_they_do_not_where_copies_count_as_independent(share: float) -> None:
    held = {True: 0, False: 0}
    for seed in range(TIMES):
        copies = torch.from_numpy(originals(np.arange(COUNT), share=share, seed=seed))
        train = predicted(seed, copies)
        for known in (True, False):
            (metric,) = (m for m in split_metrics() if m.tags.get("train") == "accuracy/train")
            (found,) = metric(train if known else replace(train, copies=None)).values()
            assert isinstance(found, Estimate)
            held[known] += found.interval[0] <= 0.8 <= found.interval[1]
    assert held[True] >= 0.9 * TIMES
    assert held[False] <= 0.7 * TIMES


def test_values_are_those_of_all_and_ends_those_of_the_different_ones() -> None:
    copies = torch.arange(COUNT) // 3 * 3
    train, test = predicted(0, copies), predicted(0, None, count=400, split="test")
    different = train.different()
    assert len(different) == COUNT // 3
    with_copies, alone = measured(train, test), measured(different, test)
    assert {*TRAIN, "gap/accuracy", "gap/loss", "memorization/membership_auc",
            "memorization/mislabeled_fitted"} <= with_copies.keys()  # fmt: skip
    for tag, found in with_copies.items():  # each is there three times: the same values
        assert found.value == pytest.approx(alone[tag].value), tag
        assert found.interval == pytest.approx(alone[tag].interval), tag
        assert (found.count or 0) > (alone[tag].count or 0)


def test_an_interval_holds_its_value() -> None:
    """Where the copied ones alone are right."""
    copies = torch.tensor([0] * 90 + list(range(1, 11)))
    labels = torch.ones(100, dtype=torch.int64)
    right = torch.tensor([True] * 90 + [False] * 10)
    logits = torch.stack([torch.zeros(100), torch.where(right, 1.0, -1.0)], 1)
    made = Predictions.of(logits, labels, split="train")
    found = measured(replace(made, copies=copies), predicted(0, None, split="test"))
    one = found["accuracy/train"]
    assert (one.value, one.count) == (0.9, 100)
    assert one.interval == (wilson(1, 11).low, wilson(90, 100).high)


@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("count", [60, 300])
def test_they_cover_where_copies_come_by_themselves(count: int, answer: bool, fitted: bool) -> None:
    """As blank pages among scans: 35 % of all there are look the same and get one answer; of the
    others a network has fitted those for training, or none, and is right about 60 % of the rest."""
    tags = ("accuracy/train", "accuracy/test", "loss/test", "gap/accuracy", "gap/loss",
            "memorization/membership_auc")  # fmt: skip
    truth = figures_of(0, 20_000, answer, fitted)
    held = dict.fromkeys(tags, 0)
    for seed in range(1, TIMES + 1):
        found = figures_of(seed, count, answer, fitted)
        for tag in tags:
            low, high = found[tag].interval
            held[tag] += low <= truth[tag].value <= high
            if 0 < found[tag].value < 1:
                assert low < found[tag].value < high, "no end of its own interval"
    assert min(held.values()) >= 0.9 * TIMES, held


def figures_of(seed: int, count: int, answer: bool, fitted: bool) -> dict[str, Estimate]:
    random = np.random.default_rng(seed)
    train = scans(random, count, answer, right=1.0 if fitted else 0.6, sure=4.0 if fitted else 0.0)
    test = scans(random, count, answer, right=0.6, sure=0.0)
    found: dict[str, Estimate | float] = dict(memorization_metrics(train, test))
    for metric in split_metrics():
        found |= metric(replace(train, split="train"))
        found |= metric(test)
    return {tag: each for tag, each in found.items() if isinstance(each, Estimate)}


def scans(
    random: np.random.Generator, count: int, answer: bool, *, right: float, sure: float
) -> Predictions:
    """Predictions of pictures, some of which are the same blank page, of the others a share `right`
    with log odds of `sure` and up to 2 more."""
    blank = random.random(count) < 0.35
    copies = torch.where(torch.from_numpy(blank), int(blank.argmax()), torch.arange(count))
    is_right = torch.from_numpy(np.where(blank, answer, random.random(count) < right))
    odds = torch.from_numpy(np.where(blank, 1.0, sure + random.uniform(0.1, 2, count))).float()
    logits = torch.stack([torch.zeros(count), torch.where(is_right, odds, -odds)], 1)
    labels = torch.ones(count, dtype=torch.int64)
    return replace(Predictions.of(logits, labels, split="test"), copies=copies)


def test_a_value_that_is_none_has_no_interval() -> None:
    assert math.isnan(Estimate.point(math.nan).with_interval_of(wilson(1, 2)).value)
    assert Estimate(math.nan, 0, 1).with_interval_of(wilson(1, 2)).low is None
    assert Estimate(0.5, 0, 1).with_interval_of(Estimate.point(0.5)).low is None


def test_without_copies_nothing_is_noted_and_with_them_what_is_a_copy_of_what() -> None:
    for share in (0.0, 0.5):
        data = DataConfig(num_train=40, num_test=10, image_size=16, copies=share)
        world = DrawnWorld.of(data, seed=0)
        train = world.load("train", 40)
        splits = splits_of(world, test=LoadedSplit("test", world.load("test", 10)), train=train)
        split = splits["train"]
        assert isinstance(split, LoadedSplit)
        if not share:
            assert split.copies is None
            continue
        assert split.copies is not None
        pictures = train.images.flatten(1)
        same = (pictures[:, None] == pictures).all(2)
        assert torch.equal(same, split.copies[:, None] == split.copies)


def test_a_run_with_copies_has_wider_intervals(tmp_path: Path) -> None:
    found = start(tiny(tmp_path, num_train=100, num_test=100, copies=0.9)).metrics
    for tag in ("accuracy/train", "loss/train", "memorization/membership_auc"):
        estimate = found[tag]
        assert isinstance(estimate, Estimate)
        assert estimate.count in (100, 200)
    share = found["accuracy/train"]
    assert isinstance(share, Estimate)
    plain = wilson(round(share.value * 100), 100)
    assert share.high is not None
    assert share.low is not None
    assert plain.high is not None
    assert plain.low is not None
    assert share.high - share.low > 1.5 * (plain.high - plain.low)


def test_parts_of_a_split_agree_on_whether_there_are_copies() -> None:
    one = predicted(0, torch.arange(COUNT) // 2)
    both = Predictions.cat([one, one])
    assert both.copies is not None
    assert len(both.different()) == COUNT // 2
    with pytest.raises(ValueError, match="1 of 2 parts"):
        Predictions.cat([one, predicted(0, None)])


def test_the_strength_of_a_cue_is_that_of_all_with_the_interval_of_the_different_ones() -> None:
    held = {True: 0, False: 0}
    seeds = range(40)
    data = DataConfig(num_train=300, image_size=16, cues=("hair_color:0.8",), copies=0.8)
    for seed in seeds:
        world = DrawnWorld.of(data, seed=seed)
        train = world.load("train", data.num_train)
        own = world.own("train", data.num_train)
        assert own.sum() == len(set(world.addresses("train", data.num_train).tolist()))
        for known in (True, False):
            (cue,) = measured_cues(world, train, own=own if known else None)
            held[known] += cue.strength.interval[0] <= 0.8 <= cue.strength.interval[1]
        agreeing = int((cue.cue.says(train.samples) == train.clean_labels).sum())
        assert cue.strength.value == agreeing / data.num_train
    assert held[True] >= 0.9 * len(seeds)
    assert held[False] <= 0.75 * len(seeds)


def test_a_run_says_the_strength_of_its_cue_with_that_interval() -> None:
    data = DataConfig(num_train=300, image_size=16, cues=("hair_color:0.8",), copies=0.8)
    world = DrawnWorld.of(data, seed=1)
    train, test = world.load("train", 300), world.load("test", 50)
    (cue,) = DataSummary.of(world, train, test).cues
    own = world.own("train", 300)
    agrees = (cue.cue.says(train.samples) == train.clean_labels)[own]
    assert cue.strength.low == wilson(int(agrees.sum()), len(agrees)).low


def test_test_pictures_in_several_files_count_once_in_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, found = tmp_path / "own", {}
    for split, count in (("train", 30), ("test", 20)):
        for name, shade in (("a", 0), ("b", 6)):
            fill(data / split / name, count, shade=shade)
    files = list((data / "test").rglob("*.png"))
    for times in (1, 4):
        told = "copies of earlier ones: intervals take a picture and its copies for one"
        for file in files:
            for number in range(1, times):
                (file.parent / f"{file.stem}_{number}x.png").write_bytes(file.read_bytes())
        config = tiny(
            tmp_path, data=str(data), num_train=60, num_test=40 * times, steps=60,
            counterfactuals=48,
        )  # fmt: skip
        run = start(dataclasses.replace(config, name=f"run{times}"))
        assert (told in " ".join(capsys.readouterr().out.split())) == (times > 1)
        evaluate(run.folder, lists={}, numbers={}, counterfactuals=0)
        printed = capsys.readouterr().out
        number = f"of {40 * times} test pictures {40 * (times - 1)} are {told}."
        assert (number in " ".join(printed.split())) == (times > 1), "beside the table"
        found[times] = run.metrics, printed
    (once, table), (four, other) = found[1], found[4]
    for tag in ("accuracy/test", "loss/test", "gap/accuracy", "memorization/membership_auc",
                "subpopulation_accuracy/a", "subpopulation_accuracy/b", "accuracy/test_roc_auc",
                "perturbation/gray", *(each for each in once if "occlusion/" in each)):  # fmt: skip
        one, more = once[tag], four[tag]
        assert isinstance(one, Estimate)
        assert isinstance(more, Estimate)
        assert more.value == pytest.approx(one.value, abs=1e-6), tag
        assert more.interval == pytest.approx(one.interval, abs=1e-6), tag
    (row,) = (line for line in table.splitlines() if line.startswith("test pictures"))
    assert other.count(row.rsplit(maxsplit=1)[0]) == 1, "all but the number of pictures"
