"""Datasets that change, or keep, something when they are read, and what networks return of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset

from lab import watch

Example = tuple[Tensor, int]


class Own(Dataset[Example]):
    """Examples of 12 numbers, of which each is read by `change` of its row."""

    def __init__(self, change: Callable[[Any], Any], stored: Any) -> None:
        self.change, self.stored = change, stored

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, index: int) -> Example:
        x = self.change(self.stored[index])
        return torch.as_tensor(x), index % 2


def divided(x: Any) -> Any:
    x /= 255
    return x


def centered(x: Any) -> Any:
    x -= x.mean()
    x /= x.std()
    return x


def numbers(seed: int) -> Tensor:
    return 255 * torch.rand(40, 12, generator=torch.Generator().manual_seed(seed))


KINDS: dict[str, Callable[[Tensor], Any]] = {
    "tensor": torch.clone,
    "array": lambda x: x.numpy().copy(),
    "list": lambda x: [each.numpy().copy() for each in x],
}


def watched(train: Any, test: Any, out: Path) -> str:
    """What is said of sets that are measured once."""
    model = nn.Linear(12, 2)
    with watch(model, train=train, test=test, out=out, quiet=True, pictures=False) as found:
        pass
    return " ".join(found.verdict.split())


@pytest.mark.parametrize("change", [divided, centered])
@pytest.mark.parametrize("kind", KINDS)
def test_datasets_that_change_what_they_store_are_refused(
    kind: str, change: Callable[[Any], Any], tmp_path: Path
) -> None:
    """With workers of a loader only their copies change, and what is measured would be others."""
    own, sound = Own(change, KINDS[kind](numbers(0))), Own(lambda x: x / 255, numbers(1))
    for train in (own, Subset(own, range(1, 30)), ConcatDataset([sound, own])):
        with pytest.raises(
            ValueError, match="train: its dataset changes what it stores in 'stored'"
        ):
            watched(DataLoader(train, 5, num_workers=2), sound, tmp_path / "run")
    with pytest.raises(ValueError, match="test: its dataset changes what it stores in 'stored'"):
        watched(sound, own, tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Samples(Own):
    """Examples that are written back into the dictionary or list that they are kept in."""

    def __init__(self, kind: type, x: Tensor) -> None:
        super().__init__(lambda x: x, [kind({"x": each}) if kind is dict else [each] for each in x])
        self.place: Any = "x" if kind is dict else 0

    def __getitem__(self, index: int) -> Example:
        one = self.stored[index]
        one[self.place] = (one[self.place] - 100) / 50
        return one[self.place], index % 2


@pytest.mark.parametrize("kind", [dict, list])
def test_samples_that_are_written_back_are_refused(kind: type, tmp_path: Path) -> None:
    train = Samples(kind, numbers(0))
    with pytest.raises(ValueError, match="train: its dataset changes what it stores in 'stored'"):
        watched(train, Own(torch.clone, numbers(1)), tmp_path / "run")


class Keeping(Own):
    """Examples that are computed when they are first read, and kept."""

    def __init__(self, x: Tensor) -> None:
        super().__init__(lambda x: x, x)
        self.kept = torch.zeros_like(x)
        self.known: list[bool] = [False] * len(x)
        self.table: dict[int, float] | None = None

    def __getitem__(self, index: int) -> Example:
        if not self.known[index]:
            self.kept[index], self.known[index] = self.stored[index] / 255, True
        if self.table is None:
            self.table = {0: 1.0}
        return self.kept[index], index % 2


def test_datasets_that_keep_examples_or_augment_them_are_not_refused(tmp_path: Path) -> None:
    keeping = Keeping(numbers(0))
    watched(keeping, Keeping(numbers(1)), tmp_path / "kept")
    assert all(keeping.known)
    assert keeping.table == {0: 1.0}
    noisy = Own(lambda x: x + torch.randn(12), numbers(0))
    assert "random augmentation" in watched(noisy, Own(torch.clone, numbers(1)), tmp_path / "noisy")


class Opening(Own):
    """Examples in a file that is opened when one is first read, as each worker of a loader does."""

    def __init__(self, path: Path, seed: int) -> None:
        x = numbers(seed)
        super().__init__(torch.clone, x)
        x.numpy().tofile(path)
        self.path, self.file = path, None

    def __getitem__(self, index: int) -> Example:
        if self.file is None:
            self.file = self.path.open("rb")
        if not hasattr(self, "other"):
            self.other = self.path.open("rb")
        self.file.seek(48 * index)
        return torch.tensor(np.frombuffer(self.file.read(48), np.float32).copy()), index % 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of unclosed files
def test_files_that_are_opened_to_measure_are_not_left_open(tmp_path: Path) -> None:
    """Workers of the loop's own loader would share their position, and read other examples."""
    train, test = (Opening(tmp_path / f"{seed}.bin", seed) for seed in (0, 1))
    own = Opening(tmp_path / "own.bin", 2)
    own[0]
    opened = own.file
    model = nn.Linear(12, 2)
    loader = DataLoader(ConcatDataset([Subset(train, range(30)), own]), 5)
    with watch(model, train=loader, test=test, out=tmp_path / "run", quiet=True) as found:
        assert (train.file, test.file) == (None, None)
        assert not hasattr(train, "other")
        for _ in range(3):
            found()
            assert (train.file, test.file) == (None, None)
    assert own.file is opened
    assert opened is not None
    assert not opened.closed
    opened.close()
    own.other.close()


POOLED: dict[str, Callable[[Tensor], Tensor]] = {
    "noisy or": lambda p: 1 - (1 - 0.9 * p).prod(dim=1),
    "linear": lambda p: (p * p).sum(dim=1) / p.sum(dim=1),
}


class Pooled(nn.Module):
    """Probabilities of three classes for four parts of an example, made one."""

    def __init__(self, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.of_part, self.pool = nn.Linear(3, 3), pool

    def forward(self, x: Tensor) -> Tensor:
        return self.pool((self.of_part(x.reshape(len(x), 4, 3)) / 100).sigmoid())


@pytest.mark.parametrize("pool", POOLED)
def test_several_numbers_from_0_to_1_may_be_probabilities(pool: str, tmp_path: Path) -> None:
    """Which the last operation does not say."""
    model, y = Pooled(POOLED[pool]), torch.arange(40) % 3
    given: dict[str, Any] = {"train": (numbers(0), y), "test": (numbers(1), y), "quiet": True}
    with pytest.raises(ValueError, match="returns 3 numbers from 0 to 1 for each of 80 examples"):
        watch(model, **given, out=tmp_path / "run").__enter__()
    for said in ("probabilities", "logits"):
        with watch(model, **given, out=tmp_path / said, outputs=said) as found:
            pass
        assert "accuracy/train" in found.metrics


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("kind", ["tensors", "dataset", "file"])
def test_training_inputs_that_the_loop_changes_in_place_are_told(
    kind: str, in_place: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by noise that is added to a part of the training tensor, epoch by epoch."""
    x, y = numbers(0) / 255, torch.arange(40) % 2
    train: Any = (x, y) if kind == "tensors" else TensorDataset(x, y)
    if kind == "file":
        train = Own(lambda row: row + 0.0, x)
    model = nn.Linear(12, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    test = numbers(1) / 255, y
    with watch(model, train=train, test=test, out=tmp_path / "run", pictures=False) as found:
        for step in range(20):
            some = slice(10 * (step % 4), 10 * (step % 4) + 10)
            batch = x[some] if in_place else x[some].clone()
            batch += 0.1 * torch.randn(batch.shape)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch), y[some]).backward()
            optimizer.step()
            found()
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("Does the loop change them in place") == in_place
