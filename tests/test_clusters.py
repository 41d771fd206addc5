"""Clusters of pictures, as of one patient: in both sets, or several in the test set."""

import csv
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.datasets import ImageFolder
from torchvision.transforms import ToTensor

from lab import watch
from lab.core.config import DataConfig
from lab.experiments import make_jobs, parse_grid
from lab.experiments.runner.run import doubts_of_jobs
from lab.runs.train import start
from lab.worlds import FolderWorld, open_world
from lab.worlds.clusters import Clusters, clusters_of, clusters_told, without_clusters
from lab.worlds.file_names import file_marks
from lab.worlds.marks import column_marks
from lab.worlds.name_parts import in_several
from lab.worlds.stored import StoredWorld
from support.configs import tiny
from support.picture_folders import fill


def told(root: Path, num_train: int, num_test: int) -> str:
    """What is said of a folder's pictures; the sentence is empty where nothing is."""
    config = DataConfig(data=str(root), image_size=16, num_train=num_train, num_test=num_test)
    world = open_world(config, seed=0)
    assert isinstance(world, StoredWorld)
    return " ".join(clusters_told(world.clusters(num_train, num_test), world.noun, world.sets))


def patients(place: Path, first: int, last: int, pictures: int = 4) -> None:
    for number in range(first, last):
        fill(place / f"patient_{number}", pictures)


def test_patients_in_both_sets_are_told(tmp_path: Path) -> None:
    """Where each class is divided picture by picture."""
    for name in ("benign", "malignant"):
        patients(tmp_path / "own" / name, 0, 5, pictures=5)
    config = tiny(tmp_path / "runs", data=str(tmp_path / "own"), num_train=40, num_test=10)
    world = open_world(config.data, seed=config.seed)
    assert isinstance(world, StoredWorld)
    sets = [
        {str(Path(world.name(split, place)).parent) for place in range(count)}
        for split, count in (("train", 40), ("test", 10))
    ]
    shared = sorted(sets[0] & sets[1])
    assert shared
    line = told(tmp_path / "own", 40, 10)
    assert line.startswith(f"{len(shared)} of {len(sets[1])} folders below the classes")
    assert f"({shared[0]}/ the first)" in line
    result = start(config)
    verdict = " ".join(result.verdict.split())
    assert f"among its test pictures, {len(shared)} have training pictures, too" in verdict
    assert "it has never seen" not in verdict


@pytest.mark.parametrize("shared", [False, True])
def test_of_given_sets_folders_of_one_name_are_one(shared: bool, tmp_path: Path) -> None:
    own = tmp_path / "own"
    for name in ("benign", "malignant"):
        patients(own / "train" / name, 0, 4)
        patients(own / "test" / name, 3 if shared else 4, 6)
        for path in (own / "test").rglob("0*.png"):
            path.rename(path.with_stem(f"t{path.stem}"))  # no file of train/ has its name
    number = 24 if shared else 16
    line = told(own, 32, number)
    if shared:
        assert line.startswith("2 of 6 folders below the classes among the test pictures")
    else:
        assert line.startswith("16 test pictures have 4 folders below the classes")
    config = tiny(tmp_path / "runs", data=str(own), num_train=32, num_test=number)
    verdict = " ".join(start(config).verdict.split())
    assert ("too good" if shared else "the intervals, and what is said by them") in verdict


def test_folders_of_a_patient_in_several_classes_count_as_one(tmp_path: Path) -> None:
    """As of persons with pictures of both classes, which are divided class by class."""
    for name, first, last in (("edema", 0, 14), ("normal", 8, 20)):  # some have both
        patients(tmp_path / "own" / name, first, last, pictures=3)
    said = told(tmp_path / "own", 62, 16)
    assert "and of those of its name elsewhere, belong together" in said
    assert "numbered anew" not in said
    data = DataConfig(data=str(tmp_path / "own"), num_train=62, num_test=16)
    world = open_world(data, seed=0)
    assert isinstance(world, FolderWorld)
    train, test = (  # what a plain count gives
        {path.parent.name for path, _ in each} for each in (world.pool[:62], world.tested[:16])
    )
    assert said.startswith(f"{len(train & test)} of {len(test)} names of folders below the classes")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (lambda k: f"TCGA-A{k % 7}-A0S{'BCDEFGHI'[k % 8]}{k}", True),
        (lambda k: f"{3306 + 17 * k}", True),
        (lambda k: f"{k * 2654435761 % 2**32:08x}", True),
        (lambda k: f"{k:03}", False),
        (lambda k: f"P{k:02}", False),
    ],
)
def test_folders_called_by_codes_are_of_one_patient_in_all_classes(
    name: Callable[[int], str], said: bool, tmp_path: Path
) -> None:
    """And counters with a condition, which may begin anew in each."""
    for label, tested in (("lesion", range(8, 12)), ("normal", range(4, 8))):
        for number in range(12):
            part = "test" if number in tested else "train"
            fill(tmp_path / part / label / name(number), 3)
    line = told(tmp_path, 48, 24)
    assert ("8 of 8 names of folders below the classes among the test pictures" in line) is said
    assert ("folders are not numbered anew in each class" in line) is not said
    assert (
        "test accuracy is too bad as far as the network goes by them, as their training pictures"
        " are of other classes" in line
    )


def test_folders_of_the_same_patients_in_all_classes_are_told_with_a_condition(
    tmp_path: Path,
) -> None:
    """They may also be numbered anew in each."""
    for name, tested in (("lesion", range(8, 12)), ("normal", range(4, 8))):
        for number in range(12):
            part = "test" if number in tested else "train"
            fill(tmp_path / "own" / part / name / f"patient_{number}", 3)
    said = told(tmp_path / "own", 48, 24)
    assert "24 test pictures have 8 names of folders below the classes (patient_10/" in said
    assert "all of which are those of training pictures, too" in said
    assert (
        "if folders are not numbered anew in each class, or each part of one, as they may be,"
        in said
    )
    for name in ("lesion", "normal"):  # one picture of each patient in each class
        for number in range(40):
            fill(tmp_path / "once" / name / f"patient_{number}", 1)
    assert "if folders are not numbered anew" in told(tmp_path / "once", 64, 16).replace(
        "and f", "if f"
    )


@pytest.mark.parametrize("name", ["patient{:03}", "patient{0:03}_{1}", "{1}_patient_{0}", "img_{}"])
def test_pictures_of_a_patient_in_two_classes_are_told_with_a_condition(
    name: str, tmp_path: Path
) -> None:
    """One in each, as before and after a treatment, which are divided class by class."""
    for label in ("before", "after"):
        fill(tmp_path / label, 40)
        for number, path in enumerate(sorted((tmp_path / label).iterdir())):
            path.rename(path.with_stem(name.format(number, label)))
    data = DataConfig(data=str(tmp_path), num_train=64, num_test=16)
    world = open_world(data, seed=0)
    train, test = (
        {int(re.sub(r"\D", "", path.stem)) for path, _ in each}
        for each in (world.pool[:64], world.tested[:16])  # type: ignore[attr-defined]
    )
    said = told(tmp_path, 64, 16)
    if "patient" not in name or name.startswith("{1}"):
        assert not said, "counters, or the class"
        return
    assert f"16 test pictures have {len(test)} beginnings of file names (patient" in said
    assert f", {len(train & test)} of which are those of training pictures, too" in said
    assert "files are not numbered anew in each class, as they may be, test accuracy is" in said


@pytest.mark.parametrize("parts", [("2019", "2020"), ("left", "right")])
def test_folders_of_the_same_patients_in_parts_of_a_class_are_told_with_a_condition(
    parts: tuple[str, str], tmp_path: Path
) -> None:
    """As where the sets are of other years."""
    for name, part in zip(("train", "test"), parts, strict=True):
        for label, first in (("a", 0), ("b", 10)):
            patients(tmp_path / name / label / part, first, first + 6, pictures=3)
    said = told(tmp_path, 36, 36)
    assert "36 test pictures have 12 names of folders below the classes (patient_0/ the" in said
    assert "all of which are those of training pictures, too" in said


def test_codes_of_persons_are_told_in_all_classes_together(tmp_path: Path) -> None:
    """As C07P3_IMG_41.png: what a plain count of the codes gives."""
    for label, first in (("a", 0), ("b", 6)):
        fill(tmp_path / label, 60)
        for number, path in enumerate(sorted((tmp_path / label).iterdir())):
            path.rename(path.with_stem(f"C{first + number % 12:02}P3_IMG_{label == 'a'}{number}"))
    world = open_world(DataConfig(data=str(tmp_path), num_train=96, num_test=24), seed=0)
    train, test = (
        {path.stem[:3] for path, _ in each}
        for each in (world.pool[:96], world.tested[:24])  # type: ignore[attr-defined]
    )
    said = told(tmp_path, 96, 24)
    assert said.startswith(f"{len(train & test)} of {len(test)} beginnings of file names among")


def test_letters_after_the_number_of_a_person_are_no_part_of_it(tmp_path: Path) -> None:
    """As AF07ANS.png and AF07HAS.png, person 7 angry and happy, straight."""
    for label in ("AN", "HA"):
        fill(tmp_path / label, 60)
        for number, path in enumerate(sorted((tmp_path / label).iterdir())):
            path.rename(path.with_stem(f"AF{number // 3:02}{label}{('S', 'FL', 'HR')[number % 3]}"))
    assert "beginnings of file names" in told(tmp_path, 96, 24)


def test_a_letter_and_a_counter_after_the_number_of_a_person_are_no_part_of_it(
    tmp_path: Path,
) -> None:
    """As S5028L01.png, the left eye; but random names have no such parts."""
    random = np.random.default_rng(0)
    for label in ("a", "b"):
        fill(tmp_path / "eyes" / label, 60)
        fill(tmp_path / "random" / label, 60)
        for number, path in enumerate(sorted((tmp_path / "eyes" / label).iterdir())):
            person = number // 6 + 10 * (label == "b")
            path.rename(path.with_stem(f"S50{person:02}{'LR'[number % 2]}{number % 6:02}"))
        for path in sorted((tmp_path / "random" / label).iterdir()):
            path.rename(path.with_stem(random.bytes(3).hex()))
    assert "beginnings of file names among" in told(tmp_path / "eyes", 96, 24)
    assert told(tmp_path / "random", 96, 24) == ""


@pytest.mark.parametrize("name", ["cat{:02}", "cat ({})", "leaf{:03}x7"])
def test_copies_of_a_file_belong_to_it_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    """cat (4).png beside cat (4)_aug1.png and cat (4)_aug2.png: what a plain count gives."""
    for label, first in (("a", 0), ("b", 20)):
        fill(tmp_path / label, 60)
        for number, path in enumerate(sorted((tmp_path / label).iterdir())):
            end = ("", "_aug1", "_aug2")[number % 3]
            path.rename(path.with_stem(name.format(first + number // 3) + end))
    world = open_world(DataConfig(data=str(tmp_path), num_train=96, num_test=24), seed=0)
    train, test = (
        {path.stem.split("_aug")[0] for path, _ in each}
        for each in (world.pool[:96], world.tested[:24])  # type: ignore[attr-defined]
    )
    said = told(tmp_path, 96, 24)
    assert said.startswith(f"{len(train & test)} of {len(test)} beginnings of file names among")


def test_a_column_called_patient_counts_though_few_pictures_have_one(tmp_path: Path) -> None:
    rows = ["file_name,patient"]
    for label in ("ill", "well"):
        fill(tmp_path / label, 60)
        rows += [f"{label}/{n:03}.png,P{n // 3:02}" for n in range(30) if label == "ill"]
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    world = open_world(DataConfig(data=str(tmp_path)), seed=0)
    assert isinstance(world, FolderWorld)
    assert "is not known: for most pictures nothing was found in" in world.unmarked()
    assert "values of the column patient" in told(tmp_path, 96, 24)


@pytest.mark.parametrize(
    ("same", "said"),
    [
        (10, "is too good"),
        (0, "is too bad as far as the network goes by them, as their training pictures"),
        (5, "is too good, or too bad where"),
    ],
)
def test_patients_of_another_class_in_training_make_test_accuracy_too_bad(
    same: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network that knows the patient answers with the class of its other pictures."""
    rows = ["file_name,patient"]
    for part in ("train", "test"):
        for label in ("a", "b"):
            fill(tmp_path / "own" / part / label, 20)
            for n in range(20):
                known = part == "train" or n // 2 < same
                patient = f"{label if known else 'ba'[label == 'b']}{n // 2}"
                rows.append(f"{part}/{label}/{n:03}.png,{patient}")
    (tmp_path / "own" / "metadata.csv").write_text("\n".join(rows))
    assert f"test accuracy {said}" in told(tmp_path / "own", 40, 40)
    config = tiny(tmp_path / "runs", data=str(tmp_path / "own"), num_train=40, num_test=40)
    result = start(config)
    assert f"what follows about the test set {said}" in " ".join(result.verdict.split())


def test_other_layouts_say_nothing(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        fill(tmp_path / "flat" / name, 10)
        for place in ("indoors", "outdoors"):  # two parts of each class
            fill(tmp_path / "parts" / name / f"{place}_{name}", 10)
        patients(tmp_path / "once" / "train" / name, 0, 8, pictures=1)
        patients(tmp_path / "once" / "test" / name, 8, 12, pictures=1)
    assert told(tmp_path / "flat", 16, 4) == ""
    assert told(tmp_path / "parts", 32, 8) == ""
    assert told(tmp_path / "once", 16, 8) == "", "each is another patient's"
    config = tiny(tmp_path / "runs", data=str(tmp_path / "flat"), num_train=16, num_test=4)
    assert "below the classes" not in start(config).verdict


PATIENTS = range(12)


def of_patients(place: Path, called: Callable[[int, int], str]) -> list[tuple[str, int]]:
    """Three pictures of each of 12 patients, six in each class; files and patients."""
    written = []
    for patient in PATIENTS:
        for name in ("benign", "malignant")[patient % 2 :][:1]:
            folder = place / name
            fill(folder / "new", 3, shade=10 * patient)
            for number, file in enumerate(sorted((folder / "new").iterdir())):
                path = file.rename(folder / f"{called(patient, number)}.png")
                written.append((path.relative_to(place).as_posix(), patient))
            (folder / "new").rmdir()
    return written


def table(place: Path, column: str, rows: Iterable[tuple[str, object]]) -> None:
    with (place / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file_name", "note", column), *((f, "", v) for f, v in rows)])


@pytest.mark.parametrize("column", ["patient", "PatientID", "lesion_id", "Subject No."])
def test_a_column_that_is_called_so_tells_patients(column: str, tmp_path: Path) -> None:
    rows = of_patients(tmp_path, lambda patient, number: f"{(7 * patient + 5 * number) % 36:02}")
    assert told(tmp_path, 30, 6) == ""
    table(tmp_path, column, rows)
    line = told(tmp_path, 30, 6)
    assert f"values of the column {column} among the test pictures (" in line
    assert "have training pictures, too. If the pictures with one value" in line


def test_the_number_of_patients_in_both_sets_is_that_of_the_table(tmp_path: Path) -> None:
    rows = dict(of_patients(tmp_path, lambda patient, number: f"{7 * patient + 5 * number:03}"))
    table(tmp_path, "patient", rows.items())
    config = DataConfig(data=str(tmp_path), image_size=16, num_train=20, num_test=6)
    world = open_world(config, seed=3)
    assert isinstance(world, StoredWorld)
    train, test = (
        {rows[world.name(split, place)] for place in range(count)}
        for split, count in (("train", 20), ("test", 6))
    )
    found = world.clusters(20, 6)
    assert found is not None
    assert (found.clusters, found.shared) == (len(test), len(train & test))


def test_other_columns_say_nothing(tmp_path: Path) -> None:
    rows = of_patients(tmp_path, lambda patient, number: f"{(7 * patient + 5 * number) % 36:02}")
    for column, of in (
        ("patient_age", lambda patient: 40 + patient),
        ("age", lambda patient: 40 + patient),
        ("camera", lambda patient: "abcd"[patient % 4]),
        ("class_id", lambda patient: patient % 2),
        ("case", lambda patient: ("upper", "lower", "italic")[patient % 3]),
        ("patient", lambda patient: "unknown"),
    ):
        table(tmp_path, column, [(file, of(patient)) for file, patient in rows])
        assert told(tmp_path, 30, 6) == "", column
    table(tmp_path, "patient", [(file, number) for number, (file, _) in enumerate(rows)])
    assert told(tmp_path, 30, 6) == "", "each picture is another patient's"
    (tmp_path / "metadata.csv").write_bytes(b"file_name,patient\n\xff\xfe")
    assert told(tmp_path, 30, 6) == "", "nobody asked for a table that cannot be read"


def test_columns_of_words_with_many_values_may_be_clusters(tmp_path: Path) -> None:
    """Without a name that says so: photographers, days."""
    paths = [Path(f"{n:03}.png") for n in range(90)]
    of = {path: f"2021-03-{1 + n // 3:02}" for n, path in enumerate(paths)}
    items = [(path, n % 2) for n, path in enumerate(paths)]
    found = clusters_of([column_marks("taken", of)], items[::3], items[1::3])
    assert found is not None
    assert (found.tested, found.clusters, found.shared) == (30, 30, 30)
    few = {path: f"place {n % 19}" for n, path in enumerate(paths)}
    assert clusters_of([column_marks("place", few)], items[::3], items[1::3]) is None


LESIONS = [n for n in range(60) for _ in range((1, 1, 1, 2)[n % 4])]
"""Of 75 pictures in turn: 1.25 of each on the mean."""


def test_columns_of_clusters_that_mostly_have_one_picture_are_told() -> None:
    of = {n: f"HAM_{lesion:04}" for n, lesion in enumerate(LESIONS)}
    items = [(n, LESIONS[n] % 2) for n in of]
    test, train = items[::4], [each for each in items if each[0] % 4]
    both = {of[n] for n, _ in test} & {of[n] for n, _ in train}
    found = clusters_of([column_marks("lesion_id", of)], train, test)
    assert found is not None
    assert (found.clusters, found.shared) == (len(test), len(both))
    assert len(both) > 2
    assert clusters_of([column_marks("lens", of)], train, test) is None, "alike by chance"


@pytest.mark.parametrize(("twice", "told"), [(0, False), (2, False), (12, True)])
def test_hardly_any_test_pictures_of_one_cluster_say_nothing(twice: int, told: bool) -> None:
    """Where each cluster is in one set: intervals are hardly narrower than they should be."""
    of = {n: f"p{n - 1 if 60 < n <= 60 + 2 * twice and n % 2 else n}" for n in range(100)}
    items = [(n, n // 2 % 2) for n in of]
    found = clusters_of([column_marks("patient", of)], items[:60], items[60:])
    assert (found is not None) is told
    if found is not None:
        assert (found.tested, found.clusters, found.shared) == (40, 40 - twice, 0)


@pytest.mark.parametrize("column", [True, False])
def test_a_part_of_the_pictures_has_the_clusters_of_all(column: bool, tmp_path: Path) -> None:
    """Of which it has few pictures each; by a column of words and by names."""
    names = {p: f"{7 * p % 12:02}" if column else f"p{p}" for p in PATIENTS}
    rows = of_patients(
        tmp_path, lambda patient, n: f"{5 * patient + 7 * n:03}" if column else f"p{patient}_{n}"
    )
    patient = dict(rows)
    if column:
        table(tmp_path, "patient", [(file, names[p]) for file, p in rows])
    shared = 0
    for seed in range(6):
        config = DataConfig(data=str(tmp_path), image_size=16, num_train=8, num_test=4)
        world = open_world(config, seed=seed)
        assert isinstance(world, StoredWorld)
        train, test = (
            {patient[world.name(split, place)] for place in range(count)}
            for split, count in (("train", 8), ("test", 4))
        )
        found = world.clusters(8, 4)
        assert (0 if found is None else found.shared) == len(train & test)
        shared += len(train & test)
        alone = world.training_clusters(8)
        crowded = [patient[world.name("train", place)] for place in range(8)]
        several = sum(crowded.count(each) for each in crowded) > 1.2 * 8
        assert (alone is not None) is several
        if alone is not None:
            assert (alone.tested, alone.clusters) == (8, len(set(crowded)))
    assert shared > 3


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("agree", [100, 80, 50])
def test_eyes_of_one_patient_belong_together_in_several_classes(agree: int, given: bool) -> None:
    """10_left.jpg and 10_right.jpg; of given sets, with numbers from 0 on in both, which may be of
    the same patients."""
    random, modulus = np.random.default_rng(agree), 90 if given else 120
    pictures = {}
    for patient in range(120):
        kind, test = int(random.integers(2)), given and patient >= 90
        other = kind if random.random() < agree / 100 else 1 - kind
        for side, label in (("left", kind), ("right", other)):
            path = PurePath("ab"[label], f"{patient % modulus}_{side}.jpg")
            pictures[(patient, side)] = (path, label, test)
    items = [(item, label) for item, (_, label, _) in pictures.items()]
    order = [items[n] for n in random.permutation(len(items))]
    if given:
        sets = [[e for e in order if pictures[e[0]][2] is test] for test in (False, True)]
        marks = file_marks(*({item: pictures[item][0] for item, _ in each} for each in sets))
        known = [{int(patient) for (patient, _), _ in each} for each in sets]
    else:
        sets = [order[:100], order[200:]]
        marks = file_marks({item: path for item, (path, _, _) in pictures.items()})
        known = [{int(patient) for (patient, _), _ in each} for each in sets]
    found = clusters_of(marks, sets[0], sets[1], sets if given else [order])
    assert found is not None
    shared = 30 if given else len(known[0] & known[1])
    assert (found.clusters, found.shared, found.anew) == (len(known[1]), shared, given)


@pytest.mark.parametrize("again", [True, False])
def test_names_that_begin_anew_in_each_set_may_be_of_others(again: bool) -> None:
    """train/cat/0000 (2).jpg and test/cat/0000 (2).jpg: other pictures, perhaps of other things."""
    names = [f"{n:04}{end}.jpg" for n in range(30) for end in ("", " (2)", " (3)")]
    sets = [
        {(part, kind, name): PurePath(kind, name) for kind in ("fake", "real") for name in names}
        for part in ("train", "test")
    ]
    if not again:
        sets[1] = {item: PurePath(path.parent, f"1{path.name}") for item, path in sets[1].items()}
    items = [[(item, item[1]) for item in each] for each in sets]
    found = clusters_of(file_marks(*sets), items[0], items[1], items)
    assert found is not None
    assert (found.clusters, found.shared, found.anew) == (60, 60 * again, again)
    (line,) = clusters_told(found, "pictures", ("train/", "test/"))
    assert line.startswith("180 test pictures have 60 beginnings of file names (")
    assert "intervals are too narrow" in line
    numbered = (
        "and if files are not numbered anew in train/ and test/, as they seem to be, test acc"
    )
    assert (numbered in line) is again
    alone = [[each for each in part if "(" not in each[0][2]] for part in items]
    few = clusters_of(file_marks(*sets), alone[0], alone[1], items)
    assert (few is not None) is again, "one picture each"
    if few is not None:
        assert not few.crowded
        (line,) = clusters_told(few, "pictures", ("train/", "test/"))
        assert (
            "one scene, and files are not numbered anew in train/ and test/, as they seem to be"
            in line
        )
        assert "narrow" not in line


def test_single_names_in_both_sets_do_not_begin_anew() -> None:
    names = [f"{n:04}{end}.jpg" for n in range(30) for end in ("", " (2)", " (3)")]
    train, test = (
        {(part, kind, name): PurePath(kind, name) for kind in ("fake", "real") for name in names
         if (int(name[:4]) < 20) is (part == "train")}
        for part in ("train", "test")
    )  # fmt: skip
    few = [("test", "fake", "0003.jpg"), ("test", "real", "0004.jpg")]
    test |= {item: PurePath(item[1], item[2]) for item in few}
    items = [[(item, item[1]) for item in each] for each in (train, test)]
    found = clusters_of(file_marks(train, test), items[0], items[1], items)
    assert found is not None
    assert (found.shared, found.anew) == (2, False)


def test_the_same_patients_numbered_anew_in_both_sets_are_told(tmp_path: Path) -> None:
    """train/a/patient001_1.png and test/a/patient001_1.png, another picture of the same one."""
    for part, first, last in (("train", 0, 3), ("test", 3, 5)):
        for name in ("a", "b"):
            fill(tmp_path / "own" / part / name, 12 * (last - first))
            for n, path in enumerate(sorted((tmp_path / "own" / part / name).iterdir())):
                path.rename(path.with_name(f"patient{n % 12:03}_{1 + n // 12}.png"))
    line = told(tmp_path / "own", 72, 48)
    assert "24 beginnings of file names (a/patient000 the first), all of which are those of" in line
    config = tiny(tmp_path / "runs", data=str(tmp_path / "own"), num_train=72, num_test=48)
    verdict = " ".join(start(config).verdict.split())
    assert (
        "files are not numbered anew in both sets, as they seem to be, what follows about"
        in verdict
    )
    assert "it has never seen" not in verdict


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("patient{:03}_1", "patient{:03}_2", True),
        ("p{:03}_pre", "p{:03}_post", True),
        ("{:03}_left", "{:03}_right", True),
        ("patient{:03}_1", "patient{:03}_1", True),
        ("Subject {:03} a", "Subject {:03} a", True),
        ("{:04}_train", "{:04}_test", False),
        ("{:04}_tr", "{:04}_te", False),
        ("patient{:03}_1_train", "patient{:03}_0_test", True),
        ("patient{:03}_train", "patient{:03}_test", True),
        ("{:04}_{kind}", "{:04}_{kind}", False),
        ("img_{:04}_x", "img_{:04}_x", False),
        ("{:05}_{label}", "{:05}_{label}", False),
    ],
)
def test_one_picture_of_each_patient_in_either_set(first: str, second: str, told: bool) -> None:
    """Which is which says the number before the last part, unless that is a counter."""
    random = np.random.default_rng(0)
    sets, kinds = [], [random.integers(0, 2, 60) for _ in range(2)]
    patients = "kind" not in first and "label" not in first
    for name, label in zip((first, second), (kinds[0], kinds[0 if patients else 1]), strict=True):
        sets.append({
            (name, len(sets), n): PurePath(
                "ab"[label[n]], name.format(n, kind=("cat", "dog")[label[n]], label=label[n])
            )
            for n in range(60)
        })  # fmt: skip
    sets = [{item: path.with_name(f"{path.name}.png") for item, path in s.items()} for s in sets]
    items = [[(item, path.parts[0]) for item, path in each.items()] for each in sets]
    found = clusters_of(file_marks(*sets), items[0], items[1], items)
    assert (found is not None) is told
    if found is not None:
        assert (found.clusters, found.shared, found.anew) == (60, 60, first == second)


@pytest.mark.parametrize(
    "called", ["patient_{:03}_slice_{:03}", "{:03}_frame{:02}", "BraTS20_Training_{:03}_slice_{}",
               "video{:03}_{}", "OAS1_{:04}_MR1_mpr-1_{}", "series{:03}_{:03}", "{:03}_z{}",
               "patient_id_{:03}_{}", "sub-{:03}_{}", "{:03}_slice{}_mask0", "x{:03}_{}"],
)  # fmt: skip
@pytest.mark.parametrize("used", [100, 2400])
def test_volumes_and_videos_with_many_pictures_are_told(called: str, used: int) -> None:
    """24 of them, of 100 pictures each, whatever part is used; six kinds of as many are none."""
    for name, kinds in ((called, 24), ("kind{:03}_{}", 6)):
        paths = {
            (n, k): PurePath("ab"[n % 2], f"{name.format(n, k)}.png")
            for n in range(kinds)
            for k in range(100)
        }
        items = [(item, path.parts[0]) for item, path in paths.items()]
        order = [items[k] for k in np.random.default_rng(0).permutation(len(items))][:used]
        test, train = order[: used // 5], order[used // 5 :]
        found = clusters_of(file_marks(paths), train, test, [items])
        assert (found is not None) is (kinds == 24), name
        if found is not None:
            known = [{item[0] for item, _ in each} for each in (train, test)]
            assert (found.clusters, found.shared) == (len(known[1]), len(known[0] & known[1]))


@pytest.mark.parametrize("word", ["patient", "subject_", "lesion-", "x"])
@pytest.mark.parametrize("given", [True, False])
def test_names_that_say_of_what_they_are_need_not_recur_often(word: str, given: bool) -> None:
    """Another picture of 20 of 80 patients."""
    sets = [
        {(shot, n): PurePath("ab"[n % 2], f"{word}{n:04}_{shot}.png") for n in range(count)}
        for shot, count in ((1, 80), (2, 20))
    ]
    items = [[(item, path.parts[0]) for item, path in each.items()] for each in sets]
    whole, paths = (items, sets) if given else ([items[0] + items[1]], [{**sets[0], **sets[1]}])
    found = clusters_of(file_marks(*paths), items[0], items[1], whole)
    assert (found is not None) is (word != "x")
    if found is not None:
        assert (found.clusters, found.shared, found.anew) == (20, 20, False)


@pytest.mark.parametrize(
    ("called", "told"), [("{}_100", False), ("img_{:04}_256", False), ("patient{:03}_1", True)]
)
def test_numbers_that_begin_anew_in_each_class_say_nothing_across_classes(
    called: str, told: bool
) -> None:
    paths = {
        (kind, n): PurePath(kind, f"{called.format(n)}.png") for kind in "ab" for n in range(50)
    }
    items = [(item, path.parts[0]) for item, path in paths.items()]
    test, train = items[::5], [each for n, each in enumerate(items) if n % 5]
    found = clusters_of(file_marks(paths), train, test, [items])
    assert (found is not None) is told


@pytest.mark.parametrize("year", ["{}", "{}-05-03", "{}_05"])
@pytest.mark.parametrize("rest", ["", "_1"])
def test_a_year_before_what_a_picture_is_of_is_no_beginning(year: str, rest: str) -> None:
    """2018_place012.png: places, not years; of 2018_012.png, 2018_img012.png and 2018_cat12.png in
    the folder cat nothing is known."""
    for called, known in (
        ("place{:02}", True), ("Ort{:02}", True), ("{:02}", False), ("img{:02}", False),
        ("{kind}{:02}", False),
    ):  # fmt: skip
        if not known and (year != "{}" or rest):
            continue
        paths = {
            (when, n): PurePath(
                "ab"[n % 2],
                f"{year.format(when)}_{called.format(n, kind=('cat', 'dog')[n % 2])}{rest}.png",
            )
            for when in range(2018, 2022)
            for n in range(30)
        }
        items = [(item, path.parts[0]) for item, path in paths.items()]
        test, train = items[::4], [each for k, each in enumerate(items) if k % 4]
        found = clusters_of(file_marks(paths), train, test, [items])
        if not known:
            assert found is None, called
            continue
        there = {(item[1], label) for item, label in test}
        assert found is not None
        assert (found.clusters, found.shared) == (len(there), len(there))


@pytest.mark.parametrize(
    ("folders", "each", "told"),
    [("apple lemon", 30, False), ("apple lemon", 5, True), ("p1 p2", 30, True)],
)
def test_folders_of_parts_of_a_class_are_no_clusters(folders: str, each: int, told: bool) -> None:
    """fruit/apple, with many pictures; not fruit/p1."""
    paths = {
        (kind, part + end, n): PurePath(kind, f"{kind}_{part}{end}", f"{n}.jpg")
        for kind in ("fruit", "tool")
        for part in folders.split()
        for end in ("", "s")
        for n in range(each)
    }
    items = [(item, path.parts[0]) for item, path in paths.items()]
    found = clusters_of(file_marks(paths), items[::2], items[1::2], [items])
    assert (found is not None) is told


@pytest.mark.parametrize("wrong", [0, 10])
def test_ends_of_names_that_tell_the_class_say_nothing(wrong: int) -> None:
    """12_cat.jpg beside 12_dog.jpg, also where some are in the folder of the other."""
    paths = {
        (label, n): PurePath("ab"[(label + (n % 100 < wrong)) % 2], f"{n}_{end}.jpg")
        for label, end in enumerate(("cat", "dog"))
        for n in range(200)
    }
    items = [(item, path.parts[0]) for item, path in paths.items()]
    test, train = items[::5], [each for n, each in enumerate(items) if n % 5]
    found = clusters_of(file_marks(paths), train, test, [items])
    assert found is None


LETTERS = ("patient{:03}{}", "{:03}{}", "knee{:03}{}", "case_{}{}", "1934.{}.1{}", "Neg {}{}")


def halved(called: Callable[[int, int], str], patients: int = 60) -> tuple[Clusters | None, bool]:
    """The clusters of two pictures each of some patients in two classes, divided at random, and
    whether nothing tells them."""
    items = [
        (PurePath("ab"[patient % 2], called(patient, number) + ".png"), patient % 2)
        for patient in range(patients)
        for number in range(2)
    ]
    mixed = [items[place] for place in np.random.default_rng(0).permutation(len(items))]
    cut = len(items) * 4 // 5
    marks = file_marks({path: path for path, _ in items})
    found = clusters_of(marks, mixed[:cut], mixed[cut:], [mixed])
    return found, without_clusters(marks, [mixed]) == "all"


@pytest.mark.parametrize("name", LETTERS)
def test_letters_right_after_a_number_tell_the_pictures_of_one_patient_apart(name: str) -> None:
    found, none = halved(lambda patient, number: name.format(patient, "LR"[number]))
    assert not none
    assert found is not None
    assert (found.clusters, found.shared) == (21, 18)


@pytest.mark.parametrize(
    "ends",
    [
        ("_rot15", "_rot-15"), ("_L", "_R_2"), ("_T1", "_FLAIR_2"), ("_zoom1", "_zoom1.5"),
        ("_flip", "_aug_0"), ("_1", "_2_crop"), ("_pre", "_post_2"), ("_1", "_left_2"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("begin", ["patient{}", "{:03}", "IMG_{}"])
def test_ends_with_more_or_fewer_numbers_are_those_of_one_picture(
    begin: str, ends: tuple[str, str]
) -> None:
    """As augmented copies and views have them: each number has two pictures."""
    found, none = halved(lambda patient, number: begin.format(patient) + ends[number])
    assert not none
    assert found is not None
    assert (found.clusters, found.shared) == (21, 18)


@pytest.mark.parametrize("name", ["{1:05}{0}", "{1:08x}", "img_{1}_1st", "scan_{1}x", "{1}{2}"])
def test_letters_that_tell_nothing_apart_say_nothing(name: str) -> None:
    found, none = halved(lambda p, n: name.format("LR"[n], 2 * p + n, "abc"[(2 * p + n) % 3]))
    assert found is None
    assert none


@pytest.mark.parametrize(
    ("called", "kind", "first"),
    [
        (lambda p, n: f"patient{p:03}/{'LR'[n]}/ap", "folder", "a/patient014"),
        (lambda p, n: f"site{p % 3}/patient{p:03}/left/{n}", "folder", "a/site0/patient024"),
        (lambda p, n: f"{('cyst', 'scar')[p % 3 > 0]}/patient{p:03}_{n}", "names", "patient003"),
        (lambda p, n: f"ward{p % 3}/20{18 + p % 5}/p{p:03}_{n}", "names", "p003"),
        (lambda p, n: f"{2018 + p % 5}/patient{p:03}_{n}", "names", "patient003"),
        (lambda p, n: f"M_{p:03}/{('40X', '100X')[n]}/x", "folder", "a/M_014"),
    ],
)
def test_patients_are_told_at_any_depth_of_folders(
    called: Callable[[int, int], str], kind: str, first: str
) -> None:
    found, _ = halved(called)
    assert found is not None
    assert (found.kind, found.clusters, found.shared, found.first) == (kind, 21, 18, first)


def test_names_that_are_the_same_in_several_folders_are_no_clusters() -> None:
    """Slices of patients, each of whom is in one set; and years, which are no clusters."""
    sets = [
        {PurePath("ab"[p % 2], f"p{p:03}", f"slice_{n}_x.png"): p % 2
         for p in range(*ends) for n in range(5)}
        for ends in ((0, 40), (40, 60))
    ]  # fmt: skip
    train, test = ([*each.items()] for each in sets)
    found = clusters_of(file_marks(*({p: p for p in each} for each in sets)), train, test)
    assert found is not None
    assert (found.kind, found.clusters, found.shared) == ("folder", 20, 0)
    found, none = halved(lambda p, n: f"{2018 + p % 5}/img_{2 * p + n:05}")
    assert found is None
    assert none


def test_numbers_that_begin_anew_in_each_class_are_others() -> None:
    """cars/12_front.jpg and trucks/12_front.jpg; 12.jpg beside 12_copy.jpg."""
    views = [f"_{view}" for view in ("front", "side", "back")]
    for ends in (views, ["", "_copy"]):
        paths = {
            (kind, n, end): PurePath(kind, f"{n}{end}.jpg")
            for kind in ("cars", "trucks")
            for n in range(40)
            for end in ends
        }
        items = [(item, item[0]) for item in paths]
        test = [each for each in items if each[0][1] < 20 and each[1] == "cars"]
        train = [each for each in items if each not in test]
        found = clusters_of(file_marks(paths), train, test, [items])
        assert found is not None
        assert (found.clusters, found.shared) == (20, 0)


@pytest.mark.parametrize(
    "called",
    [
        lambda patient, number: f"person{patient}_bacteria_{number}",
        lambda patient, number: f"{patient:08}_{number:03}",
        lambda patient, number: f"BACTERIA-{1000 + patient}-{number:04}",
        lambda patient, number: f"{patient}" if number == 0 else f"{patient}_aug{number}",
        lambda patient, number: f"{patient} ({number})",
    ],
)
def test_names_of_files_tell_patients(called: Callable[[int, int], str], tmp_path: Path) -> None:
    of_patients(tmp_path, called)
    line = told(tmp_path, 30, 6)
    assert "beginnings of file names among the test pictures" in line
    assert "If pictures whose names begin alike belong together" in line


@pytest.mark.parametrize(
    "called",
    [
        lambda number: f"{number:05}",
        lambda number: f"IMG_{number:04}",
        lambda number: f"cat.{number}",
        lambda number: f"{number:04}_cat",
        lambda number: f"set1_{number:04}",
        lambda number: f"{number * 2654435761 % 16**8:08x}-{number * 7919 % 65536:04x}",
    ],
)
def test_names_of_single_pictures_say_nothing(called: Callable[[int], str]) -> None:
    """Neither where each class is divided, nor where the sets begin with the same numbers."""
    for first in (0, 100):
        sets = [
            {(kind, n): PurePath("cat", f"{called(n)}.png") for n in range(begin, begin + 50)}
            for kind, begin in (("train", 0), ("test", first))
        ]
        items = [[(item, 0) for item in each] for each in sets]
        assert clusters_of(file_marks(sets[0] | sets[1]), items[0], items[1]) is None


@pytest.mark.parametrize(
    "called",
    [
        lambda p, n: (
            f"{p}__M_{('Left', 'Right')[n % 2]}_{('thumb', 'index', 'ring')[n // 2]}_finger"
        ),
        lambda p, n: f"Mouse{p:02}_day{n}_ctrl",
        lambda p, n: f"mouse{p:02}_day{n // 2}_slice{n % 2}",
        lambda p, n: f"patient{p}_202103{10 + n}_{101010 + 37 * n + p}",
        lambda p, n: f"site{p % 2}_p{p}_2021-03-{10 + n}_left",
    ],
)
def test_several_words_may_follow_the_number_of_a_person(called: Callable[[int, int], str]) -> None:
    """Of 40 persons with six pictures each, of either class."""
    random = np.random.default_rng(0)
    label = random.integers(0, 2, 40)
    paths = {
        (p, n): PurePath("ab"[label[p]], f"{called(p, n)}.bmp") for p in range(40) for n in range(6)
    }
    items = [(each, label[each[0]]) for each in paths]
    order = [items[place] for place in random.permutation(len(items))]
    train, test = order[:190], order[190:]
    found = clusters_of(file_marks(paths), train, test, [order])
    assert found is not None
    known = [{p for (p, _), _ in each} for each in (train, test)]
    assert (found.clusters, found.shared) == (len(known[1]), len(known[0] & known[1]))


@pytest.mark.parametrize(
    "called",
    [
        lambda n, r: f"Screenshot 2021-{r(1, 13):02}-{r(1, 29):02} at {r(24):02}.{r(60):02}.{n:03}",
        lambda n, r: f"{r(1, 29):02}-{r(1, 13):02}-2021 {r(24):02}h{r(60):02} {n}",
        lambda n, r: f"holiday_{r(1990, 2024)}_{r(1, 13)}_{n}",
        lambda n, r: f"COCO_train2014_{n:012}_resized",
        lambda n, r: f"{n:05}_640x480_small",
        lambda n, r: f"site{r(3)}_{n}_left",
    ],
)
def test_days_years_and_running_numbers_say_nothing(called: Callable[..., str]) -> None:
    random = np.random.default_rng(0)
    paths = [PurePath("ab"[n % 2], f"{called(n, random.integers)}.png") for n in range(300)]
    items = [(path, path.parts[0]) for path in paths]
    marks = file_marks({path: path for path in paths})
    assert clusters_of(marks, items[:240], items[240:], [items]) is None


def test_writers_of_whom_each_class_has_one_picture_are_told() -> None:
    """Letters of 12 writers, A/w03_0.png and B/w03_1.png; not pictures that their class names."""
    for called, told in (
        (lambda w, c: f"w{w:02}_{c}", True),
        (lambda w, c: f"{w:04}_{'abcd'[c]}", False),
    ):
        paths = {
            (w, c): PurePath("ABCD"[c], f"{called(w, c)}.png") for w in range(12) for c in range(4)
        }
        items = [(item, item[1]) for item in paths]
        train = [each for n, each in enumerate(items) if n % 5]
        found = clusters_of(file_marks(paths), train, items[::5])
        assert (found is not None) is told
        if found is not None:
            tested = {w for (w, _), _ in items[::5]}
            assert (found.clusters, found.shared) == (
                len(tested),
                len(tested & {w for (w, _), _ in train}),
            )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("head car house tree", False),  # kinds of subjects
        ("upper lower italic", False),
        ("p1 p2 p3 p4", True),
        ("1 2 3 4", True),
        ("anna ben cem dana eva finn gina hugo ida jan", True),
    ],
)
def test_columns_of_subjects_are_clusters_and_kinds_are_not(values: str, told: bool) -> None:
    words = values.split()
    of = {n: words[n // 2 % len(words)] for n in range(200)}
    items = [(n, n % 2) for n in of]
    found = clusters_of([column_marks("subject", of)], items[:160], items[160:])
    assert (found is not None) is told


@pytest.mark.parametrize("column", ["StudyInstanceUID", "SeriesInstanceUID", "study_uid", "uid"])
def test_identifiers_of_dicom_are_no_numbers(column: str) -> None:
    of = {n: f"1.2.826.0.1.3680043.{1000 + n // 4}" for n in range(160)}
    items = [(n, n % 2) for n in of]
    found = clusters_of([column_marks(column, of)], items[::2], items[1::2])
    assert found is not None
    assert (found.clusters, found.shared) == (40, 40)
    ages = {n: f"{20 + n // 4}.5" for n in of}
    assert clusters_of([column_marks("uid", ages)], items[::2], items[1::2]) is None


def test_numbers_of_patients_are_the_same_however_they_are_written() -> None:
    """pandas writes 12.0 beside missing ones."""
    of = {n: f"{n // 4}" if n % 2 else f"{n // 4}.0" for n in range(160)}
    items = [(n, n // 4 % 2) for n in of]
    found = clusters_of([column_marks("patient_id", of)], items[::2], items[1::2])
    assert found is not None
    assert (found.clusters, found.shared) == (40, 40)


def test_a_set_of_which_nothing_is_known_is_told(tmp_path: Path) -> None:
    """Though of most pictures, which are in the other set, it is."""
    for name, count in (("train", 60), ("test", 20)):
        for k in range(count):
            file = tmp_path / "own" / name / "ab"[k % 2] / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (k, 3, 3)).save(file)
    files = sorted((tmp_path / "own" / "train").rglob("*.png"))
    rows = [
        (file.relative_to(tmp_path / "own" / "train"), f"P{k // 6}") for k, file in enumerate(files)
    ]
    table(tmp_path / "own" / "train", "patient", rows)
    config = DataConfig(data=str(tmp_path / "own"), num_train=60, num_test=20)
    world = open_world(config, seed=0)
    assert isinstance(world, StoredWorld)
    assert "is not known: for most test pictures nothing was found" in world.unmarked()
    files = sorted((tmp_path / "own" / "test").rglob("*.png"))
    table(tmp_path / "own" / "test", "patient", [
        (file.relative_to(tmp_path / "own" / "test"), f"Q{k // 5}") for k, file in enumerate(files)
    ])  # fmt: skip
    world = open_world(config, seed=0)
    assert isinstance(world, StoredWorld)
    assert world.unmarked() == ""


@pytest.mark.parametrize(
    ("called", "is_known"),
    [
        (lambda n: f"patient{n:03}", True),
        (lambda n: f"{n:03}_patient{1000 - n}", True),
        (lambda n: f"{'ab'[n // 30]}_patient{n % 30:03}", False),
        (lambda n: f"{n:03}", False),
    ],
)
def test_nothing_is_asked_where_each_picture_is_of_another_patient(
    called: Callable[[int], str], is_known: bool, tmp_path: Path
) -> None:
    for k in range(60):
        file = tmp_path / "own" / "ab"[k // 30] / f"{called(k)}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (k, 3, 3)).save(file)
    world = open_world(DataConfig(data=str(tmp_path / "own"), num_train=48, num_test=12), seed=0)
    assert isinstance(world, StoredWorld)
    assert (world.unmarked() == "") is is_known


def test_few_pictures_of_many_stations_or_plants_are_no_clusters() -> None:
    """The whole folder counts: 24 stations have 40 pictures each, four plants 180."""
    for column, values, each in (("station", 24, 40), ("plant", 4, 180), ("study", 8, 60)):
        of = {n: f"{column} {n // each}" for n in range(values * each)}
        items = [(n, n % 2) for n in of]
        few = [items[place] for place in np.random.default_rng(0).permutation(len(items))[:120]]
        assert clusters_of([column_marks(column, of)], few[:80], few[80:], [items]) is None
    of = {n: f"plant {n // 6}" for n in range(120)}
    items = [(n, n % 2) for n in of]
    assert clusters_of([column_marks("plant", of)], items[::2], items[1::2], [items]) is not None


def test_clusters_in_both_sets_make_intervals_too_narrow_as_well() -> None:
    of = {n: f"p{n // 6}" for n in range(60)}
    items = [(n, n // 6 % 2) for n in of]
    found = clusters_of([column_marks("patient", of)], items[:33], items[33:])
    assert found is not None
    assert (found.clusters, found.shared) == (5, 1)
    (line,) = clusters_told(found, "pictures", ("train/", "test/"))
    assert "test accuracy is too good, and its interval too narrow: put all" in line


@pytest.mark.parametrize(
    ("own", "others", "off"), [(4, 1, "too good"), (2, 2, "too good, or too bad where"),
                               (1, 4, "too good, or too bad where"), (0, 4, "too bad as far as")],
)  # fmt: skip
def test_patients_that_training_mostly_has_of_another_class_are_not_only_too_good(
    own: int, others: int, off: str
) -> None:
    of: dict[int, str] = {}
    train, test = [], []
    for patient in range(20):
        label = patient % 2
        for k in range(own + others + 2):
            of[len(of)] = f"p{patient}"
            if k < 2:
                test.append((len(of) - 1, label))
            else:
                train.append((len(of) - 1, label if k < 2 + own else 1 - label))
    found = clusters_of([column_marks("patient", of)], train, test)
    assert found is not None
    (line,) = clusters_told(found, "pictures", ("train/", "test/"))
    assert f"test accuracy is {off}" in line


def test_arrays_beside_pictures_tell_patients(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 255, (40, 8, 8), dtype=np.uint8)
    y, patient = np.arange(40) % 2, np.arange(40) // 4
    file = tmp_path / "own.npz"
    np.savez(file, x=x, y=y)
    assert told(file, 32, 8) == ""
    np.savez(file, x=x, y=y, patient=patient, masks=x[:3], age=40 + patient)
    line = told(file, 32, 8)
    assert "values of the column patient among the test pictures" in line
    assert line.endswith("put all pictures of each into one set, x or x_test.")
    for column in ("groups", "patient"):  # also as MATLAB and pandas write them
        np.savez(file, x=x, y=y, **{column: np.repeat(np.arange(20.0), 2)})
        assert f"values of the column {column} among the test pictures" in told(file, 32, 8)
    np.savez(file, x=x[:20], y=y[:20], patient=patient[:20], x_test=x[20:], y_test=y[20:],
             patient_test=patient[20:])  # fmt: skip
    assert told(file, 20, 20).startswith("20 test pictures have 5 values of the column patient (5")


def test_a_run_says_where_nothing_tells_which_pictures_belong_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "is not known: nothing was found in folders, metadata.csv or names of files"
    rows = of_patients(tmp_path / "own", lambda patient, number: f"{36 * number + patient:03}")

    def printed(name: str, **data: Any) -> str:
        start(tiny(tmp_path / name, num_train=30, num_test=6, **data))
        return capsys.readouterr().out

    assert printed("nothing", data=str(tmp_path / "own")).count(said) == 1
    table(tmp_path / "own", "patient", rows)
    assert said not in printed("column", data=str(tmp_path / "own"))
    for name, first in (("train", 0), ("test", 30)):  # each patient in one of them
        for label in ("a", "b"):
            patients(tmp_path / "apart" / name / label, first, first + 6, pictures=3)
    assert said not in printed("folders", data=str(tmp_path / "apart"))
    for number, path in enumerate(sorted((tmp_path / "apart").rglob("*.png"))):
        path.rename(path.parents[1] / f"patient{number}.png")  # one of each
    assert said not in printed("single", data=str(tmp_path / "apart"))
    assert said not in printed("faces")


def test_validation_pictures_of_training_patients_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though training and test set have other patients."""
    for name, first in (("train", 0), ("test", 8)):
        for label in ("a", "b"):
            patients(tmp_path / "own" / name / label, first, first + 8, pictures=5)
    sets = {"data": str(tmp_path / "own"), "num_train": 40, "num_test": 20}
    for stops, told in (({"early_stopping": 5, "num_validation": 20}, True), ({}, False)):
        start(tiny(tmp_path / f"runs{told}", **sets, **stops))
        said = capsys.readouterr().out
        assert ("folders below the classes are among the validation pictures" in said) is told
        assert "test accuracy is too good" not in said


@pytest.mark.parametrize("clusters", [None, "who"])
def test_validation_pictures_that_are_copies_of_training_pictures_are_told(
    clusters: str | None, tmp_path: Path
) -> None:
    """As where a rare class was made larger by copies, which no test picture is."""
    for number, split in enumerate(("train", "test")):
        fill(tmp_path / split / "common", 30, shade=100 * number)
        fill(tmp_path / split / "rare", 6, shade=50 + 100 * number)
    rare = sorted((tmp_path / "train" / "rare").glob("*.png"))
    for path in rare:
        for copy in range(4):
            (path.parent / f"{'abcd'[copy]}{path.name}").write_bytes(path.read_bytes())
    files = [each.relative_to(tmp_path) for each in sorted(tmp_path.rglob("*.png"))]
    table(tmp_path, "who", [(each.as_posix(), n % 40) for n, each in enumerate(files)])
    data = {"num_train": 40, "num_test": 12, "image_size": 16, "clusters": clusters}
    world = open_world(DataConfig(data=str(tmp_path), **data), seed=0)
    assert isinstance(world, StoredWorld)
    content = {each.as_posix(): (tmp_path / each).read_bytes() for each in files}
    train = {content[name] for name in world.names_of("train", 40)}
    both = sum(content[name] in train for name in world.names_of("validation", 15))
    assert both > 1
    (said,) = world.validation_doubts(15, stops=True)
    assert said == (
        f"{both} of the 15 validation pictures are among the training pictures, too: the validation"
        " loss is too low, and --early-stopping, which goes by it, stops late."
    )
    assert world.validation_doubts(0, stops=True) == []


def test_grids_tell_of_validation_pictures_by_which_they_stop(tmp_path: Path) -> None:
    """Of the largest sets that some job stops early with, and of no others."""
    for name, first in (("train", 0), ("test", 8)):
        for label in ("a", "b"):
            patients(tmp_path / "own" / name / label, first, first + 8, pictures=5)
    base = tiny(tmp_path, data=str(tmp_path / "own"), num_test=20, num_validation=20)

    def told(grid: str) -> list[str]:
        lines = doubts_of_jobs(make_jobs(base, parse_grid(grid.split()), seeds=1, out=tmp_path))
        return [each for each in lines if "among the validation pictures" in each]

    (said,) = told("num_train=20,40 early_stopping=none,5")
    assert said.startswith("with 40 training pictures and seed 0: ")
    assert said.endswith(": --early-stopping, which goes by it, stops late.")
    assert not told("num_train=20,40")


def test_a_watched_loop_is_told(tmp_path: Path) -> None:
    """Of an `ImageFolder` that `random_split` divides."""
    of_patients(tmp_path / "own", lambda patient, number: f"p{patient}_{number}")
    whole = ImageFolder(tmp_path / "own", transform=ToTensor())
    split = torch.utils.data.random_split(whole, [24, 12], torch.Generator().manual_seed(0))
    patient = [Path(path).stem.split("_")[0] for path, _ in whole.samples]
    train, test = ({patient[number] for number in each.indices} for each in split)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 20, 2))
    given = {"train": split[0], "test": split[1]}
    with watch(model, **given, out=tmp_path / "run", quiet=True) as watcher:
        pass
    verdict = " ".join(watcher.verdict.split())
    assert f"Of {len(test)} beginnings of file names among its test pictures" in verdict
    assert f"{len(train & test)} have training pictures, too" in verdict


def test_names_of_many_classes_are_compared_at_once() -> None:
    """A thousand classes: all pairs, one after the other, would take minutes."""
    random = np.random.default_rng(0)
    apart = [{f"{label}_{k}" for k in range(300)} for label in range(1000)]
    assert in_several(apart) == ""
    some = [{f"n{k}" for k in random.integers(0, 10**6, 300)} for _ in range(1000)]
    assert in_several(some) == "some"
    assert in_several([*some, {*list(some[7])[:5]}]) == "all"
    assert in_several([{f"{k}" for k in range(300)}] * 1000) == "all"
    assert in_several([set(), {"a"}]) == ""


def test_folders_that_are_numbered_anew_in_both_sets_are_told_with_a_condition(
    tmp_path: Path,
) -> None:
    """Other videos under the same paths."""
    for part, first in (("train", 1), ("test", 1)):
        for label in ("run", "walk"):
            for number in range(first, first + 6):
                fill(tmp_path / part / label / f"{number:03}", 4)
    said = told(tmp_path, 48, 48)
    assert "48 test pictures have 12 folders below the classes" in said
    assert "if files are not numbered anew in train/ and test/, as they seem to be, test" in said
