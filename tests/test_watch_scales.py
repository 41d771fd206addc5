"""`lab.watching.scales`: when numbers, or those of a column, are of another scale than others.

What people do with the rows of a table, planted: each has its own chance to be taken for another
scale, and no mend for one may cost another.
"""

from collections.abc import Callable

import pytest
import torch
from sklearn import datasets
from torch import Tensor

from lab.watching.probes import probed
from lab.watching.scales import column_differs, filled_in_one, normalized_otherwise, scale_differs
from lab.watching.set_scales import Compared, filled_told, scale_told

SEEDS = 20


def heavy(kind: str, count: int, seed: int) -> Tensor:
    """Examples of one population, whose largest numbers are far from most others."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 20, generator=generator)
    if kind == "lognormal":
        return (2 * x).exp()
    if kind == "rows":  # some are brighter in all
        return (x + 1.5 * torch.randn(count, 1, generator=generator)).exp()
    if kind == "gains":  # of which most are 0
        some = torch.rand(count, 20, generator=generator) < 0.01
        return torch.where(some, 1e5 * torch.rand(count, 20, generator=generator), 40 + 10 * x)
    return torch.distributions.StudentT(2.0).sample((count, 20)) if kind == "student" else x


@pytest.mark.parametrize("kind", ["plain", "lognormal", "rows", "gains", "student"])
def test_sets_of_one_population_are_of_one_scale(kind: str) -> None:
    torch.manual_seed(0)
    told = {1: 0, 0.05: 0, 20: 0}
    for seed in range(40):
        few, others = heavy(kind, 128, 2 * seed), heavy(kind, 128, 2 * seed + 1)
        for factor in told:
            told[factor] += scale_differs((factor * others).flatten(), few.flatten())
    assert told[1] == 0
    assert min(told[0.05], told[20]) >= (38 if kind in ("lognormal", "rows") else 40)


def mixed(count: int, generator: torch.Generator) -> Tensor:
    """Rows (N, 24) of binary, sparse, bimodal, heavy-tailed and standard normal columns."""
    u, x = (each(count, 24, generator=generator) for each in (torch.rand, torch.randn))
    x[:, :4], x[:, 4:8] = (u[:, :4] < 0.2).float(), (u[:, 4:8] < 0.3) * (2 * x[:, 4:8]).exp()
    x[:, 8:12] = (u[:, 8:12] < 0.25) * 10 + 0.3 * x[:, 8:12]
    x[:, 12:16] = (2 * x[:, 12:16]).exp()
    return x


def seldom(count: int, generator: torch.Generator) -> Tensor:
    """Rows (N, 30) of amounts that are mostly 0 and else far apart."""
    some = torch.rand(count, 30, generator=generator) < 0.3
    return some * (2 * torch.randn(count, 30, generator=generator)).exp()


def logarithms(count: int, generator: torch.Generator) -> Tensor:
    return seldom(count, generator).log1p()


def flowers(count: int, generator: torch.Generator) -> Tensor:
    """Rows (N, 4) in the order of three classes with the means and spreads of Fisher's irises, to
    a tenth, and standardized."""
    means = torch.tensor([[5.0, 3.4, 1.46, 0.25], [5.9, 2.8, 4.26, 1.33], [6.6, 3.0, 5.55, 2.03]])
    spreads = torch.tensor(
        [[0.35, 0.38, 0.17, 0.1], [0.52, 0.31, 0.47, 0.2], [0.64, 0.32, 0.55, 0.27]]
    )
    label = torch.arange(count) * 3 // count
    x = means[label] + spreads[label] * torch.randn(count, 4, generator=generator)
    x = (10 * x).round() / 10
    return (x - x.mean(dim=0)) / x.std(dim=0)


def in_time(count: int, generator: torch.Generator) -> Tensor:
    """Rows (N, 8) in the order of the time, which is one of the columns."""
    x = torch.randn(count, 8, generator=generator)
    x[:, 3] = torch.linspace(-1.7, 1.7, count)
    return x


ORDINARY = [  # rows; how many there are; how many a loop takes; the noise that it adds; in order?
    (mixed, 300, 32, 0.0, False), (mixed, 300, 64, 0.05, False), (mixed, 300, 64, 0.0, True),
    (seldom, 400, 32, 0.0, False), (seldom, 400, 64, 0.02, False),
    (logarithms, 400, 64, 0.02, False),
    (flowers, 120, 32, 0.05, True), (flowers, 120, 48, 0.05, True), (flowers, 120, 32, 0.0, True),
    (in_time, 2000, 64, 0.0, True), (in_time, 2000, 256, 0.2, True), (in_time, 500, 64, 0.1, True),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "count", "taken", "noise", "in_order"), ORDINARY)
def test_columns_of_what_loops_take_are_of_one_scale(
    rows: Callable[[int, torch.Generator], Tensor],
    count: int,
    taken: int,
    noise: float,
    in_order: bool,
) -> None:
    told = []
    for seed in range(SEEDS):
        generator = torch.Generator().manual_seed(seed)
        measured = rows(count, generator)
        chosen = torch.randperm(count, generator=generator)
        fed = measured[torch.arange(taken) if in_order else chosen[:taken]]
        fed = fed + noise * torch.randn(fed.shape, generator=generator)
        told.append(column_differs(fed, measured[chosen[:256]]))
    assert told == [None] * SEEDS


@pytest.mark.parametrize("rows", [mixed, seldom, logarithms])
@pytest.mark.parametrize("count", [40, 100, 200])
def test_columns_of_sets_of_one_population_are_of_one_scale(
    rows: Callable[[int, torch.Generator], Tensor], count: int
) -> None:
    found: list[object] = []
    for seed in range(SEEDS):
        generator = torch.Generator().manual_seed(seed)
        test, train = rows(count, generator), rows(2 * count, generator)
        found += [column_differs(*each, both=True) for each in ((test, train), (train, test))]
        found.append(filled_in_one(test, train))
    assert found == [None] * len(found)


def standardized(x: Tensor) -> Tensor:
    return (x - x.mean()) / x.std()


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "eight times": lambda x: 8 * x,
    "in cents": lambda x: 100 * x,
    "not standardized": lambda x: 100 + 20 * x,
    "in thousands": lambda x: x / 1000,
    "standardized twice": lambda x: 5 + x / 20,
    "standardized": standardized,
    "at another place": lambda x: x / 20 - 5,
}


@pytest.mark.parametrize("taken", [32, 64, 200])
@pytest.mark.parametrize(
    ("change", "place", "in_loop"),
    [  # place 14 has heavy tails; `in_loop`: also if the loop makes the change (None: in some)
        ("eight times", 20, True), ("in cents", 20, True), ("not standardized", 20, True),
        ("in thousands", 20, False), ("standardized twice", 20, True),
        ("in thousands", 14, None), ("standardized", 14, True), ("at another place", 14, True),
    ],
)  # fmt: skip
def test_a_column_of_another_scale_is_found(
    change: str, place: int, in_loop: bool | None, taken: int
) -> None:
    found: dict[bool, list[int | None]] = {True: [], False: []}
    for seed in range(SEEDS):
        generator = torch.Generator().manual_seed(seed)
        measured, others = mixed(256, generator), mixed(taken, generator)
        others[:, place] = CHANGES[change](others[:, place])
        for both in found:
            found[both].append(column_differs(others, measured, both=both))
    least = SEEDS if taken > 32 else 0.6 * SEEDS
    assert found[True].count(place) >= least
    if in_loop is not None:
        assert found[False].count(place) >= least if in_loop else not any(found[False])
    assert {*found[True], *found[False]} <= {place, None}


@pytest.mark.parametrize("count", [32, 128])
@pytest.mark.parametrize("share", [0.8, 1.0])
def test_a_column_that_is_filled_in_one_of_two_sets_is_found(count: int, share: float) -> None:
    """As where another hospital does not report it, and missing numbers were filled; not one that
    both have, nor a rare value that happens to be missing, nor one of which few are known."""
    for seed in range(SEEDS):
        generator = torch.Generator().manual_seed(seed)
        test, train = mixed(count, generator), mixed(2 * count, generator)
        assert filled_in_one(test, train) is None
        missing = torch.arange(count) < share * count
        for number in (0.0, 17.5, train[:, 20].mean().item()):
            without = test.clone()
            without[missing, 20] = number
            told = [filled_in_one(without, train), filled_in_one(train, without)]
            shares = missing.float().mean().item(), 0.0
            assert told[0] == pytest.approx((20, number, *shares))
            assert told[1] == pytest.approx((20, number, *shares[::-1]))
            assert filled_in_one(without, without.repeat(2, 1)) is None
        rare, few = train.clone(), train.clone()
        rare[:, 20] = (torch.rand(len(rare), generator=generator) < 0.3).float()
        without[missing, 20] = 0.0
        assert filled_in_one(without, rare) is None
        few[:, 20] = torch.nan
        few[:31, 20] = torch.randn(31, generator=generator)
        assert filled_in_one(without, few) is None
        few[31:33, 20] = 1.0
        told = [filled_in_one(without, few)]
        assert told[0] is not None
        assert told[0].place == 20


@pytest.mark.parametrize("taken", [32, 200])
def test_a_column_that_lies_elsewhere_in_one_of_two_sets_is_found(taken: int) -> None:
    """As degrees Celsius and kelvin, whose spread is the same; not one of which a set has a part,
    as where it has examples of one class alone."""
    for seed in range(SEEDS):
        generator = torch.Generator().manual_seed(seed)
        test, train = mixed(taken, generator), mixed(256, generator)
        part = train[train[:, 20] > 0.5]
        assert column_differs(part.repeat(2, 1), train, both=True) is None
        for offset in (-8.0, 8.0, 273.15):
            moved = test.clone()
            moved[:, 20] += offset
            assert column_differs(moved, train, both=True) == 20
            assert column_differs(train, moved, both=True) == 20
            assert column_differs(moved, train) is None, "a loop's own count is of ranges alone"


def records(count: int, generator: torch.Generator) -> Tensor:
    """Records (N, 6, 48) of six signals, each of an amplitude and a level of its own, which differ
    from record to record, and in which single beats are large."""
    time = torch.arange(48) / 48
    level, beats = (torch.randn(count, 6, 1, generator=generator) for _ in range(2))
    amplitude = (0.7 * torch.randn(count, 6, 1, generator=generator)).exp()
    phase = 6 * torch.rand(count, 6, 1, generator=generator)
    waves = (12 * time + phase).sin() + 3 * (beats > 1) * (torch.arange(48) % 16 == 5)
    scales = torch.tensor([0.01, 1.0, 1.0, 30.0, 30.0, 1000.0])[:, None]
    return scales * (amplitude * waves + level)


def test_a_signal_of_another_scale_is_found_and_records_of_one_population_are_alike() -> None:
    """As one in m/s² and g, on which a sum over all signals does not depend."""
    alike, found = [], []
    for seed in range(SEEDS):
        generator = torch.Generator().manual_seed(seed)
        test, train = records(64, generator), records(128, generator)
        alike += [told(test, train), told(test.movedim(1, 2), train.movedim(1, 2))]
        for place, factor in ((1, 9.81), (4, 1 / 9.81), (2, 3.0)):
            other = test.clone()
            other[:, place] *= factor
            found += [f"numbers inputs[:, {place}] of test go from" in told(other, train)]
            turned = told(other.movedim(1, 2), train.movedim(1, 2))
            found += [f"numbers inputs[:, :, {place}] of test go from" in turned]
    assert alike == [""] * len(alike)
    assert sum(found) >= 0.9 * len(found)


def told(*sets: Tensor | tuple[Tensor, ...]) -> str:
    """What is said of the scales of a test and a training set."""
    tensors = [each if isinstance(each, tuple) else (each,) for each in sets]
    what = ["the inputs", "the others"]
    compared = [
        Compared(*each, name) for each, name in zip(zip(*tensors, strict=True), what, strict=False)
    ]
    return " ".join([*scale_told(compared), *filled_told(compared)])


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "diabetes"])
def test_random_divisions_of_real_sets_are_alike(name: str) -> None:
    """As they are, standardized and in whole numbers; digits as pictures, too."""
    raw = torch.tensor(getattr(datasets, f"load_{name}")().data, dtype=torch.float32)
    kinds = [raw, (raw - raw.mean(dim=0)) / (raw.std(dim=0) + 1e-6), raw.long()]
    if name == "digits":
        kinds += [raw.reshape(-1, 1, 8, 8), raw.reshape(-1, 8, 8)]
    for seed in range(30):
        order = torch.randperm(len(raw), generator=torch.Generator().manual_seed(seed))
        for share in (0.2, 0.5):
            test, train = order[: int(share * len(raw))], order[int(share * len(raw)) :]
            assert [told(x[test][:512], x[train][:512]) for x in kinds] == [""] * len(kinds)


def test_each_tensor_of_the_inputs_is_compared() -> None:
    generator = torch.Generator().manual_seed(0)
    test, train = records(64, generator), records(128, generator)
    table, other = mixed(64, generator), mixed(128, generator)
    assert told((test, table), (train, other)) == ""
    assert "the others of test go from" in told((test, 100 * table), (train, other))
    assert "the inputs of test go from" in told((100 * test, table), (train, other))
    assert told((test, table), (train.double(), other.double())) == ""


def test_words_that_are_padded_at_the_other_end_are_told() -> None:
    generator = torch.Generator().manual_seed(0)
    words, others = (torch.randint(1, 50, (count, 20), generator=generator) for count in (64, 128))
    for each in (words, others):
        each[torch.arange(20) >= torch.randint(8, 20, (len(each), 1), generator=generator)] = 0
    assert told(words, others) == ""
    assert "number 19 of the inputs of test is 0 in 0 %" in told(words.flip(1), others)


def test_a_signal_that_one_set_lacks_is_told() -> None:
    generator = torch.Generator().manual_seed(0)
    test, train = records(64, generator), records(128, generator)
    test[:, 3] = 0.0
    assert "numbers inputs[:, 3] of test is 0 in 100 % of the examples" in told(test, train)


def pictures(count: int, generator: torch.Generator) -> Tensor:
    """Pictures (N, 3, 12, 12) of 0 to 1, half of which are even, of many levels and contrasts."""
    level, contrast = (torch.rand(count, 1, 1, 1, generator=generator) for _ in range(2))
    contrast = contrast * (torch.rand(count, 1, 1, 1, generator=generator) < 0.5)
    x = level + 0.3 * contrast * torch.randn(count, 3, 12, 12, generator=generator)
    return x.clamp(0, 1)


OTHERWISE: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    "as it is": (lambda x: x, False),
    "Normalize(.5, .5)": (lambda x: (x - 0.5) / 0.5, True),
    "ImageNet's": (lambda x: (x - 0.45) / 0.225, True),
    "a little": (lambda x: (x - 0.48) / 0.92, False),
    "one channel": (lambda x: x * torch.tensor([2.0, 1.0, 1.0])[:, None, None], False),
    "darker": (lambda x: x - 0.3, False),
}


@pytest.mark.parametrize("count", [32, 48, 128])
@pytest.mark.parametrize(("change", "is_told"), OTHERWISE.values(), ids=OTHERWISE)
def test_pictures_that_are_normalized_otherwise_are_told(
    change: Callable[[Tensor], Tensor], is_told: bool, count: int
) -> None:
    told = []
    for seed in range(2 * SEEDS):
        generator = torch.Generator().manual_seed(seed)
        one, other = pictures(count, generator), change(pictures(count, generator))
        told += [
            normalized_otherwise(probed(one), probed(other)),
            normalized_otherwise(probed(other), probed(one)),
        ]
    assert (sum(told) >= 0.9 * len(told)) if is_told else not any(told)


def overexposed(count: int, generator: torch.Generator) -> Tensor:
    """One in twenty is white."""
    white = torch.rand(count, 1, 1, 1, generator=generator) < 0.05
    return torch.where(white, 1.0, 0.1 * torch.rand(count, 3, 12, 12, generator=generator))


def stars(count: int, generator: torch.Generator) -> Tensor:
    """A few places are bright."""
    noise, brightness = (torch.randn(count, 1, 12, 12, generator=generator) for _ in range(2))
    some = torch.rand(count, 1, 12, 12, generator=generator) < 0.003
    return 0.05 * noise + some * (2 * brightness).exp()


def defects(count: int, generator: torch.Generator) -> Tensor:
    """A few pictures have a bright place."""
    x = 0.5 + 0.02 * torch.randn(count, 3, 12, 12, generator=generator)
    some = torch.rand(count, 1, 1, 1, generator=generator) < 0.05
    x[..., 3:7, 3:7] += 0.5 * some
    return x


@pytest.mark.parametrize("kind", [pictures, overexposed, stars, defects])
@pytest.mark.parametrize("count", [40, 64, 128])
def test_pictures_of_one_population_are_normalized_alike(
    kind: Callable[[int, torch.Generator], Tensor], count: int
) -> None:
    for seed in range(2 * SEEDS):
        generator = torch.Generator().manual_seed(seed)
        one, other = kind(count, generator), kind(40, generator)
        assert not normalized_otherwise(probed(one), probed(other))


def test_edges_that_augmentation_fills_are_no_other_normalization() -> None:
    """Black ones around drawings on white, as RandomCrop(12, padding=3) makes them."""
    for seed in range(2 * SEEDS):
        generator = torch.Generator().manual_seed(seed)
        one, other = (torch.ones(60, 1, 12, 12) for _ in range(2))
        for each in (one, other):
            for picture in each:
                place = int(torch.randint(2, 9, (), generator=generator))
                picture[0, place, 2:10] = -1.0
        for picture in one:
            rows, columns = torch.randint(0, 4, (2,), generator=generator).tolist()
            picture[0, :rows], picture[0, :, :columns] = -1.0, -1.0
        assert not normalized_otherwise(probed(one), probed(other))
