"""`lab.watch`: what a loop or its data do without a word, and what is said about it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from lab import watch
from lab.watching import Watcher
from support.loops import network, pictures

TRAIN, TEST = pictures(40, 0), pictures(30, 1)


def watched(out: Path, *, seed: int = 1, **given: Any) -> Watcher:
    """A network that is measured and not trained, by a program that has drawn from `seed`."""
    model = network()
    torch.manual_seed(seed)
    with watch(model, pictures=False, quiet=True, out=out / "run", **given) as watcher:
        pass
    return watcher


def warnings_of(watcher: Watcher) -> list[str]:
    """What was doubtful, as the run's folder has it."""
    assert watcher.folder is not None
    told = json.loads((watcher.folder / "config.json").read_text())
    return list(told["watched"]["warnings"])


class Seldom(Dataset[tuple[Tensor, int]]):
    """Pictures of which a share `chance` is mirrored each time that they are read."""

    def __init__(self, chance: float, *, own: int | None = None) -> None:
        self.images, self.labels = pictures(400, 0)
        self.chance = chance
        self.own = None if own is None else np.random.default_rng(own)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        draw = self.own.random() if self.own else float(torch.rand(()))
        image = self.images[index]
        return image.flip(-1) if draw < self.chance else image, int(self.labels[index])


@pytest.mark.parametrize("own", [False, True], ids=["torch's generator", "one of its own"])
def test_augmentation_of_few_examples_is_found(own: bool, tmp_path: Path) -> None:
    """One in 50: among the 16 examples that are always read twice it is seen in one of two runs."""
    for seed in range(5):
        data = Seldom(0.02, own=seed if own else None)
        said = warnings_of(watched(tmp_path / str(seed), seed=seed, train=data, test=TEST))
        assert sum("train gives other inputs each time" in each for each in said) == 1, seed


def test_random_numbers_that_change_nothing_are_told_as_what_they_are(tmp_path: Path) -> None:
    (said,) = warnings_of(watched(tmp_path, train=Seldom(0.0), test=TEST))
    assert said.startswith("train draws random numbers when it is read, and 256 of its examples")
    assert not warnings_of(watched(tmp_path / "plain", train=TensorDataset(*TRAIN), test=TEST))


@pytest.mark.parametrize(
    "sampler",
    [
        lambda data: RandomSampler(data, num_samples=10),
        lambda data: WeightedRandomSampler([1.0] * len(data), 10),
    ],
)
def test_an_epoch_of_a_part_of_the_examples_is_told(sampler: Any, tmp_path: Path) -> None:
    data = TensorDataset(*TRAIN)
    loader = DataLoader(data, batch_size=5, sampler=sampler(data))
    watcher = watched(tmp_path, train=loader, test=DataLoader(data, sampler=sampler(data)))
    (said,) = (each for each in warnings_of(watcher) if "epoch" in each)
    assert "train is a loader that draws 10 of 40 examples in each epoch" in said
    assert watcher.metrics["accuracy/train"].count == 40  # type: ignore[union-attr]
    whole = DataLoader(data, sampler=RandomSampler(data, num_samples=40))
    assert not any(
        "epoch" in each for each in warnings_of(watched(tmp_path / "whole", train=whole, test=TEST))
    )


class SameMemory(Dataset[Any]):
    """Examples that are all given in one buffer, of torch or NumPy, in a tuple or a dictionary."""

    def __init__(self, examples: tuple[Tensor, Tensor], kind: str) -> None:
        self.images, self.labels = examples
        self.kind = kind
        self.buffer = torch.empty(self.images.shape[1:])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Any:
        self.buffer.copy_(self.images[index])
        label = int(self.labels[index])
        if self.kind == "dictionary":
            return {"x": self.buffer, "labels": label}
        return self.buffer.numpy() if self.kind == "numpy" else self.buffer, label


@pytest.mark.parametrize("kind", ["torch", "numpy", "dictionary"])
def test_examples_in_the_same_memory_are_measured_one_by_one(kind: str, tmp_path: Path) -> None:
    given = {name: SameMemory(each, kind) for name, each in (("train", TRAIN), ("test", TEST))}
    found = watched(tmp_path, **given)
    plain = watched(tmp_path / "plain", train=TRAIN, test=TEST)
    assert found.metrics == plain.metrics
    said = warnings_of(found)
    assert sum("gives all examples in the same memory" in each for each in said) == 2
    assert not warnings_of(plain)


def test_an_example_that_is_in_a_set_twice_is_no_shared_memory(tmp_path: Path) -> None:
    data = TensorDataset(*TRAIN)
    twice = torch.utils.data.Subset(data, [3, *range(20), 3])
    assert not warnings_of(watched(tmp_path, train=twice, test=TEST))


@pytest.mark.parametrize("classes", [2, 5])
def test_labels_that_the_loop_changes_are_told(classes: int, tmp_path: Path) -> None:
    """A loop that numbers the classes otherwise, and one that does not."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(100) % classes
    x = torch.eye(classes)[y] + 0.1 * torch.randn(100, classes, generator=generator)

    def trained(out: Path, shift: int, steps: int = 60) -> Watcher:
        torch.manual_seed(0)
        model = nn.Linear(classes, classes)
        with torch.no_grad():
            model.weight.copy_(-torch.eye(classes))  # at first all answers are wrong
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        given = {"train": (x[:60], y[:60]), "test": (x[60:], y[60:])}
        with watch(model, **given, out=out, quiet=True, every=1000) as watcher:
            for _ in range(steps):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x[:60]), (y[:60] + shift) % classes)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                watcher()
        return watcher

    other = trained(tmp_path / "other", 1)
    assert other.metrics["accuracy/train"].value == 0  # type: ignore[union-attr]
    assert other.verdict.startswith("It gets fewer of its training examples right")
    assert "other labels" in other.verdict
    assert "Try" not in other.verdict
    few = trained(tmp_path / "few", 0, steps=1)
    assert "other labels" not in few.verdict
    same = trained(tmp_path / "same", 0)
    assert same.metrics["accuracy/train"].value == 1  # type: ignore[union-attr]
    assert "other labels" not in same.verdict


class Folder(TensorDataset):
    """Examples that know their classes and have a transform, as torchvision's."""

    def __init__(self, examples: tuple[Tensor, Tensor], classes: list[str]) -> None:
        super().__init__(*examples)
        self.classes = classes
        self.transform: Any = lambda x: x + torch.randn_like(x)

    def __getitem__(self, index: Any) -> Any:
        x, y = super().__getitem__(index)
        return self.transform(x), y


def test_datasets_that_are_put_together_have_their_classes_and_another_transform(
    tmp_path: Path,
) -> None:
    parts = [Folder((TRAIN[0][k::2], TRAIN[1][k::2]), ["cat", "dog"]) for k in (0, 1)]
    some = list(range(4, 36))
    train = torch.utils.data.Subset(ConcatDataset(parts), some)
    found = watched(tmp_path, train=train, test=TEST, clean=lambda x: x)
    assert not warnings_of(found)
    assert "subpopulation_accuracy/dog" in found.metrics
    order = torch.tensor([*range(0, 40, 2), *range(1, 40, 2)])[some]
    plain = watched(tmp_path / "plain", train=(TRAIN[0][order], TRAIN[1][order]), test=TEST)
    assert found.metrics["loss/train"] == plain.metrics["loss/train"]

    parts[1].classes = ["dog", "cat"]
    (said,) = warnings_of(watched(tmp_path / "b", train=train, test=TEST, clean=lambda x: x))
    assert "cat, dog and dog, cat" in said
    named = {"clean": lambda x: x, "classes": ["a", "b"]}
    assert not warnings_of(watched(tmp_path / "c", train=train, test=TEST, **named))


def test_a_model_that_broke_is_not_said_to_have_other_labels(tmp_path: Path) -> None:
    model = network()
    with watch(model, train=TRAIN, test=TEST, out=tmp_path / "run", quiet=True) as watcher:
        for weight in model.parameters():
            weight.data.fill_(float("nan"))
        watcher()
    assert watcher.verdict.startswith("It broke")


@pytest.mark.parametrize(("steps", "told"), [(1, True), (4, True), (5, False), (0, False)])
def test_a_loop_that_ends_before_it_has_shown_all_examples_is_told(
    steps: int, told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = TensorDataset(*TRAIN)
    loader = DataLoader(data, batch_size=8, shuffle=True)
    if steps % 2:
        loader = DataLoader(data, batch_sampler=BatchSampler(RandomSampler(data), 8, False))
    given = {"train": loader, "test": TEST, "out": tmp_path / "run"}
    with watch(network(), **given, pictures=False) as watcher:
        for _ in range(steps):
            watcher()
    said = " ".join(capsys.readouterr().out.split())
    assert (f"go through {8 * steps} of the 40 training examples" in said) == told


class Relabeled(Seldom):
    """Examples whose labels, and no inputs, are drawn anew each time that they are read."""

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(torch.rand(()) < 0.5)


def test_labels_that_are_drawn_anew_are_told(tmp_path: Path) -> None:
    (said,) = warnings_of(watched(tmp_path, train=Relabeled(0.5), test=TEST))
    assert said.startswith("train gives other labels each time that it is read, and one draw")


@pytest.mark.parametrize("classes", [(), ("a", "b", "c", "d", "e")])
def test_a_network_that_gets_its_shapes_in_the_loop_may_have_more_columns(
    classes: tuple[str, ...], tmp_path: Path
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(5))
    with watch(
        model, train=TRAIN, test=TEST, out=tmp_path / "run", quiet=True, classes=classes
    ) as watcher:
        model(TRAIN[0])
        model[1].bias.data[4] = 100.0  # type: ignore[operator, union-attr, index]
        watcher()
    assert watcher.metrics["accuracy/test"].value == 0  # type: ignore[union-attr]


def test_a_watcher_that_is_used_again_begins_at_step_0(tmp_path: Path) -> None:
    watcher = watch(
        network(), train=TRAIN, test=TEST, out=tmp_path / "run", again="new", every=1, quiet=True
    )
    for name in ("run", "run-2"):
        with watcher:
            watcher()
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [0, 1]
