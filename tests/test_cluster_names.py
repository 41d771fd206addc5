"""Habits of naming files after patients and the like: which pictures belong together, whatever
stands before, and who is in both sets."""

import re
from collections.abc import Callable
from pathlib import PurePath

import numpy as np
import pytest

from lab.worlds.clusters import Clusters, clusters_of
from lab.worlds.file_names import file_marks

VIEWS = ("AP", "LAT", "OBL", "XX")

Picture = tuple[int, int]
"""A patient, and which of its pictures."""


def day(patient: int, k: int) -> str:
    code = 7919 * (5 * patient + k)
    return f"{2015 + code % 6}-{1 + code % 12:02}-{1 + code % 28:02}"


HABITS: dict[str, Callable[[int, int, int], str]] = {  # of picture n, of patient p, its k-th one
    "patient first": lambda n, p, k: f"patient{p:03}_{n:05}",
    "bids": lambda n, p, k: f"sub-{p:02}_ses-{k + 1:02}_T1w",
    "counter": lambda n, p, k: f"{n:05}_patient{p:03}",
    "counter with a word": lambda n, p, k: f"scan{n:04}_subject{p:02}",
    "counter and a blank": lambda n, p, k: f"IMG_{n:04}_Patient {p}",
    "counter and view": lambda n, p, k: f"mammo_{n * 7919 % 10**6:06}_pat{p:03}_{VIEWS[k]}",
    "hash": lambda n, p, k: f"{n * 2654435761 % 2**32:08x}_patient{p}",
    "frame of a video": lambda n, p, k: f"frame_{n % 9:02}_video_{p:02}",
    "slice": lambda n, p, k: f"slice_{40 + k:03}_patient_{p:02}",
    "view": lambda n, p, k: f"{VIEWS[k]}_patient{p:03}_{2015 + (p + k) % 5}",
    "visit": lambda n, p, k: f"visit{k + 1}_subject{p:03}_AP",
    "exam": lambda n, p, k: f"exam{k + 1}_patient{p}_{n}",
    "camera": lambda n, p, k: f"cam{k % 3 + 1}_person{p:03}_{n:04}",
    "year": lambda n, p, k: f"{2012 + 2 * k}_patient{p:03}_{VIEWS[k]}",
    "day": lambda n, p, k: f"{day(p, k)}_patient{p:03}_{VIEWS[k]}",
    "day of a plant": lambda n, p, k: f"{day(p, k)}_plant_{p:03}",
    "day number of a plant": lambda n, p, k: f"day{3 * k:02}_plant{p}",
    "age": lambda n, p, k: f"age{20 + p * 7 % 60}_patient{p:03}_{k}",
    "site": lambda n, p, k: f"site{p % 5}_patient{p // 5:02}_{k}",
    "hospital": lambda n, p, k: f"hospital_{'ABC'[p % 3]}_patient{p // 3:02}_{VIEWS[k]}",
    "patient and video": lambda n, p, k: f"{n:04}_video{k}_patient{p:02}",
    "lesion of a patient": lambda n, p, k: f"P{p:03}_lesion{k + 1}",
    "clip of a camera": lambda n, p, k: f"IMG_{3000 + 7 * p}_clip{k + 1}",
    "numbers that look like days": lambda n, p, k: f"p{19_000_000 + 7919 * p}_s{n:08}_{n:04x}",
}


def named(
    patients: range, called: Callable[[int, int, int], str], each: Callable[[int], int],
    *, across: bool = False, seed: int = 0,
) -> dict[Picture, PurePath]:  # fmt: skip
    """The pictures of `patients`, so many of `each`, in one of two classes, or in both."""
    labels = np.random.default_rng(0).integers(2, size=1000)
    paths: dict[Picture, PurePath] = {}
    for p in patients:
        for k in range(each(p)):
            name = called(len(paths) + 1000 * seed, p, k)
            paths[p, k] = PurePath("ab"[(labels[p] + k * across) % 2], f"{name}.png")
    return paths


def found_in(
    train: dict[Picture, PurePath], test: dict[Picture, PurePath], *, given: bool
) -> Clusters | None:
    sets = [[(item, path.parts[0]) for item, path in each.items()] for each in (train, test)]
    marks = file_marks(train, test) if given else file_marks({**train, **test})
    return clusters_of(marks, *sets, sets if given else [[*sets[0], *sets[1]]])


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("habit", HABITS)
def test_of_a_folder_that_is_divided_the_patients_in_both_sets_are_counted(
    habit: str, across: bool
) -> None:
    for seed in range(3):
        paths = named(range(60), HABITS[habit], lambda p: 1 + p * 7 % 4, across=across, seed=seed)
        order = [[*paths][k] for k in np.random.default_rng(seed).permutation(len(paths))]
        train, test = ({item: paths[item] for item in each} for each in (order[40:], order[:40]))
        known = [{p for p, _ in each} for each in (train, test)]
        found = found_in(train, test, given=False)
        assert found is not None
        assert (found.clusters, found.shared) == (len(known[1]), len(known[0] & known[1]))


@pytest.mark.parametrize("shared", [0, 5])
@pytest.mark.parametrize("habit", HABITS)
def test_of_given_sets_the_patients_in_both_are_counted(habit: str, shared: int) -> None:
    train = named(range(60), HABITS[habit], lambda p: 1 + p * 7 % 4, seed=1)
    unseen = range(60 - shared, 75)
    test = named(unseen, HABITS[habit], lambda p: 1 + p * 5 % 4, seed=2)
    test = {(p, k + 10): path for (p, k), path in test.items()}
    found = found_in(train, test, given=True)
    assert (found.shared if found is not None else 0) == shared
    assert found is None or found.clusters == len(unseen)


@pytest.mark.parametrize(
    "called", ["visit{k}_patient{p}", "{k}_patient{p}", "cam{k}_animal{p}", "IMG{k}_video{p}"]
)
def test_of_few_patients_in_given_sets_those_in_both_are_counted_and_not_their_visits(
    called: str,
) -> None:
    for first, shared, later in ((6, 0, range(1, 5)), (5, 1, range(5, 9))):
        train, test = (
            {
                (p, k): PurePath("ab"[p % 2], f"{called.format(p=p, k=k)}.png")
                for p in patients
                for k in visits
            }
            for patients, visits in ((range(1, 6), range(1, 5)), (range(first, 10), later))
        )
        found = found_in(train, test, given=True)
        assert found is not None
        assert (found.clusters, found.shared) == (10 - first, shared)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "zeros": lambda name: re.sub(r"([a-z]-?)0+(?=\d)", r"\1", name),
    "dashes": lambda name: name.replace("_", "-"),
    "blanks": lambda name: re.sub(r"(?<![^\W_])([a-z]{2,})(?=\d)", r"\1 ", name),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("habit", HABITS)
def test_patients_count_once_however_they_are_spelled(habit: str, spelling: str) -> None:
    """In sets of two laboratories, and in one folder to which both added pictures."""

    def respelled(paths: dict[Picture, PurePath]) -> dict[Picture, PurePath]:
        return {
            item: path.with_stem(SPELLINGS[spelling](path.stem)) for item, path in paths.items()
        }

    for shared in (0, 5):
        train = named(range(60), HABITS[habit], lambda p: 2 + p * 7 % 3, seed=1)
        test = named(range(60 - shared, 75), HABITS[habit], lambda p: 2 + p * 5 % 3, seed=2)
        test = {(p, k + 10): path for (p, k), path in test.items()}
        found = found_in(train, respelled(test), given=True)
        assert (found.shared if found is not None else 0) == shared
    paths = named(range(60), HABITS[habit], lambda p: 2 + p * 7 % 3)
    order = [[*paths][k] for k in np.random.default_rng(0).permutation(len(paths))]
    paths |= respelled({item: paths[item] for item in order[::2]})
    train, test = ({item: paths[item] for item in each} for each in (order[40:], order[:40]))
    known = [{p for p, _ in each} for each in (train, test)]
    found = found_in(train, test, given=False)
    assert found is not None
    assert (found.clusters, found.shared) == (len(known[1]), len(known[0] & known[1]))


def test_folders_of_patients_count_once_however_they_are_spelled() -> None:
    """And those of classes do not."""
    for respelled in ("PATIENT 0{}", "patient{}", "patient-{:03}"):
        train, test = (
            {
                (p, k): PurePath("Aa"[p % 2], called.format(p), f"{p * 7919 + k:06x}.png")
                for p in patients
                for k in numbers
            }
            for called, patients, numbers in (
                ("patient_{:02}", range(1, 31), range(4)),
                (respelled, range(21, 41), range(4, 8)),
            )
        )
        found = found_in(train, test, given=True)
        assert found is not None
        assert (found.kind, found.clusters, found.shared) == ("folder", 20, 10)
        told = (
            "whatever capitals, separators and leading zeros they have (PATIENT 022 is patient_22)"
        )
        assert (told in found.if_together("pictures")) is respelled.startswith("P")
    same = {
        (p, k): PurePath("Aa"[p % 2], f"{p // 2:03}_{k}.png") for p in range(60) for k in (0, 1)
    }
    train, test = ({item: same[item] for item in same if item[1] == k} for k in (0, 1))
    found = found_in(train, test, given=False)
    assert found is not None
    assert (found.clusters, found.spelled) == (60, None)


@pytest.mark.parametrize("habit", [each for each in HABITS if "slice" not in each])
def test_of_single_pictures_of_patients_nothing_is_told(habit: str) -> None:
    paths = named(range(80), HABITS[habit], lambda p: 1)
    order = [[*paths][k] for k in np.random.default_rng(0).permutation(len(paths))]
    train, test = ({item: paths[item] for item in each} for each in (order[20:], order[:20]))
    assert found_in(train, test, given=False) is None


@pytest.mark.parametrize("called", ["{:03}", "IMG_{:04}", "patient{:03}", "{0:08x}"])
@pytest.mark.parametrize(("twice", "is_told"), [(1.0, True), (0.7, True), (0.2, False), (0, False)])
def test_files_of_one_name_and_several_types_belong_together(
    called: str, twice: float, is_told: bool
) -> None:
    """As 7.jpg and 7.png, which are two pictures of one scene, or one picture twice: those of one
    folder, and where they are most of all."""
    chance = np.random.default_rng(0)
    paths = {
        (n, k): PurePath("ab"[n % 2], f"{called.format(n * 2654435761 % 2**16)}.{ending}")
        for n in range(100)
        for k, ending in enumerate(("jpg", "png"))
        if not k or chance.random() < twice
    }
    order = [[*paths][k] for k in chance.permutation(len(paths))]
    train, test = ({item: paths[item] for item in each} for each in (order[40:], order[:40]))
    found = found_in(train, test, given=False)
    assert (found is not None) is is_told
    if found is not None:
        known = [{n for n, _ in each} for each in (train, test)]
        assert (found.clusters, found.shared) == (len(known[1]), len(known[0] & known[1]))


@pytest.mark.parametrize("called", ["{}", "IMG_{:04}", "patient{:03}"])
def test_sets_of_one_type_each_that_count_from_one_share_nothing(called: str) -> None:
    """As where train/ has JPEGs and test/ has PNGs."""
    train, test = (
        {(n, k): PurePath("ab"[n % 2], f"{called.format(n)}.{ending}") for n in range(count)}
        for k, (count, ending) in enumerate(((80, "jpg"), (40, "png")))
    )
    assert found_in(train, test, given=True) is None


def test_files_of_one_name_in_two_folders_do_not_belong_together() -> None:
    """As where each class counts from 1, in its own type."""
    paths = {
        (n, k): PurePath("ab"[k], f"{n}.{('jpg', 'png')[k]}") for n in range(60) for k in (0, 1)
    }
    train = {item: path for item, path in paths.items() if item[0] % 3}
    test = {item: path for item, path in paths.items() if not item[0] % 3}
    assert found_in(train, test, given=False) is None
