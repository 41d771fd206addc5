"""Columns of metadata.csv: groups of pictures from disk, in measuring and in training."""

import csv
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.core.config import DataConfig
from lab.core.estimate import Estimate, wilson
from lab.core.run_dir import RunDir
from lab.evaluators.populations import measure
from lab.runs.batches import training_batches
from lab.runs.display import Display
from lab.runs.load import open_run
from lab.runs.train import start
from lab.verdict.uneven import uneven
from lab.worlds import Examples, FolderWorld, Samples, open_world
from lab.worlds.groups import group_counts, told_by, told_by_chance
from lab.worlds.metadata import Column
from support.configs import tiny
from support.picture_folders import fill
from support.planted import ByPixels
from support.scripts import is_refused, load_script

CLASSES, PLACES = ("cat", "dog"), ("indoors", "outdoors")


def row_of(path: Path) -> dict[str, str]:
    """Cats live indoors, but for each fifth picture."""
    name, number = path.parent.name, int(path.stem)
    place = PLACES[(name == "dog") ^ (number % 5 == 0)]
    return {"place": place, "year": str(2000 + number % 2)}


def write(table: Path, files: Sequence[Path], **rows: str) -> None:
    """A table of the files, with further columns that are the same for all."""
    lines = [
        {"file_name": file.relative_to(table.parent).as_posix(), **row_of(file), **rows}
        for file in files
    ]
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("groups") / "pets"
    for shade, name in enumerate(CLASSES):
        fill(place / name, 30, shade=100 * shade)
    write(place / "metadata.csv", sorted(place.rglob("*.png")))
    return place


def opened(folder: Path, *groups: str, **data: object) -> FolderWorld:
    config = replace(DataConfig(data=str(folder), image_size=16, groups=groups), **data)  # type: ignore[arg-type]
    world = open_world(config, seed=0)
    assert isinstance(world, FolderWorld)
    return world


def test_each_picture_has_the_values_of_its_row(folder: Path) -> None:
    world = opened(folder, "place", "year")
    examples = world.load("train", world.data.num_train)
    for i in range(len(examples)):
        row = row_of(folder / world.name("train", i))
        assert examples.samples.names("place")[i] == row["place"]
        assert examples.samples.names("year")[i] == row["year"]
    counts = group_counts(examples, world.grouped_by)
    assert len(counts) == 8
    assert sum(counts.values()) == len(examples)
    assert counts["cat,place=indoors,year=2001"] > counts["cat,place=outdoors,year=2001"] > 0


def test_what_a_column_tells_is_the_share_of_the_most_frequent_class(folder: Path) -> None:
    world = opened(folder, "place")
    examples = world.load("train", world.data.num_train)
    place, label = np.array(examples.samples.names("place")), examples.labels.numpy()
    right = sum(np.bincount(label[place == value]).max() for value in PLACES)
    told = told_by(world.grouped_by[0], examples)
    assert told.value == pytest.approx(right / len(examples))
    assert told.count == len(examples)
    assert told.low is not None
    assert told.low < told.value


def test_accuracy_is_measured_for_each_group_that_there_is(folder: Path) -> None:
    """Of a network that calls every picture a dog."""
    world = opened(folder, "place")
    metrics = measure(world, ByPixels(lambda inputs: inputs[:, 0, 0, 0], -2), counterfactuals=0)
    examples = world.load("test", world.data.num_test)
    groups = {tag: m for tag, m in metrics.items() if tag.startswith("group_accuracy/")}
    for name, label in zip(CLASSES, (0, 1), strict=True):
        for place in PLACES:
            members = sum(
                p == place and int(k) == label
                for p, k in zip(examples.samples.names("place"), examples.labels, strict=True)
            )
            found = groups.pop(f"group_accuracy/{name},place={place}", None)
            if members:
                assert isinstance(found, Estimate)
                assert (found.value, found.count) == (label, members)
            else:
                assert found is None
    assert not groups
    worst = metrics["accuracy/worst_group"]
    assert isinstance(worst, Estimate)
    assert worst.value == 0


def test_a_run_has_groups_in_its_batches_and_its_summary(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny(
        tmp_path, data=str(folder), groups=("place",), num_train=40, objective="group_dro",
        name="run", steps=4, eval_every=4,
    )  # fmt: skip
    start(config)
    said = capsys.readouterr().out
    assert "column: place alone tells the class of 8" in said
    assert "cat,place=indoors" in said
    own, model, *_ = open_run(tmp_path / "run")
    world = open_world(own.data, seed=own.seed)
    train = world.load("train", 40)
    batches = training_batches(own, world, train, slice(None))
    assert sum(batches.groups.counts) == 40
    assert len(batches.groups.names) == 4
    batch = batches(0)
    names = [batches.groups.names[int(group)] for group in batch.groups]
    assert [name.split(",")[0] for name in names] == [CLASSES[int(k)] for k in batch.labels]
    summary = RunDir(tmp_path / "run").summary()
    found = measure(world, model, counterfactuals=0)["accuracy/worst_group"]
    assert isinstance(found, Estimate)
    assert summary["accuracy"]["worst_group"]["value"] == found.value


def test_tables_in_train_and_test_name_their_own_pictures(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in CLASSES:
            fill(tmp_path / split / name, 10)
        files = sorted((tmp_path / split).rglob("*.png"))
        write(tmp_path / split / "metadata.csv", files, set=split)
    world = opened(tmp_path, "set")
    assert set(world.load("test", 20).samples.names("set")) == {"test"}
    assert set(world.load("train", 20).samples.names("set")) == {"train"}
    assert not any("metadata" in line or ".csv" in line for line in world.doubts())


def test_backslashes_of_windows_are_read_as_slashes(folder: Path) -> None:
    table = folder / "metadata.csv"
    kept, version = table.read_text(), opened(folder, "place").version
    try:
        table.write_text(kept.replace("cat/", "cat\\").replace("dog/", "dog\\"))
        assert "/" not in table.read_text()
        assert opened(folder, "place").version == version
    finally:
        table.write_text(kept)


def test_other_values_are_another_version_and_columns_that_are_not_named_are_not(
    folder: Path,
) -> None:
    table = folder / "metadata.csv"
    kept, plain, grouped = (
        table.read_text(),
        opened(folder).version,
        opened(folder, "place").version,
    )
    assert plain != grouped
    try:
        table.write_text(kept.replace("2001", "1999"))
        assert (opened(folder).version, opened(folder, "place").version) == (plain, grouped)
        table.write_text(kept.replace("indoors", "in_bed", 1))
        assert opened(folder).version == plain
        assert opened(folder, "place").version != grouped
    finally:
        table.write_text(kept)


def test_a_column_of_one_value_is_refused(folder: Path, tmp_path: Path) -> None:
    table = folder / "metadata.csv"
    kept = table.read_bytes()
    try:
        write(table, sorted(folder.rglob("*.png")), place=" here")
        words = ["--data", str(folder), "--groups", "year", "place", "--out", str(tmp_path / "r")]
        line = is_refused(load_script("train").train, words)
        assert "--groups year place: the column place has one value for all 60 pictures" in line
        assert not (tmp_path / "r").exists()
    finally:
        table.write_bytes(kept)


@pytest.mark.parametrize(
    ("groups", "text", "line"),
    [
        (("plase",), None, r"unknown column 'plase'.*place"),
        (("place", "place"), None, "named twice"),
        (("place",), "", "metadata.csv: it is empty"),
        (("place",), "filename,place\ncat/000.png,a\n", "call 'filename' so"),
        (("place",), "file_name;place\ncat/000.png;a\n", "separated by semicolons"),
        (("place",), "file_name\tplace\ncat/000.png\ta\n", "separated by tabs"),
        (("place",), "file_name,place\ncat/000.png,a\n", "has no row for "),
        (("file_name",), None, "pictures in all, and 100 are the most"),
        (("place",), "file_name,place\ncat/000.png,a\x00\n", "metadata.csv"),
        (("place",), b"\xff\xfe", r"metadata.csv: it is not in UTF-8: save it so \(in Excel"),
        (("place",), "file_name,place,place\ncat/000.png,a,b\n", "two columns are called 'place'"),
        (("place",), "file_name,x,place\ncat/000.png,a,b,c\n", "line 2 has not as many cells"),
        (("place",), "file_name,x,place\ncat/000.png,a\n", "line 2 has not as many cells"),
        (("place",), "file_name,place\ncat/000.png,a\ncat/000.png,b\n", "two rows for cat/000.png"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(
    folder: Path, groups: tuple[str, ...], text: str | bytes | None, line: str
) -> None:
    table = folder / "metadata.csv"
    kept = table.read_bytes()
    try:
        if text is not None:
            table.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ValueError, match=line) as caught:
            opened(folder, *groups)
        assert "--groups" in str(caught.value)
        assert "\n" not in str(caught.value)
    finally:
        table.write_bytes(kept)


def test_without_a_table_or_a_folder_it_says_so(tmp_path: Path) -> None:
    for name in CLASSES:
        fill(tmp_path / name, 4)
    with pytest.raises(ValueError, match=r"--groups place: there is no .*metadata\.csv"):
        opened(tmp_path, "place")
    with pytest.raises(
        ValueError, match=r"--groups place names columns of the metadata\.csv or the \.npz file"
    ):
        open_world(DataConfig(groups=("place",)))


def test_the_verdict_names_groups_that_surely_differ() -> None:
    equal = {"group_accuracy/a": wilson(80, 100), "group_accuracy/b": wilson(70, 100)}
    assert uneven(equal, "pictures") == ""
    assert uneven({"group_accuracy/a": wilson(80, 100)}, "pictures") == ""
    assert uneven({}, "pictures") == ""
    said = uneven({**equal, "group_accuracy/c": wilson(10, 100)}, "pictures")
    assert "80.0 %" in said
    assert "10.0 %" in said
    assert said.index("group a ") < said.index(" c.")
    few = {**equal, "group_accuracy/c": wilson(0, 1)}
    assert uneven(few, "pictures") == ""


@pytest.mark.parametrize(
    ("count", "groups", "right"), [(600, 40, 0.85), (2000, 100, 0.85), (60, 3, 0.5), (400, 12, 0.9)]
)
def test_groups_that_differ_by_chance_alone_are_seldom_named(
    count: int, groups: int, right: float
) -> None:
    random = np.random.default_rng(0)
    said, times = 0, 60
    for _ in range(times):
        sizes = random.multinomial(count, random.dirichlet(np.full(groups, 3.0)))
        hits = random.binomial(sizes, right)
        metrics = {
            f"group_accuracy/{'ab'[k % 2]},site={k}": wilson(int(hit), int(size))
            for k, (hit, size) in enumerate(zip(hits, sizes, strict=True))
            if size
        }
        said += bool(uneven(metrics, "pictures"))
    assert said <= 0.05 * times


def test_groups_that_are_classes_or_supersets_of_them_are_compared_across_classes() -> None:
    """Such as kinds of animals and of vehicles, or hospitals that only one class comes from."""
    metrics = {
        f"group_accuracy/{name}": wilson(right, 100)
        for name, right in (("cat,kind=animal", 95), ("dog,kind=animal", 90), ("car,kind=car", 92))
    }
    assert uneven(metrics, "pictures") == ""
    metrics["group_accuracy/bus,kind=car"] = wilson(20, 100)
    said = uneven(metrics, "pictures")
    assert "of bus,kind=car." in said
    assert "goes by" not in said


def test_classes_with_commas_in_their_names_are_classes() -> None:
    metrics = {
        f"group_accuracy/crane,_{name},time={time}": wilson(right, 100)
        for name, right in (("bird", 95), ("machine", 40))
        for time in ("day", "night")
    }
    said = uneven(metrics, "pictures")
    assert "goes by" not in said
    assert "crane,_bird" in said
    metrics["group_accuracy/crane,_bird,time=night"] = wilson(10, 100)
    assert "of crane,_bird,time=night. What tells" in uneven(metrics, "pictures")


def test_one_bad_group_of_many_is_named() -> None:
    random = np.random.default_rng(0)
    found = 0
    for _ in range(20):
        hits = random.binomial(50, [0.9] * 19 + [0.3])
        metrics = {f"group_accuracy/a,site={k}": wilson(int(hit), 50) for k, hit in enumerate(hits)}
        found += "of a,site=19." in uneven(metrics, "pictures")
    assert found >= 18


def test_empty_cells_are_a_value_of_their_own(tmp_path: Path) -> None:
    for name in CLASSES:
        fill(tmp_path / name, 5)
    files = sorted(tmp_path.rglob("*.png"))
    write(tmp_path / "metadata.csv", files, light="")
    table = (tmp_path / "metadata.csv").read_text().rstrip()
    (tmp_path / "metadata.csv").write_text(f"{table}lit\n")  # the last row's last cell
    world = opened(tmp_path, "light")
    examples = world.load("train", world.data.num_train)
    lit = [world.name("train", i) == "dog/004.png" for i in range(len(examples))]
    assert examples.samples.names("light") == ["lit" if each else "none" for each in lit]
    assert torch.equal(examples.samples["light"] == 0, torch.tensor(lit))


@pytest.mark.parametrize(
    ("one", "other"), [("-10C", "10C"), ("A-", "A"), ("5", "5-"), ("site-1", "site1")]
)
def test_values_that_signs_tell_apart_are_two(one: str, other: str, tmp_path: Path) -> None:
    fill(tmp_path / "cat", 6)
    fill(tmp_path / "dog", 6, shade=100)
    files = sorted(tmp_path.rglob("*.png"))
    rows = [f"{path.relative_to(tmp_path).as_posix()},{each}" for path in files for each in (one,)]
    rows[::2] = [row.rpartition(",")[0] + f",{other}" for row in rows[::2]]
    (tmp_path / "metadata.csv").write_text("\n".join(["file_name,place", *rows, ""]))
    (column,) = opened(tmp_path, "place").grouped_by
    assert set(column.words) == {one, other}


@pytest.mark.parametrize(
    ("one", "other"),
    [("in/out", "in out"), ("", "none"), ("indoors", "indoors "), ("a b", "a_b"),
     ("Basel", "basel")],
)  # fmt: skip
def test_two_values_that_would_be_one_are_refused(one: str, other: str, tmp_path: Path) -> None:
    fill(tmp_path / "cat", 6)
    fill(tmp_path / "dog", 6, shade=100)
    write(tmp_path / "metadata.csv", sorted(tmp_path.rglob("*.png")), place=one)
    rows = (tmp_path / "metadata.csv").read_text().splitlines()
    rows[1] = rows[1].replace(f",{one},", ",far,")
    (tmp_path / "metadata.csv").write_text("\n".join([*rows, ""]))
    assert opened(tmp_path, "place").load("train", 2)
    first, _, last = rows[-1].partition(f",{one},")
    (tmp_path / "metadata.csv").write_text("\n".join([*rows[:-1], f"{first},{other},{last}\n"]))
    with pytest.raises(ValueError, match=r"--groups: column place: .* would be one name") as caught:
        opened(tmp_path, "place")
    assert repr(one) in str(caught.value)
    assert repr(other) in str(caught.value)


@pytest.mark.parametrize(("one", "other"), [("hot dog", "hot_dog"), ("a_b c", "a b_c")])
def test_classes_that_would_be_one_group_are_refused(one: str, other: str, tmp_path: Path) -> None:
    fill(tmp_path / one, 6)
    fill(tmp_path / other, 6, shade=100)
    write(tmp_path / "metadata.csv", sorted(tmp_path.rglob("*.png")))
    with pytest.raises(ValueError, match=r"--groups: names of classes: .* would be one name"):
        opened(tmp_path, "year")
    (tmp_path / other).rename(tmp_path / "cold dog")
    write(tmp_path / "metadata.csv", sorted(tmp_path.rglob("*.png")))
    world = opened(tmp_path, "year")
    assert len(group_counts(world.load("train", 8), world.grouped_by)) == 4


def test_classes_that_look_alike_in_tags_need_no_other_names_without_groups(
    tmp_path: Path,
) -> None:
    for name in ("hot dog", "hot_dog"):
        fill(tmp_path / name, 6)
    assert opened(tmp_path).classes == ("hot dog", "hot_dog")


def a_column(
    tmp_path: Path, values: Callable[[str, int], str], *, usual: int = 90, rare: int = 10
) -> tuple[Estimate, Estimate]:
    """What a column tells of a usual and a rare class, and what it would by chance."""
    for name, count in (("usual", usual), ("rare", rare)):
        fill(tmp_path / "train" / name, count)
        fill(tmp_path / "test" / name, 2)
    files = sorted(tmp_path.rglob("*.png"))
    lines = ["file_name,camera"]
    for number, file in enumerate(files):
        camera = values(file.parent.name, number)
        lines.append(f"{file.relative_to(tmp_path).as_posix()},{camera}")
    (tmp_path / "metadata.csv").write_text("\n".join([*lines, ""]))
    world = opened(tmp_path, "camera")
    train = world.load("train", world.data.num_train)
    (column,) = world.grouped_by
    return told_by(column, train), told_by_chance(column, train)


def test_a_column_that_tells_nothing_is_compared_with_chance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two values, and of twelve, each of which has its own most frequent class by chance."""
    random = np.random.default_rng(0)
    found = a_column(tmp_path / "two", lambda name, i: "xy"[random.integers(2)])
    assert [each.value for each in found] == [0.9, 0.9]
    show(found)
    said = capsys.readouterr().out
    assert "no more than a column would that has nothing to do with the class: 90.0 %" in said
    assert "50 %" not in said
    many = a_column(
        tmp_path / "many", lambda name, i: "abcdefghijkl"[random.integers(12)], usual=60, rare=60
    )
    assert many[1].value > 0.55
    show(many)
    assert "nothing to do with the class: " in capsys.readouterr().out


def test_a_column_that_tells_the_class_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = a_column(tmp_path, lambda name, i: "x" if name == "rare" else "y")
    assert found[0].value == 1
    assert found[1].value == pytest.approx(0.9, abs=0.01)
    show(found)
    said = capsys.readouterr().out
    assert "alone tells the class of 100 %" in said
    assert "(one that has nothing to do with it: 90" in said
    assert "no more" not in said


def show(found: tuple[Estimate, Estimate]) -> None:
    """What the terminal says of it."""
    Display(tiny(Path("runs")), Path("runs/x"), "pictures").columns({"camera": found})


def test_what_a_column_tells_by_chance_is_that_of_shuffled_values() -> None:
    random = np.random.default_rng(0)
    values, labels = random.integers(0, 5, 200), (random.random(200) < 0.3).astype(np.int64)
    column = Column("camera", tuple("abcde"))
    shuffled = []
    for _ in range(2000):
        table = np.zeros((5, 2))
        np.add.at(table, (random.permutation(values), labels), 1)
        shuffled.append(table.max(axis=1).sum() / 200)
    examples = Examples(
        images=torch.zeros(200, 3, 1, 1, dtype=torch.uint8), labels=torch.tensor(labels),
        clean_labels=torch.tensor(labels), subpopulations=torch.tensor(labels),
        classes=("no", "yes"), all_subpopulations=(),
        samples=Samples(
            {"camera": torch.tensor(values)}, torch.arange(200), schema={"camera": column.row}
        ),
    )  # fmt: skip
    found = told_by_chance(column, examples)
    assert found.value == pytest.approx(np.mean(shuffled), abs=0.003)
    assert found.interval == pytest.approx(tuple(np.quantile(shuffled, [0.025, 0.975])), abs=0.01)


def test_groups_of_one_class_are_compared_where_they_differ() -> None:
    """The classes themselves may be unequally hard; only the columns tell of a shortcut."""
    metrics = {
        f"group_accuracy/{name}": wilson(right, 100)
        for name, right in (
            ("cat,place=in", 99), ("cat,place=out", 98),
            ("dog,place=in", 80), ("dog,place=out", 40),
        )
    }  # fmt: skip
    said = uneven(metrics, "pictures")
    assert said.index("dog,place=in") < said.index("dog,place=out")
    assert "cat" not in said
    assert "goes by" in said
    metrics["group_accuracy/dog,place=out"] = wilson(79, 100)
    said = uneven(metrics, "pictures")
    assert "cat,place=in" in said
    assert "dog,place=out" in said
    assert "goes by" not in said


def test_subclasses_of_many_classes_are_as_many_groups_as_there_are(tmp_path: Path) -> None:
    """Eight classes with five subclasses each are 40 groups of 320 that are possible."""
    rows = []
    for kind in range(8):
        fill(tmp_path / f"class{kind}", 10)
        rows += [f"class{kind}/{n:03}.png,fine{5 * kind + n % 5}" for n in range(10)]
    (tmp_path / "metadata.csv").write_text("\n".join(["file_name,fine", *rows]))
    config = tiny(
        tmp_path / ".runs", data=str(tmp_path), groups=("fine",), num_train=60, num_test=16,
        objective="group_dro",
    )  # fmt: skip
    result = start(config)
    tags = [tag for tag in result.metrics if tag.startswith("group_accuracy/")]
    assert 8 <= len(tags) <= 16


@pytest.mark.parametrize(
    ("header", "row", "encoding", "said"),
    [
        ("file_name;patient", "{path};P{number}", "utf-8", "separated by semicolons"),
        ("file_name,patient,Größe", "{path},P{number},1", "cp1252", "it is not in UTF-8"),
        ("filename,patient", "{path},P{number}", "utf-8", "call 'filename' so, if that is it"),
        ("file_name,patient", "{name},P{number}", "utf-8", "has no picture's path from the folder"),
        ("file_name,patient,patient", "{path},1,2", "utf-8", "two columns are called 'patient'"),
        ("file_name,patient", "{path},P{number}", "utf-8", ""),
        ("file_name,patient", "{path},P{number}", "utf-8-sig", ""),
        ("file_name,patient", "", "utf-8", ""),
    ],
)
def test_a_table_that_cannot_be_used_is_told_also_where_nobody_asked_for_it(
    header: str, row: str, encoding: str, said: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        fill(tmp_path / "own" / name, 10)
    files = sorted((tmp_path / "own").rglob("*.png"))
    rows = [
        row.format(path=file.relative_to(tmp_path / "own").as_posix(), name=file.name, number=k % 5)
        for k, file in enumerate(files)
        if row
    ]
    table = tmp_path / "own" / "metadata.csv"
    table.write_bytes("\n".join([header, *rows, ""]).encode(encoding))
    world = open_world(DataConfig(data=str(tmp_path / "own"), num_train=10, num_test=4), seed=0)
    assert isinstance(world, FolderWorld)
    told = [each for each in world.doubts() if str(table) in each]
    assert [each.startswith("not used, ") and said in each for each in told] == [True] * bool(said)


@pytest.mark.parametrize(("form", "written"), [("NFD", "NFC"), ("NFC", "NFD"), ("NFC", "NFC")])
def test_accents_may_be_apart_from_their_letters(form: str, written: str, tmp_path: Path) -> None:
    """As macOS has them in names of files, and a table may not."""
    rows = ["file_name,place"]
    for label in ("Bäume", "Blüten"):
        fill(tmp_path / unicodedata.normalize(form, label), 8)
        path = unicodedata.normalize(written, label)
        rows += [f"{path}/{k:03}.png,{'xy'[k % 2]}" for k in range(8)]
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    data = DataConfig(data=str(tmp_path), num_train=10, num_test=4, groups=("place",))
    world = open_world(data, seed=0)
    assert isinstance(world, FolderWorld)
    assert not [each for each in world.doubts() if "not used" in each]
    assert len(world.metadata.codes) == 16


@pytest.mark.parametrize("name", ["Metadata.csv", "metadata.CSV", "metadata.jsonl", "metadata.tsv"])
@pytest.mark.parametrize("place", ["", "train"])
def test_a_table_of_another_name_is_told(name: str, place: str, tmp_path: Path) -> None:
    for each in ("train/a", "train/b", "test/a", "test/b"):
        fill(tmp_path / "own" / each, 4)
    (tmp_path / "own" / place / name).write_text("file_name,patient\n")
    world = open_world(DataConfig(data=str(tmp_path / "own"), num_train=8, num_test=8), seed=0)
    assert isinstance(world, FolderWorld)
    said = [line for line in world.doubts() if "not used, " in line]
    assert said == [f"not used, {tmp_path / 'own' / place / name}: the table must be metadata.csv."]
