"""`lab.watch` counts the examples that are in both sets: by their bits, or by their number in one
dataset, however that is wrapped; and it counts no others."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset

from lab import watch
from lab.watching.sets import MeasuredSet, shared
from lab.watching.sources import Source
from support.loops import pictures

X, Y = pictures(40, 0)
OTHERS = TensorDataset(*pictures(20, 1))
EVEN, ODD = range(0, 40, 2), range(1, 40, 2)


class Drawn(Dataset[Any]):
    """Examples of `ids` among all, which it keeps whole."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = list(ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Any:
        return X[self.ids[index]], int(Y[self.ids[index]])


class KeepsAll(Drawn):
    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__(ids)
        self.data = X


class KeepsRows(Drawn):
    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__(ids)
        self.samples = [(f"{i}.png", int(Y[i])) for i in range(len(Y))]


class KeepsTensors(Drawn):
    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__(ids)
        self.tensors = X, Y


class KeepsAPath(Drawn):
    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__(ids)
        self.data = "/data/birds"


class HasAName(Drawn):
    data = "cifar10"


class Folds(Drawn):
    """As many examples as it keeps: each of `ids` twice."""

    def __init__(self, ids: Sequence[int]) -> None:
        super().__init__([*ids, *ids])
        self.data = X


class Around(Dataset[Any]):
    """Another dataset with a transform that draws."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def number(self, index: int) -> int:
        return index

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        x, y = self.dataset[self.number(index)]
        return x + torch.rand(()), y


class Bootstrap(Around):
    """As many examples as another dataset has, drawn with repetitions, each from its class."""

    def __init__(self, dataset: Any, ids: Sequence[int]) -> None:
        super().__init__(dataset)
        self.ids = [ids[i % len(ids)] for i in range(len(dataset))]

    def number(self, index: int) -> int:
        return self.ids[index]


class Part(Around):
    """A subset as many programs write it."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        super().__init__(dataset)
        self.indices = np.array(indices)

    def number(self, index: int) -> int:
        return int(self.indices[index])

    def __len__(self) -> int:
        return len(self.indices)


class OwnNames(Dataset[Any]):
    """A part of another dataset, in attributes that are called as its writer likes, with a dataset
    of backgrounds or without."""

    def __init__(self, base: Any, rows: Any, background: Any = None) -> None:
        self.base, self.rows, self.background = base, rows, background

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        x, y = self.base[int(self.rows[index])]
        return x + torch.rand(()), y


class Windows(Dataset[Any]):
    """Two windows of each recording; or some that begin anywhere."""

    def __init__(self, records: Any, which: Sequence[int], begin: int) -> None:
        self.records, self.which, self.begin = records, list(which), begin

    def __len__(self) -> int:
        return len(self.which)

    def __getitem__(self, index: int) -> Any:
        x, y = self.records[self.which[index]]
        return x[..., self.begin : self.begin + 4], y


class Pairs(Dataset[Any]):
    def __init__(self, base: Any, left: Sequence[int], right: Sequence[int]) -> None:
        self.base, self.left, self.right = base, list(left), list(right)

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, index: int) -> Any:
        (x, y), (z, _) = self.base[self.left[index]], self.base[self.right[index]]
        return torch.stack([x, z]), y


class Beside(Drawn):
    """Examples of its own, and another dataset from which it takes none."""

    def __init__(self, ids: Sequence[int], other: Any) -> None:
        super().__init__(ids)
        self.background = other


class Mixed(Around):
    def __getitem__(self, index: int) -> Any:
        other = int(torch.randint(len(self), ()))
        (x, y), (z, _) = self.dataset[index], self.dataset[other]
        return 0.7 * x + 0.3 * z, y


class Kept(Around):
    def __init__(self, dataset: Any) -> None:
        super().__init__(dataset)
        self.kept: dict[int, Any] = {}

    def __getitem__(self, index: int) -> Any:
        if index not in self.kept:
            self.kept[index] = super().__getitem__(index)
        return self.kept[index]


class OtherLabels(Around):
    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)
        return x, 1 - y


class Transformed(Drawn):
    """Knows its pictures under a name of its own."""

    def __init__(self, ids: Sequence[int], transform: Callable[[Tensor], Tensor]) -> None:
        super().__init__(ids)
        self.images, self.transform = X, transform

    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)
        return self.transform(x), y


def told(train: Any, test: Any) -> int:
    """How many test examples are known to be in the training set."""
    one, other = (
        MeasuredSet(Source(given, what), most=None, seed=0)
        for given, what in ((train, "train"), (test, "test"))
    )
    return int(shared(one, other).sum())


@pytest.mark.parametrize("kind", [KeepsAll, KeepsRows, KeepsTensors, KeepsAPath, HasAName, Folds])
def test_halves_of_a_dataset_that_keeps_all_of_it_share_nothing(kind: Any) -> None:
    assert told(kind(EVEN), kind(ODD)) == 0


WHOLE = TensorDataset(X, Y)
CASES: dict[str, tuple[Any, Any, int]] = {
    "wrapped whole": (Around(WHOLE), Subset(Around(WHOLE), range(10, 40)), 30),
    "drawn with repetitions": (Bootstrap(WHOLE, EVEN), Around(Subset(WHOLE, ODD)), 0),
    "drawn, of labels that agree": (
        Bootstrap(Subset(WHOLE, EVEN), [0, 2, 4]), Around(Subset(WHOLE, range(20, 40))), 0,
    ),
    "numbers of its own": (Part(WHOLE, range(25)), Around(Part(WHOLE, range(10, 40))), 15),
    "numbers from the end": (Part(WHOLE, range(-40, -15)), Subset(WHOLE, range(-30, 0)), 15),
    "names of its own": (
        OwnNames(WHOLE, list(range(25))), OwnNames(WHOLE, torch.arange(10, 40)), 15,
    ),
    "names of its own, halves": (
        OwnNames(WHOLE, np.array(EVEN)), Around(OwnNames(WHOLE, tuple(ODD))), 0,
    ),
    "two datasets inside": (
        OwnNames(WHOLE, range(25), OTHERS), OwnNames(WHOLE, range(10, 40), OTHERS), 0,
    ),
    "halves of the same": (Windows(WHOLE, range(40), 0), Windows(WHOLE, range(40), 4), 0),
    "windows of the same": (
        Windows(WHOLE, sorted([*EVEN, *EVEN]), 0), Windows(WHOLE, sorted([*EVEN, *EVEN]), 4), 0,
    ),
    "pairs": (
        Pairs(WHOLE, range(40), [*range(1, 40), 0]), Pairs(WHOLE, range(40), range(40)[::-1]), 2,
    ),
    "none is taken": (Beside(range(20), WHOLE), Beside(range(20, 40), WHOLE), 0),
    "mixed": (Mixed(Subset(WHOLE, range(25))), Around(Subset(WHOLE, range(10, 40))), 15),
    "kept": (Kept(Subset(WHOLE, range(25))), Around(Subset(WHOLE, range(10, 40))), 15),
    "other labels": (OtherLabels(Subset(WHOLE, range(25))), Subset(WHOLE, range(10, 40)), 15),
    "joined": (
        ConcatDataset([OTHERS, Around(Subset(WHOLE, range(25)))]), Subset(WHOLE, range(10, 40)), 15,
    ),
    "part of what is joined": (
        Subset(ConcatDataset([OTHERS, Around(WHOLE)]), range(10, 45)),
        ConcatDataset([Around(Subset(WHOLE, range(10, 40))), OTHERS]), 15 + 10,
    ),
    "joined of halves": (
        ConcatDataset([Around(Subset(WHOLE, EVEN)), OTHERS]), Around(Subset(WHOLE, ODD)), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("train", "test", "count"), CASES.values(), ids=CASES)
def test_examples_of_one_dataset_are_told_apart_by_their_numbers(
    train: Any, test: Any, count: int
) -> None:
    assert told(train, test) == count


def test_examples_are_known_where_the_transform_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def noisy(x: Tensor) -> Tensor:
        return x + torch.rand(())

    whole = Transformed(range(40), noisy)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    train, test = Subset(whole, range(25)), Subset(whole, range(10, 40))
    with watch(model, train=train, test=test, clean=lambda x: x + 0, out=tmp_path / "run"):
        pass
    assert "share examples, 15 of the 30" in capsys.readouterr().out
    assert told(Transformed(EVEN, noisy), Transformed(ODD, noisy)) == 0


@pytest.mark.parametrize(("leaked", "values"), [(0, 12), (30, 12), (30, 10_000)])
def test_short_rows_that_are_the_same_by_chance_are_not_shared(
    leaked: int, values: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of three whole numbers."""
    draw = torch.Generator().manual_seed(0)
    x, z = (torch.randint(values, (400, 3), generator=draw) for _ in range(2))
    equal = int((x[:, None] == z).all(2).any(0).sum())
    assert (equal > 50) is (values == 12)
    z[:leaked] = x[:leaked]
    y = torch.arange(400) % 2
    given = {"train": (x.float(), y), "test": (z.float(), y), "out": tmp_path / "run"}
    with watch(nn.Linear(3, 2), **given, pictures=False):
        pass
    said = capsys.readouterr().out
    assert "share examples" not in said, "three numbers that are rounded, of which any may recur"
    told = f"{int((x[:, None] == z).all(2).any(0).sum())} of the 400 examples of test"
    assert (told in said) is (values == 12 or leaked > 0)
    if values == 12:  # as columns of 0 and 1
        x, z = (one_hot(each, 12).flatten(1).float() for each in (x, z))
        given = {"train": (x, y), "test": (z, y), "out": tmp_path / "hot"}
        with watch(nn.Linear(36, 2), **given, pictures=False):
            pass
        assert "share examples" not in capsys.readouterr().out


DRAW = torch.Generator().manual_seed(0)


def whole(low: int, high: int, *shape: int) -> Tensor:
    return torch.randint(low, high, shape, generator=DRAW).float()


def rounded(mean: float, spread: float, count: int, digits: int = 0) -> Tensor:
    return (mean + spread * torch.randn(count, generator=DRAW)).round(decimals=digits)


TABLES: dict[str, Callable[[int], Tensor]] = {
    "measured": lambda n: torch.stack(
        [rounded(54, 9, n), whole(0, 2, n), whole(0, 4, n), rounded(131, 17, n),
         rounded(246, 51, n), whole(0, 2, n), rounded(149, 23, n), whole(0, 41, n)], 1),
    "ages and categories": lambda n: torch.cat(
        [whole(17, 80, n, 1), whole(20, 60, n, 1),
         one_hot(whole(0, 6, n, 3).long(), 6).flatten(1).float()], 1),
    "tenths": lambda n: torch.stack([rounded(mean, 0.5, n, 1) for mean in (5, 3, 2, 1)], 1),
    "numbers": lambda n: torch.randn(n, 8, generator=DRAW),
    "categories": lambda n: whole(0, 4, n, 5),
    "categories as 0 and 1": lambda n: one_hot(whole(0, 4, n, 5).long(), 4).flatten(1).float(),
    "all but the first": lambda n: one_hot(whole(0, 4, n, 5).long(), 4)[..., 1:].flatten(1).float(),
    "rare marks": lambda n: (torch.rand(n, 14, generator=DRAW) < 0.15).float(),
}  # fmt: skip
"""Tables whose rows may be the same by chance, hardly ever in the first four kinds."""


def number_shared(train: Tensor, test: Tensor) -> tuple[int, int]:
    """How many test rows equal a training row, and how many of them count as such."""
    known = {row.numpy().tobytes() for row in train}
    equal = sum(row.numpy().tobytes() in known for row in test)
    return equal, told(*((each, torch.arange(len(each)) % 2) for each in (train, test)))


@pytest.mark.parametrize("name", TABLES)
def test_short_rows_that_are_the_same_are_told_as_copies_or_as_what_may_be_chance(
    name: str, tmp_path: Path
) -> None:
    DRAW.manual_seed(0)
    make = TABLES[name]
    x, z = make(250), make(200)
    equal, certain = number_shared(x, z)
    assert certain == 0
    assert (equal > 10) is (list(TABLES).index(name) > 3)
    over = torch.cat([x, x[torch.randint(50, (200,), generator=DRAW)]])  # in training alone
    assert number_shared(over, z)[1] == 0
    x = make(300)  # all rows thrice, before the sets are divided
    every = torch.cat([x, x, x])[torch.randperm(900, generator=DRAW)]
    y = torch.arange(900) % 2
    given = {"train": (every[:700], y[:700]), "test": (every[700:], y[700:])}
    equal, certain = number_shared(every[:700], every[700:])
    with watch(
        nn.Linear(every.shape[1], 2), **given, out=tmp_path / "run", quiet=True, pictures=False
    ) as watched:
        pass
    verdict = " ".join(watched.verdict.split())
    told = f"{equal} of the 200 test examples are the same as some it studied"
    assert (told in verdict) is (certain == 0)
    assert "never seen" not in verdict


@pytest.mark.parametrize("columns", [2, 3, 8])
def test_rows_of_numbers_that_are_not_rounded_are_shared_where_they_are_the_same(
    columns: int,
) -> None:
    """Of three or more, 24 bits each; also where all are there several times."""
    DRAW.manual_seed(0)
    x, z = (torch.randn(count, columns, generator=DRAW) for count in (400, 160))
    z = torch.cat([x[:40], z])
    for times in (1, 3):
        assert number_shared(x.repeat(times, 1), z) == (40, 40 if columns > 2 else 0)
    few = x[:20], torch.cat([x[:9], z[40:]])
    assert number_shared(*few) == (9, 0), "too few to say so"


def test_equal_rows_of_few_values_are_never_said_to_be_studied() -> None:
    """Whatever was done to one of the sets: balanced, rid of copies, filled up."""
    DRAW.manual_seed(0)
    for _ in range(20):
        x, z = TABLES["categories"](300), TABLES["categories"](600)
        rare = x[:, 0] == 3
        assert number_shared(torch.cat([x[rare], x[~rare][: int(rare.sum())]]), z)[1] == 0
        assert number_shared(torch.unique(x, dim=0), z)[1] == 0
        assert number_shared(torch.cat([x, x[rare].repeat(5, 1)]), z)[1] == 0


def grams(count: int) -> Tensor:
    """Counts of 1,000 words in texts of a few, (N, 1000)."""
    shares = 1 / torch.arange(1, 1001).float()
    words = torch.multinomial(shares, 3 * count, replacement=True, generator=DRAW)
    return one_hot(words.reshape(count, 3), 1000).sum(dim=1).float()


def bars(count: int) -> Tensor:
    """Bars and stripes (N, 1, 10, 10): 100 pixels, of which 20 bits decide."""
    rows, columns = (torch.rand(count, 10, generator=DRAW) < 0.5 for _ in range(2))
    return (rows[:, None, :, None] ^ columns[:, None, None, :]).float()


def powers(count: int) -> Tensor:
    """Products of up to three of four columns of few values, (N, 34)."""
    x = TABLES["categories"](count)[:, :4]
    places = torch.combinations(torch.arange(5), 3, with_replacement=True)
    return torch.cat([torch.ones(count, 1), x], dim=1)[:, places].prod(dim=2)


@pytest.mark.parametrize("draw", [grams, bars, powers])
def test_places_that_say_the_same_are_not_counted_twice(draw: Callable[[int], Tensor]) -> None:
    DRAW.manual_seed(0)
    x, z = draw(1500), draw(1500)
    equal, certain = number_shared(x, z)
    assert certain == 0
    assert equal > 0 or draw is bars


def test_of_a_sample_of_the_training_set_as_many_are_told_as_of_all(tmp_path: Path) -> None:
    """One in ten test rows is a training row, of which a tenth is measured."""
    DRAW.manual_seed(0)
    x, z = TABLES["measured"](4000), TABLES["measured"](800)
    z[:80] = x[torch.randperm(4000, generator=DRAW)[:80]]
    given = {"train": (x, torch.arange(4000) % 2), "test": (z, torch.arange(800) % 2)}
    for most in (400, None):
        with watch(
            nn.Linear(8, 2), **given, out=tmp_path / f"{most}", most=most, quiet=True,
            pictures=False,
        ) as watched:  # fmt: skip
            pass
        assert "test examples are the same as some it studied" in " ".join(watched.verdict.split())


def test_classes_that_a_sample_lacks_are_not_said_to_be_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 300 classes with twenty examples each some have none among 900 of these."""
    DRAW.manual_seed(0)
    y = torch.arange(300).repeat(20)
    z = torch.arange(300).repeat(2)
    centers = torch.randn(300, 16, generator=DRAW)
    train = centers[y] + 0.1 * torch.randn(len(y), 16, generator=DRAW), y
    test = centers[z] + 0.1 * torch.randn(len(z), 16, generator=DRAW), z
    model = nn.Linear(16, 300)
    with torch.no_grad():
        model.weight.copy_(centers)
        model.bias.copy_(-centers.square().sum(dim=1) / 2)
    for most in (900, None):
        with watch(
            model, train=train, test=test, out=tmp_path / f"{most}", most=most, pictures=False
        ) as watched:
            pass
        said = " ".join(capsys.readouterr().out.split())
        verdict = " ".join(watched.verdict.split())
        sampled = most is not None
        assert ("of train the 900 examples that are measured have none of " in said) is sampled
        assert "no network can know" not in said
        assert "never studied" not in verdict


@pytest.mark.parametrize("kind", ["flat pictures", "half floats", "sparse", "one-hot"])
def test_a_few_copies_of_inputs_that_tell_much_are_told_with_a_condition(
    kind: str, tmp_path: Path
) -> None:
    """And such inputs without copies are not told."""
    DRAW.manual_seed(0)
    made = {
        "flat pictures": lambda: whole(0, 256, 700, 784),
        "half floats": lambda: torch.randn(700, 768, generator=DRAW).half().float(),
        "sparse": lambda: torch.randn(700, 512, generator=DRAW).relu(),
        "one-hot": lambda: one_hot(whole(0, 27, 700, 12).long(), 27).float(),
    }[kind]()
    for copied in (0, 5):
        made[500 : 500 + copied] = made[:copied]
        y = torch.arange(700) % 2
        given = {"train": (made[:500], y[:500]), "test": (made[500:], y[500:])}
        with watch(
            nn.Sequential(nn.Flatten(), nn.Linear(made[0].numel(), 2)), **given,
            out=tmp_path / f"{copied}", quiet=True, pictures=False,
        ) as watched:  # fmt: skip
            pass
        verdict = " ".join(watched.verdict.split())
        told = "are the same as some it studied: if that is no chance"
        assert bool(re.search(rf"\b5 of the 200 test (pictures|examples) {told}", verdict)) is (
            copied > 0
        )
        assert ("never seen" in verdict) is (copied == 0)


@pytest.mark.parametrize(
    ("own", "others", "off"), [(3, 1, "too good"), (1, 3, "too good, or too bad where they have")]
)
def test_of_shared_examples_with_several_labels_the_more_frequent_ones_count(
    own: int, others: int, off: str, tmp_path: Path
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(60, 1, 12, 12, generator=generator)
    y = torch.arange(60) % 2
    copies = x[40:50].repeat(own + others, 1, 1, 1)
    labels = torch.cat([y[40:50]] * own + [1 - y[40:50]] * others)
    train = torch.cat([x[:40], copies]), torch.cat([y[:40], labels])
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 2))
    with watch(
        model, train=train, test=(x[40:], y[40:]), out=tmp_path / "run", quiet=True, pictures=False
    ) as found:
        pass
    said = " ".join(found.verdict.split())
    assert f"it studied 10, so that what follows about the test set is {off}" in said
    assert ("too bad" in said) is (others > own)
