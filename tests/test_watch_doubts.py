"""`lab.watch`: what a loop or its data do without a word, and what is said about it."""

import io
import json
import re
from contextlib import redirect_stdout
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
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from lab import watch
from lab.watching import Watcher
from support.loops import network, pictures

TRAIN, TEST = pictures(40, 0), pictures(30, 1)


def watched(out: Path, *, seed: int = 1, model: nn.Module | None = None, **given: Any) -> Watcher:
    """A network that is measured and not trained, by a program that has drawn from `seed`."""
    model = model or network()
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
    (said,) = warnings_of(watched(tmp_path, train=twice, test=TEST))
    assert said.startswith("of 22 examples of train 2 are copies of earlier ones: intervals")


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


class Growing(Dataset[tuple[Tensor, int]]):
    """Of 40 pictures the first ones, with labels that can be changed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.images, self.labels = pictures(40, 0)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(self.labels[index])


def said_of(train: Any, inside: Any, out: Path, **given: Any) -> str:
    """What is printed of a block in which `inside` is called between two steps."""
    said = io.StringIO()
    given = {"train": train, "test": TEST, "pictures": False, **given}
    with redirect_stdout(said), watch(network(), **given, out=out / "run", every=1) as watcher:
        watcher()
        inside()
        watcher()
    return " ".join(said.getvalue().split())


def test_a_training_set_that_grows_in_the_loop_is_told(tmp_path: Path) -> None:
    own, indices = Growing(20), list(range(20))
    said = said_of(own, lambda: setattr(own, "count", 40), tmp_path / "own")
    assert said.count("train had 20 examples when the block began, and has 40 now") == 1
    subset = Subset(TensorDataset(*TRAIN), indices)
    said = said_of(subset, lambda: indices.extend(range(20, 30)), tmp_path / "subset")
    assert said.count("train had 20 examples when the block began, and has 30 now") == 1
    given = {"clean": TensorDataset(TRAIN[0][:30], TRAIN[1][:30])}
    said = said_of(subset, lambda: indices.pop(), tmp_path / "clean", **given)
    assert said.count("train had 30 examples when the block began, and has 29 now") == 1
    assert "when the block began" not in said_of(subset, lambda: None, tmp_path / "not")


def test_labels_that_are_changed_in_place_are_told(tmp_path: Path) -> None:
    y, own = TRAIN[1].clone(), Growing(40)
    said = said_of((TRAIN[0], y), lambda: y[:8].mul_(-1).add_(1), tmp_path / "tensors")
    assert said.count("of 40 labels of train that were read again 8 are others") == 1
    array = TRAIN[1].numpy().copy()
    said = said_of((TRAIN[0], array), lambda: array.fill(0), tmp_path / "arrays")
    assert said.count("of 40 labels of train that were read again 20 are others") == 1
    said = said_of(own, lambda: own.labels.fill_(1), tmp_path / "dataset")
    (changed,) = re.findall(r"of 32 labels of train that were read again (\d+) are others", said)
    assert 10 < int(changed) < 22
    for number, train in enumerate((Relabeled(0.5), Seldom(0.5), DataLoader(own), (TRAIN[0], y))):
        said = said_of(train, lambda: None, tmp_path / str(number))
        assert "are others than when" not in said


def test_examples_that_are_taken_several_times_are_told(tmp_path: Path) -> None:
    data = TensorDataset(*TRAIN)
    rare = torch.utils.data.Subset(data, [*range(40), *[1, 3, 5] * 4])
    (said,) = (
        each for each in warnings_of(watched(tmp_path, train=rare, test=TEST)) if "52" in each
    )
    assert said.startswith("train takes some examples several times: its 52 are 40 different ones")
    twice = ConcatDataset([data, Subset(data, range(20))])
    found = warnings_of(watched(tmp_path / "twice", train=twice, test=TEST))
    assert any("its 60 are 40 different ones" in each for each in found)
    halves = ConcatDataset([Subset(data, range(20)), Subset(data, range(20, 40))])
    equal = (TRAIN[0].repeat(2, 1, 1, 1), TRAIN[1].repeat(2))
    for number, train in enumerate((halves, equal, Growing(40))):
        found = warnings_of(watched(tmp_path / str(number), train=train, test=TEST))
        assert not any("several times" in each for each in found)


@pytest.mark.parametrize(
    ("sampler", "steps", "told"),
    [
        (lambda data: WeightedRandomSampler([1.0] * 40, 40), 5, "about 15 of its 40"),
        (lambda data: WeightedRandomSampler([0.0] * 20 + [1.0] * 20, 40), 5, "about 3 of its 20"),
        (lambda data: RandomSampler(data, replacement=True), 5, "about 15 of its 40"),
        (lambda data: RandomSampler(data, replacement=True), 25, ""),
        (lambda data: WeightedRandomSampler([1.0] * 40, 40, replacement=False), 5, ""),
        (lambda data: RandomSampler(data), 5, ""),
    ],
)
def test_examples_that_a_sampler_with_replacement_has_not_drawn_are_told(
    sampler: Any, steps: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = TensorDataset(*TRAIN)
    loader = DataLoader(data, batch_size=8, sampler=sampler(data))
    with watch(network(), train=loader, test=TEST, out=tmp_path / "run", pictures=False) as watcher:
        for _ in range(steps):
            watcher()
    said = capsys.readouterr().out
    assert ("draws with replacement" in said) == bool(told)
    assert told in said


def clusters(classes: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows that a linear network tells apart."""
    y = torch.arange(count) % classes
    generator = torch.Generator().manual_seed(seed)
    return torch.eye(classes)[y] + 0.1 * torch.randn(count, classes, generator=generator), y


def learned(
    out: Path, labels: Any, *, classes: int = 10, rate: float = 0.1, test: Any = None
) -> Watcher:
    """A linear network that is trained with a function of the labels."""
    torch.manual_seed(0)
    model = nn.Linear(classes, classes)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    x, y = clusters(classes, 200, 0)
    given: dict[str, Any] = {"train": (x, y), "test": test or clusters(classes, 100, 1)}
    with watch(model, **given, out=out, quiet=True, pictures=False, every=1000) as watcher:
        for _ in range(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), labels(y)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            watcher()
    return watcher


def test_coarser_labels_in_the_loop_are_told(tmp_path: Path) -> None:
    coarse = learned(tmp_path / "coarse", lambda y: y // 5)
    assert coarse.verdict.startswith("It gives nearly all training examples of a class one answer")
    for name, labels, rate in (
        ("same", lambda y: y, 0.1),
        ("one", torch.zeros_like, 0.1),
        ("random", lambda y: y[torch.randperm(len(y))], 0.1),
        ("diverged", lambda y: y, 1000.0),
        ("some wrong", lambda y: torch.where(torch.arange(len(y)) % 3 == 0, y // 5, y), 0.1),
    ):
        found = learned(tmp_path / name, labels, rate=rate)
        assert "other labels" not in found.verdict, name


def test_of_a_test_set_of_one_class_nothing_is_said_to_be_learned_or_not(tmp_path: Path) -> None:
    x, y = clusters(3, 300, 1)
    one = x[y == 1], y[y == 1]
    found = learned(tmp_path / "run", lambda y: y, classes=3, test=one)
    assert found.verdict.startswith(
        "What it learned cannot be told from test examples of one class"
    )
    assert "Test examples of all classes would tell." in found.verdict
    worse = learned(tmp_path / "nothing", torch.zeros_like, classes=3, test=one)
    assert worse.verdict.startswith("It has learned nothing that shows.")


class Named(TensorDataset):
    """Examples that know their classes."""

    classes = ("cat", "dog")


def test_outputs_that_are_more_than_the_classes_are_told(tmp_path: Path) -> None:
    for columns in (2, 8):
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, columns))
        for names in ((), [f"class {number}" for number in range(columns)]):
            given: dict[str, Any] = {"train": Named(*TRAIN), "test": Named(*TEST), "classes": names}
            with watch(
                model, **given, out=tmp_path / "run", again="new", quiet=True, pictures=False
            ) as watcher:
                pass
            told = [each for each in warnings_of(watcher) if "numbers for each example" in each]
            assert len(told) == (columns == 8 and not names)
            assert all("returns 8 numbers" in each and "has 2 classes" in each for each in told)


def test_outputs_that_are_more_than_the_labels_are_told_where_no_names_are_known(
    tmp_path: Path,
) -> None:
    """As of an embedding that is trained without labels, or the head of another task."""
    for columns, count, most, expected in (
        (2, 40, 2000, False),
        (3, 40, 2000, True),
        (3, 40, 20, False),  # a sample may lack a class
        (8, 40, 20, True),
    ):
        found = watched(
            tmp_path / f"{columns} {most}",
            model=nn.Sequential(nn.Flatten(), nn.Linear(64, columns)),
            train=pictures(count, 0),
            test=TEST,
            most=most,
        )
        said = [each for each in warnings_of(found) if "numbers for each example" in each]
        assert len(said) == expected, (columns, most)
        assert all("the labels are from 0 to 1:" in each for each in said)


def test_a_network_that_knew_the_test_examples_before_the_loop_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As in the second fold of a cross-validation that goes on with the network of the first."""
    x, y = clusters(3, 240, 0)
    x_test, y_test = clusters(3, 90, 1)
    model = nn.Linear(3, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

    def fold(name: str, steps: int) -> Watcher:
        sets = {"train": (x, y), "test": (x_test, y_test)}
        given: dict[str, Any] = {"out": tmp_path / name, "pictures": False}
        with watch(model, **sets, **given) as watcher:
            for _ in range(steps):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
                watcher()
        return watcher

    for name, steps, expected in (("first", 60, False), ("second", 5, True), ("asked", 0, False)):
        found = fold(name, steps)
        assert ("right before the first step" in capsys.readouterr().out) == expected, name
        assert found.verdict.startswith("Before the first step it got") == expected
        assert ("it has never seen" in found.verdict) == (not expected)
        summary = (tmp_path / name / "summary.json").read_text(encoding="utf-8")
        assert ('"test_before_training"' in summary) == expected


def test_a_folder_stays_where_it_is_when_the_loop_changes_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    for out in ("mine", None):
        model = network()
        watcher = watch(model, train=TRAIN, test=TEST, out=out, every=1, quiet=True)
        with watcher:
            monkeypatch.chdir(tmp_path / "other")
            watcher()
        assert watcher.folder is not None
        assert (watcher.folder / "summary.json").exists()
        assert not list((tmp_path / "other").iterdir())
        monkeypatch.chdir(tmp_path)
    assert (tmp_path / "mine" / "summary.json").exists()


def test_a_watcher_that_is_used_again_begins_at_step_0(tmp_path: Path) -> None:
    watcher = watch(
        network(), train=TRAIN, test=TEST, out=tmp_path / "run", again="new", every=1, quiet=True
    )
    for name in ("run", "run-2"):
        with watcher:
            watcher()
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [0, 1]


@pytest.mark.parametrize(("counts", "said"), [((30, 30, 30), False), ((70, 10, 10), True)])
def test_classes_are_told_as_uneven_among_those_that_there_are(
    counts: tuple[int, ...], said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever number of classes the head tells apart."""
    y = torch.arange(3).repeat_interleave(torch.tensor(counts))
    x = torch.randn(len(y), 12, generator=torch.Generator().manual_seed(0))
    with watch(nn.Linear(12, 10), train=(x, y), test=(x + 1, y), out=tmp_path, pictures=False):
        pass
    assert ("the classes are not equally frequent" in capsys.readouterr().out) is said


@pytest.mark.parametrize("outputs", [3, 1000])
def test_one_answer_to_all_is_no_telling_apart_whatever_the_head_could_tell(
    outputs: int, tmp_path: Path
) -> None:
    y = torch.arange(300) % 3
    x = torch.randn(300, 12, generator=torch.Generator().manual_seed(0))
    model = nn.Linear(12, outputs)
    with torch.no_grad():
        model.weight.zero_()
        model.bias.copy_(torch.eye(outputs)[1])
    with watch(model, train=(x, y), test=(x + 1, y), out=tmp_path, pictures=False) as watched:
        pass
    assert "tells the classes apart" not in " ".join(watched.verdict.split())


@pytest.mark.parametrize("kind", [torch.complex64, torch.float16, torch.bfloat16, torch.uint16])
def test_inputs_of_every_kind_are_compared(kind: torch.dtype, tmp_path: Path) -> None:
    x = (100 * torch.randn(220, 24, generator=torch.Generator().manual_seed(0)).abs()).to(kind)
    x[200:210] = x[:10]
    y = torch.arange(220) % 2
    model = nn.Linear(24, 2)
    with watch(
        model, train=(x[:200], y[:200]), test=(x[200:], y[200:]), out=tmp_path, quiet=True,
        forward=lambda model, x: model(x.abs().float() if x.is_complex() else x.float()),
        pictures=False,
    ) as watched:  # fmt: skip
        pass
    verdict = " ".join(watched.verdict.split())
    assert "test examples it studied 10" in verdict or "10 of the 20 test examples are" in verdict


@pytest.mark.parametrize("size", [8, 12])
def test_test_inputs_of_another_size_are_told(size: int, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    x, unseen = (torch.rand(40, 3, each, each, generator=generator) for each in (8, size))
    y = torch.arange(40) % 2
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    with watch(
        model, train=(x, y), test=(unseen, y), out=tmp_path / "run", quiet=True
    ) as watched:  # with its pictures, and the projector's
        pass
    line = "the inputs of test are of the shape (3, 12, 12), and those of train of (3, 8, 8)"
    assert any(each.startswith(line) for each in warnings_of(watched)) is (size == 12)
    verdict = " ".join(watched.verdict.split())
    assert ("are of another shape than those of its training" in verdict) is (size == 12)


def measured_on(x: Tensor, unseen: Tensor, out: Path) -> tuple[list[str], str]:
    """The warnings about a training and a test set of rows, and the verdict."""
    y = torch.arange(len(x)) % 2
    with watch(
        nn.Linear(x.shape[1], 2), train=(x, y), test=(unseen, y), out=out, quiet=True,
        pictures=False,
    ) as watched:  # fmt: skip
        pass
    return warnings_of(watched), " ".join(watched.verdict.split())


@pytest.mark.parametrize("tails", [False, True])
@pytest.mark.parametrize("raw", [False, True])
def test_one_column_of_another_scale_is_told(raw: bool, tails: bool, tmp_path: Path) -> None:
    """As an amount that was standardized in one of the sets only, among many that are."""
    generator = torch.Generator().manual_seed(0)
    x, unseen = (torch.randn(200, 20, generator=generator) for _ in range(2))
    if tails:
        x[:, 12], unseen[:, 12] = (2 * x[:, 12]).exp(), (2 * unseen[:, 12]).exp()
    if raw:
        unseen[:, 12] = 5000 * unseen[:, 12] if tails else 100 + 20 * unseen[:, 12]
    warnings, verdict = measured_on(x, unseen, tmp_path / "run")
    said = [line for line in warnings if "the inputs of test go" in line]
    assert len(said) == raw
    assert tails or not raw or said[0].startswith("number 12 of the inputs of test goes from")
    assert ("are of another scale" in verdict) is raw


@pytest.mark.parametrize("filled", [False, True])
def test_a_column_that_one_set_lacks_is_told(filled: bool, tmp_path: Path) -> None:
    """As at another hospital, which does not record it: its mean stands there."""
    generator = torch.Generator().manual_seed(0)
    x, unseen = (torch.randn(200, 20, generator=generator) for _ in range(2))
    if filled:
        unseen[:, 12] = x[:, 12].mean()
    warnings, verdict = measured_on(x, unseen, tmp_path / "run")
    said = [line for line in warnings if "filled in one set" in line]
    assert len(said) == filled
    assert ("where missing numbers were filled" in verdict) is filled
    if filled:
        told = f"number 12 of the inputs of test is {x[:, 12].mean():.4g} in 100 % of the examples"
        assert said[0].startswith(told)
        assert "and of train in 0 %:" in said[0]


def test_padded_batches_are_of_no_other_shape(tmp_path: Path) -> None:
    """Sentences whose longest ones differ between the sets, each of which fits into a batch."""

    def padded(batch: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
        words = nn.utils.rnn.pad_sequence([each for each, _ in batch], batch_first=True)
        return words, torch.tensor([label for _, label in batch])

    sets = {}
    for name, longest in (("train", 12), ("test", 10)):
        rows = [(torch.ones(3 + k % longest, dtype=torch.long), k % 2) for k in range(30)]
        sets[name] = DataLoader(rows, batch_size=64, collate_fn=padded)  # type: ignore[arg-type]
    model = nn.Sequential(
        nn.Embedding(5, 4), nn.AdaptiveAvgPool2d((1, 4)), nn.Flatten(), nn.Linear(4, 2)
    )
    with watch(model, **sets, out=tmp_path / "run", quiet=True, pictures=False) as watched:
        pass
    assert not any("are of the shape" in line for line in warnings_of(watched))


@pytest.mark.parametrize("change", ["nothing", "jitter", "dropout", "one class first"])
def test_columns_of_ordinary_loops_are_of_one_scale(change: str, tmp_path: Path) -> None:
    """Binary, sparse, bimodal and heavy-tailed ones, of which a loop may show one class first."""
    generator = torch.Generator().manual_seed(0)
    told = []
    for seed in range(3):
        u, z = (torch.rand(300, 24, generator=generator), torch.randn(300, 24, generator=generator))
        y = torch.arange(300) * 2 // 300
        x = z.clone()
        x[:, :4], x[:, 4:8] = (u[:, :4] < 0.2).float(), (u[:, 4:8] < 0.3) * (2 * z[:, 4:8]).exp()
        x[:, 8:12], x[:, 12:16] = (
            (u[:, 8:12] < 0.25) * 10 + 0.3 * z[:, 8:12],
            (2 * z[:, 12:16]).exp(),
        )
        x[:, 16] = 0.1 * z[:, 16] + 3 * y  # each class has its own
        x[:, 17] = torch.where(y == 0, 1 + 0.05 * z[:, 17], 5 + z[:, 17])
        model = nn.Linear(24, 2)
        optimizer = torch.optim.SGD(model.parameters(), 0.001)
        with watch(
            model, train=(x[::2], y[::2]), test=(x[1::2], y[1::2]), out=tmp_path / f"{seed}",
            quiet=True, pictures=False, every=5,
        ) as watched:  # fmt: skip
            for step in range(20):
                chosen = torch.randint(0, 150, (32,), generator=generator)
                if change == "one class first":
                    chosen = torch.arange(32 * (step % 4), 32 * (step % 4) + 32)
                fed = x[::2][chosen]
                if change == "jitter":
                    fed = fed + 0.05 * fed.std(dim=0) * torch.randn(32, 24, generator=generator)
                if change == "dropout":
                    fed = fed * (torch.rand(32, 24, generator=generator) < 0.7)
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(fed), y[::2][chosen]).backward()
                optimizer.step()
                watched(step)
        told += [line for line in warnings_of(watched) if "number " in line]
        assert "of another scale" not in " ".join(watched.verdict.split())
    assert not told


@pytest.mark.parametrize("other", [0, 8, 4])
def test_studied_examples_with_other_labels_are_told_to_make_figures_too_bad(
    other: int, tmp_path: Path
) -> None:
    """A network that knows them answers with the training label."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 24, generator=generator)
    y, labels = torch.arange(60) % 2, torch.arange(20) % 2
    labels[:other] = 1 - labels[:other]
    unseen = torch.cat([x[:8], torch.randn(12, 24, generator=generator)])
    with watch(
        nn.Linear(24, 2), train=(x, y), test=(unseen, labels), out=tmp_path / "run", quiet=True,
        pictures=False,
    ) as watched:  # fmt: skip
        pass
    said = " ".join([*warnings_of(watched), *watched.verdict.split()])
    off = {
        0: "too good",
        8: "too bad as far as the network goes by them, as they",
        4: "too good, or too bad where they",
    }[other]
    assert f"what is said of the test set is {off}" in said
    assert f"what follows about the test set is {off}" in said


@pytest.mark.parametrize("other", [0, 60, 30])
def test_rows_that_are_the_same_by_chance_or_not_make_figures_too_bad_with_other_labels(
    other: int, tmp_path: Path
) -> None:
    """Of a questionnaire, some of which a second rater has judged."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(1, 6, (768, 20), generator=generator).float()
    y = torch.randint(2, (768,), generator=generator)
    x[576:636], y[576:636] = x[:60], y[:60]
    y[576 : 576 + other] = 1 - y[576 : 576 + other]
    with watch(
        nn.Linear(20, 2), train=(x[:576], y[:576]), test=(x[576:], y[576:]), out=tmp_path / "run",
        quiet=True, pictures=False,
    ) as watched:  # fmt: skip
        pass
    said = " ".join([*warnings_of(watched), *watched.verdict.split()])
    off = {
        0: "too good",
        60: "too bad as far as the network goes by them, as they",
        30: "too good, or too bad where they",
    }[other]
    assert f"were divided, what is said of the test set is {off}" in said
    assert f"were divided, what follows about the test set is {off}" in said


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_test_set_that_is_normalized_otherwise_is_told(forgotten: bool, tmp_path: Path) -> None:
    """Where Normalize((0.5,), (0.5,)) stands in one of two transforms."""
    (x, y), (unseen, labels) = pictures(60, 0), pictures(60, 1)
    given = {"train": (2 * x - 1, y), "test": (unseen if forgotten else 2 * unseen - 1, labels)}
    said = watched(tmp_path, **given)
    line = "if that is no difference of what they show, scale or normalize both alike"
    assert any(each.endswith(line) for each in warnings_of(said)) is forgotten
    verdict = " ".join(said.verdict.split())
    assert ("The inputs of its test pictures are of another scale" in verdict) is forgotten


def test_a_narrower_column_of_the_test_set_is_told(tmp_path: Path) -> None:
    """As of counts that were divided by a thousand there."""
    generator = torch.Generator().manual_seed(0)
    x, unseen = (torch.randn(200, 20, generator=generator) for _ in range(2))
    for each in (x, unseen):
        each[:, 5] = 100 * torch.poisson(2 + 0 * each[:, 5], generator=generator)
    unseen[:, 5] /= 1000
    y = torch.arange(200) % 2
    with watch(
        nn.Linear(20, 2), train=(x, y), test=(unseen, y), out=tmp_path / "run", quiet=True,
        pictures=False,
    ) as watched:  # fmt: skip
        pass
    assert any("the inputs of test go" in line for line in warnings_of(watched))
