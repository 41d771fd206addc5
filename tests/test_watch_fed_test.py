"""Loops that feed a watched network examples of the test set while they train it."""

import re
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


def rows_of(count: int, columns: int, kind: str, seed: int) -> Tensor:
    """Rows of a table (N, C): of standard normal numbers; with heavy tails; or of some columns that
    are thousands of times as large as others."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, columns, generator=generator)
    if kind == "heavy":
        x = (x + 2 * torch.randn(count, 1, generator=generator)).exp()
    if kind == "raw":
        x[:, 0], x[:, 1] = 2e5 + 1e5 * x[:, 0], (x[:, 1] > 0).float()
    return x


CHANGES: dict[str, Any] = {
    "noise": lambda x: x + 0.1 * x.std(dim=0) * torch.randn_like(x),
    "mixed": lambda x: 0.6 * x + 0.4 * x[torch.randperm(len(x))],
    "logarithms": lambda x: x.abs().log1p(),
    "nothing": lambda x: x,
}


def table_loop(
    out: Path, x: Tensor, unseen: Tensor, *, change: str, tested: bool = False
) -> Watcher:
    """A loop that feeds rows, changed, to a network that replaces missing numbers by 0."""

    class Imputing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Sequential(
                nn.BatchNorm1d(x.shape[1]), nn.Linear(x.shape[1], 16), nn.ReLU(), nn.Linear(16, 2)
            )

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x.nan_to_num(0.0))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    model = Imputing()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    y, labels = torch.arange(len(x)) % 2, torch.arange(len(unseen)) % 2
    fed, wanted = (torch.cat([x, unseen]), torch.cat([y, labels])) if tested else (x, y)
    with watch(
        model, train=(x, y), test=(unseen, labels), out=out, quiet=True, pictures=False, every=20
    ) as watcher:
        for step in range(60):
            chosen = torch.randint(0, len(fed), (32,))
            optimizer.zero_grad()
            found = model(CHANGES[change](fed[chosen]))
            cross_entropy(found, wanted[chosen]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher(step)
    return watcher


def counted(watcher: Watcher) -> tuple[int, int]:
    """How many inputs are said to have been seen, and to be examples of the test set."""
    words = " ".join(watcher.verdict.replace(",", "").split())
    found = re.search(r"Of (\d+) inputs that .* feed it (?:at least )?(\d+) are test", words)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("count", "columns", "kind", "outlier"),
    [
        (400, 20, "plain", "test"), (400, 20, "heavy", ""), (400, 8, "raw", ""),
        (100, 2, "plain", ""), (5000, 20, "plain", "test"), (5000, 20, "heavy", "train"),
    ],
)  # fmt: skip
def test_rows_that_come_near_to_others_are_none_of_the_test_set(
    count: int, columns: int, kind: str, outlier: str, change: str, tmp_path: Path
) -> None:
    """Whatever a loop does to the training rows, and though a number is far from all others."""
    x, unseen = rows_of(count, columns, kind, 0), rows_of(1000, columns, kind, 1)
    if outlier:
        {"train": x, "test": unseen}[outlier][5, 3] = 9999
    assert counted(table_loop(tmp_path / "run", x, unseen, change=change)) == (0, 0)


@pytest.mark.parametrize("spoiled", ["", "nan", "nan in all", "outlier"])
def test_rows_of_the_test_set_are_found_whatever_is_in_them(spoiled: str, tmp_path: Path) -> None:
    x, unseen = rows_of(300, 20, "plain", 0), rows_of(300, 20, "plain", 1)
    if spoiled == "nan in all":
        for each in (x, unseen):
            each[torch.rand(each.shape) < 0.1] = torch.nan
    elif spoiled:
        x[7, 2] = unseen[7, 2] = torch.nan if spoiled == "nan" else 1e5
    watcher = table_loop(tmp_path / "run", x, unseen, change="nothing", tested=True)
    rows, tested = counted(watcher)
    assert rows >= 100
    assert 0.35 < tested / rows < 0.65


@pytest.mark.parametrize("rounded", ["", "bfloat16", "float16", "bytes"])
def test_rounded_test_pictures_among_augmented_ones_are_counted(
    rounded: str, tmp_path: Path
) -> None:
    """A loop that moves each training picture, and not those of the test set, a fifth of all."""
    generator = torch.Generator().manual_seed(0)
    x, unseen = (torch.rand(count, 1, 8, 8, generator=generator) for count in (200, 100))
    y, labels = torch.arange(200) % 2, torch.arange(100) % 2
    kinds = {"bfloat16": torch.bfloat16, "float16": torch.float16}
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with watch(
        model, train=(x, y), test=(unseen, labels), out=tmp_path / "run", quiet=True,
        pictures=False, every=20,
    ) as watcher:  # fmt: skip
        for step in range(60):
            mine, theirs = torch.randint(0, 200, (32,)), torch.randint(0, 100, (8,))
            fed = torch.cat([x[mine].roll(int(torch.randint(1, 4, ())), 3), unseen[theirs]])
            if rounded in kinds:
                fed = fed.to(kinds[rounded]).float()
            elif rounded:
                fed = (fed * 255).round() / 255
            optimizer.zero_grad()
            found = cross_entropy(model(fed), torch.cat([y[mine], labels[theirs]]))
            found.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher(step)
    rows, tested = counted(watcher)
    assert rows >= 100
    assert 0.1 < tested / rows < 0.3


@pytest.mark.parametrize("columns", [3, 20])
@pytest.mark.parametrize("tested", [False, True])
def test_short_rows_of_large_sets_are_searched_exactly(
    tested: bool, columns: int, tmp_path: Path
) -> None:
    """Though only some of the training rows are known."""
    x, unseen = rows_of(5000, columns, "plain", 0), rows_of(2000, columns, "plain", 1)
    watcher = table_loop(tmp_path / "run", x, unseen, change="nothing", tested=tested)
    rows, found = counted(watcher)
    assert (found > 0) is tested
    assert not tested or 0.1 < found / rows < 0.5


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


@pytest.mark.parametrize("steps_there", [True, False])
def test_an_optimizer_that_also_steps_in_the_evaluation_is_told(
    steps_there: bool, tmp_path: Path
) -> None:
    """Where the phase is not asked for, in eval mode; backward passes alone, as for maps of what a
    network looks at, are no training."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    phases = {"train": DataLoader(TRAIN, 20, shuffle=True), "test": DataLoader(TEST, 20)}
    with watch(
        model, train=TRAIN, test=TEST, out=tmp_path / "run", quiet=True, every=10_000
    ) as watcher:
        for _ in range(40):
            for phase, loader in phases.items():
                model.train(phase == "train")
                for x, y in loader:
                    optimizer.zero_grad()
                    cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
                    if phase == "train" or steps_there:
                        optimizer.step()
                        watcher()
    assert told(watcher) is steps_there


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
