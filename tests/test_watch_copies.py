"""Copies within the sets of a watched loop are told, and count once in intervals and where shares
are judged to differ, as in a run of the lab."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lab import watch
from lab.core.estimate import Estimate, wilson
from lab.watching import Watcher
from support.loops import pictures

Set = tuple[Tensor, Tensor]
TOLD = "intervals take an example and its copies for one"


def watched(out: Path, train: Set, test: Set, **arguments: Any) -> Watcher:
    """A loop of a few steps on the first 60 training examples, which is the same for all sets that
    begin with the same ones."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(train[0][0].numel(), 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model, train=train, test=test, out=out, quiet=True, **arguments) as watcher:
        for _ in range(20):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train[0][:60]), train[1][:60]).backward()
            optimizer.step()
            watcher()
    return watcher


def warnings_of(watcher: Watcher) -> list[str]:
    assert watcher.folder is not None
    text = (watcher.folder / "config.json").read_text(encoding="utf-8")
    return list(json.loads(text)["watched"]["warnings"])


def taken(given: Set, which: np.ndarray) -> Set:
    return given[0][which], given[1][which]


TRAIN, TEST = pictures(60, 0), pictures(30, 1)


def test_intervals_are_those_of_the_different_test_examples(tmp_path: Path) -> None:
    which = np.repeat(np.arange(30), np.random.default_rng(0).integers(4, 13, 30))

    def arguments(chosen: np.ndarray) -> dict[str, Any]:
        return {
            "groups": {"place": [f"p{k % 3}" for k in chosen]},
            "change": {"dark": lambda x: x - 1},
        }

    alone = watched(tmp_path / "a", TRAIN, TEST, **arguments(np.arange(30)))
    copies = watched(tmp_path / "b", TRAIN, taken(TEST, which), **arguments(which))
    assert not any(TOLD in each for each in warnings_of(alone))
    told = f"of {len(which)} examples of test {len(which) - 30} are copies of earlier ones: {TOLD}"
    assert told in warnings_of(copies)
    compared = 0
    for tag, one in alone.metrics.items():
        other = copies.metrics[tag]
        if not isinstance(one, Estimate) or one.low is None or tag.startswith("answers/changed"):
            continue
        assert isinstance(other, Estimate)
        wide = other.with_interval_of(one)
        assert other.interval == pytest.approx(wide.interval, abs=1e-5), tag
        compared += "test" in tag or "group" in tag or "reliance" in tag or "gap" in tag
    assert compared >= 10
    right = copies.metrics["accuracy/test"]
    assert isinstance(right, Estimate)
    assert right.count == len(which)


def test_copies_in_the_training_set_are_told_too(tmp_path: Path) -> None:
    """Those that one dataset takes by their numbers, several times, have a line of their own."""
    which = np.concatenate([np.arange(60), np.arange(30)])
    repeated = taken(TRAIN, which)
    for number, given in enumerate((repeated, DataLoader(TensorDataset(*repeated), batch_size=8))):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        with watch(
            model, train=given, test=TEST, out=tmp_path / str(number), quiet=True
        ) as watcher:
            watcher(0)
        assert f"of 90 examples of train 30 are copies of earlier ones: {TOLD}" in (
            warnings_of(watcher)
        )
        found = watcher.metrics["accuracy/train"]
        assert isinstance(found, Estimate)
        with torch.no_grad():
            right = model(TRAIN[0]).argmax(dim=1) == TRAIN[1]
        wide = found.with_interval_of(wilson(int(right.sum()), 60))
        assert found.interval == pytest.approx(wide.interval)
    relabeled = repeated[0], torch.cat([TRAIN[1], 1 - TRAIN[1][:30]])
    other = watched(tmp_path / "relabeled", relabeled, TEST)
    assert not any(TOLD in each for each in warnings_of(other)), "with other labels"


def test_shares_are_judged_by_different_examples(tmp_path: Path) -> None:
    """Of the test set 15 different examples are of each class, as in training; of one of them
    there are 100."""
    which = np.concatenate([np.arange(30), np.zeros(99, dtype=np.int64)])
    test = taken(TEST, which)
    found = watched(tmp_path / "copies", TRAIN, test)
    assert not any("come from that, too" in each for each in warnings_of(found))
    assert "gap/accuracy_at_test_shares" not in found.metrics
    noisy = test[0] + torch.randn(test[0].shape) * 1e-6, test[1]
    found = watched(tmp_path / "others", TRAIN, noisy)
    assert any("come from that, too" in each for each in warnings_of(found))
    assert "gap/accuracy_at_test_shares" in found.metrics


def test_rows_of_a_table_may_be_the_same_by_chance(tmp_path: Path) -> None:
    """Two columns of three values each, of independent examples."""
    rng = np.random.default_rng(0)
    inputs, labels = rng.integers(0, 3, (200, 2)), rng.integers(0, 2, 200)
    given = torch.tensor(inputs).float(), torch.tensor(labels)
    train, test = (taken(given, np.arange(start, start + 100)) for start in (0, 100))
    found = watched(tmp_path / "run", train, test)
    assert not any(TOLD in each for each in warnings_of(found))
    right = found.metrics["accuracy/test"]
    assert isinstance(right, Estimate)
    assert right.interval == wilson(round(right.value * 100), 100).interval
