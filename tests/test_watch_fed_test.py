"""Loops that feed a watched network examples of the test set while they train it."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, DataLoader, Dataset, TensorDataset, random_split

from lab import watch
from lab.watching import Watcher


def noise(count: int) -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 1, 6, 6, generator=generator)
    return TensorDataset(x, torch.randint(0, 2, (count,), generator=generator))


WHOLE = noise(200)
TRAIN, TEST = random_split(WHOLE, [120, 80], torch.Generator().manual_seed(1))


def batches(
    data: Dataset[Any], steps: int, *, shuffle: bool = True
) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(2)
    while True:
        for batch in DataLoader(data, 20, shuffle=shuffle, generator=generator):
            if not steps:
                return
            steps -= 1
            yield batch


def trained(
    out: Path,
    data: Dataset[Any],
    *,
    steps: int = 40,
    shuffle: bool = True,
    then: tuple[Dataset[Any], int] = (TRAIN, 0),
    **given: Any,
) -> Watcher:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    sets = {"train": TRAIN, "test": TEST} | given
    with watch(model, **sets, out=out / "run", quiet=True) as watcher:
        for x, y in chain(batches(data, steps, shuffle=shuffle), batches(*then)):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    return watcher


def told(watcher: Watcher) -> bool:
    verdict = " ".join(watcher.verdict.split())
    found = "are test pictures, and no training ones: if it learned from them" in verdict
    assert found is ("it has never seen" not in verdict)
    return found


@pytest.mark.parametrize("data", [WHOLE, TEST], ids=["the whole dataset", "the test set"])
def test_a_loop_over_test_examples_is_told(data: Dataset[Any], tmp_path: Path) -> None:
    assert told(trained(tmp_path, data))


def test_another_split_than_the_loops_is_told(tmp_path: Path) -> None:
    theirs, _ = random_split(WHOLE, [120, 80], torch.Generator().manual_seed(7))
    assert told(trained(tmp_path, theirs))


def test_the_share_that_is_told_is_that_of_the_loop(tmp_path: Path) -> None:
    """Of the whole dataset two fifths are test examples."""
    watcher = trained(tmp_path, WHOLE, steps=200)
    words = watcher.verdict.split()
    rows, tested = (
        int(words[words.index(w) - k].replace(",", "")) for w, k in (("inputs", 1), ("test", 2))
    )
    assert rows >= 100
    assert abs(tested / rows - 0.4) < 0.15


def test_a_loop_over_the_training_set_is_not(tmp_path: Path) -> None:
    assert not told(trained(tmp_path, TRAIN, steps=200))


@pytest.mark.parametrize(("before", "after"), [(100, 12), (400, 30), (900, 150)])
def test_a_loop_that_ends_with_test_examples_is_told(
    before: int, after: int, tmp_path: Path
) -> None:
    """As where the last epochs are on all data, or batch normalization is adapted to the test
    set."""
    assert told(trained(tmp_path, TRAIN, steps=before, then=(WHOLE, after)))


def test_so_is_one_of_which_every_other_epoch_is_on_the_test_set(tmp_path: Path) -> None:
    both = ConcatDataset([TRAIN, TEST])
    assert told(trained(tmp_path, both, steps=400, shuffle=False))


@pytest.mark.parametrize("first", [True, False])
def test_a_second_call_in_each_step_is_looked_at_too(first: bool, tmp_path: Path) -> None:
    """As with domain adaptation: labeled training examples and test examples, each in a call."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    sets = (TRAIN, TEST) if first else (TEST, TRAIN)
    given = {"train": TRAIN, "test": TEST, "out": tmp_path / "run"}
    with watch(model, **given, quiet=True) as watcher:
        for pair in zip(batches(sets[0], 120), batches(sets[1], 120), strict=True):
            optimizer.zero_grad()
            sum(cross_entropy(model(x), y) for x, y in pair).backward()  # type: ignore[union-attr]
            optimizer.step()
            watcher()
    assert told(watcher)
    words = watcher.verdict.split()
    rows, tested = (
        int(words[words.index(w) - k].replace(",", "")) for w, k in (("inputs", 1), ("test", 2))
    )
    assert 0.3 < tested / rows < 0.7


def test_sets_that_share_examples_are_told_of_that_alone(tmp_path: Path) -> None:
    """The loop goes through the training set, which some test examples are in."""
    watcher = trained(tmp_path, WHOLE, train=WHOLE)
    assert "it studied 80" in " ".join(watcher.verdict.split())
    assert "inputs that the loop was seen to feed it" not in watcher.verdict


def test_measuring_the_test_set_in_the_loop_is_not(tmp_path: Path) -> None:
    """In eval mode, or without gradients in any mode."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    x = WHOLE.tensors[0][TEST.indices]
    with watch(model, train=TRAIN, test=TEST, out=tmp_path / "run", quiet=True) as watcher:
        for number, (a, b) in enumerate(batches(TRAIN, 40)):
            with torch.set_grad_enabled(bool(number % 2)):
                (model.eval() if number % 2 else model)(x)
            model.train()
            optimizer.zero_grad()
            cross_entropy(model(a), b).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    assert not told(watcher)
