"""Columns of an .npz file: groups of pictures in arrays, as metadata.csv makes of a folder's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.core.config import DataConfig
from lab.core.run_dir import RunDir
from lab.runs.train import start
from lab.worlds import ArrayWorld, open_world
from lab.worlds.groups import group_counts
from support.configs import tiny
from support.scripts import is_a_good_line, is_refused, load_script

COUNT = 40
PLACES = np.array(["indoors", "outdoors"])


def arrays(**changes: Any) -> dict[str, Any]:
    """Pictures of two classes, mostly in a place each; None leaves an array out."""
    random = np.random.default_rng(0)
    y = np.arange(COUNT) % 2
    made = {
        "x": random.integers(0, 255, (COUNT, 18, 16, 3)).astype(np.uint8),
        "y": y,
        "place": PLACES[y ^ (np.arange(COUNT) % 5 == 0)],
        "year": 2000 + np.arange(COUNT) // 2 % 2,
        "class_names": np.array(["cat", "dog"]),
    }
    return {name: each for name, each in {**made, **changes}.items() if each is not None}


def saved(folder: Path, **changes: Any) -> Path:
    path = folder / "pets.npz"
    np.savez(path, **arrays(**changes))
    return path


def opened(path: Path, *groups: str, **data: Any) -> ArrayWorld:
    config = DataConfig(**{"data": str(path), "image_size": 16, "groups": groups, **data})
    world = open_world(config, seed=0)
    assert isinstance(world, ArrayWorld)
    return world


@pytest.mark.parametrize("own_test", [False, True])
def test_each_picture_has_the_values_at_its_number(own_test: bool, tmp_path: Path) -> None:
    made = arrays()
    if own_test:
        made |= {f"{name}_test": made[name][::-1] for name in ("x", "y", "place", "year")}
    world = opened(saved(tmp_path, **made), "place", "year")
    for split in ("train", "test"):
        examples = world.load(split, world.available(split))
        for i in range(len(examples)):
            key, number = world.item(split, i)
            assert key == ("x_test" if own_test and split == "test" else "x")
            end = key.removeprefix("x")
            assert examples.samples.names("place")[i] == made[f"place{end}"][number]
            assert examples.samples.names("year")[i] == str(made[f"year{end}"][number])
    counts = group_counts(world.load("train", world.data.num_train), world.grouped_by)
    assert sum(counts.values()) == world.data.num_train
    assert counts["cat,place=indoors,year=2001"] > 0
    assert not any("not used" in line for line in world.doubts())


@pytest.mark.parametrize(
    "values",
    [
        np.arange(COUNT) % 3 == 0,
        (np.arange(COUNT) % 3).astype(np.uint8),
        np.array([b"a", b"b"])[np.arange(COUNT) % 2],
        (np.arange(COUNT) % 2)[:, None],
    ],
)
def test_numbers_texts_and_booleans_are_columns(values: Any, tmp_path: Path) -> None:
    world = opened(saved(tmp_path, place=values), "place")
    texts = values.ravel().astype(str).tolist()
    examples = world.load("train", 10)
    for i in range(10):
        assert examples.samples.names("place")[i] == texts[world.item("train", i)[1]]


def test_a_run_measures_its_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path)
    config = tiny(
        tmp_path, data=str(path), groups=("place",), num_train=30, objective="group_dro",
        name="run", steps=4, eval_every=4,
    )  # fmt: skip
    start(config)
    said = capsys.readouterr().out
    assert "column: place alone tells the class of " in said
    assert "array year in" in said  # the other column is not used
    summary = RunDir(tmp_path / "run").summary()
    assert "worst_group" in summary["accuracy"]
    assert {name.split(",")[1] for name in summary["group_accuracy"]} <= {
        "place=indoors",
        "place=outdoors",
    }


def test_other_values_are_another_version_and_columns_that_are_not_named_are_not(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path)
    plain, grouped = opened(path).version, opened(path, "place").version
    assert plain != grouped
    path = saved(tmp_path, year=np.arange(COUNT))
    assert (opened(path).version, opened(path, "place").version) == (plain, grouped)
    path = saved(tmp_path, place=arrays()["place"][::-1])
    assert opened(path).version == plain
    assert opened(path, "place").version != grouped
    assert opened(saved(tmp_path, year=None, place=None)).version == plain


@pytest.mark.parametrize(
    ("groups", "changes", "line"),
    [
        (("plase",), {}, r"unknown column 'plase'; did you mean 'place'"),
        (("x",), {}, "unknown column 'x'"),
        (("place",), {"place": None, "year": None}, "there is no array 'place' in it"),
        (("place", "place"), {}, "named twice"),
        (("place",), {"place": np.zeros(COUNT, int)}, "has one value for all 40 pictures"),
        (("place",), {"place": np.arange(COUNT) % 2 + 0.5}, "whole numbers or texts, not float64"),
        (("place",), {"place": np.arange(3)}, "x has 40 pictures, and place has 3 values"),
        (("place",), {"place": np.zeros((COUNT, 2), int)}, "must have one value for each picture"),
        (("place",), {"place": np.full(COUNT, 2**63, np.uint64)}, "has a value beyond"),
        (
            ("place",), {"place": np.resize(["a b", "a_b"], COUNT)},
            "column place: .* would be one name",
        ),
        (("year",), {"year": np.resize(np.arange(60), COUNT * 2)[:COUNT] * 7}, None),
        (
            ("place",), {"x_test": arrays()["x"], "y_test": arrays()["y"]},
            "place and place_test belong together, and place_test is missing",
        ),
    ],
)  # fmt: skip
def test_a_column_that_does_not_fit_is_one_line(
    groups: Sequence[str], changes: dict[str, Any], line: str | None, tmp_path: Path
) -> None:
    path = saved(tmp_path, **changes)
    if line is None:
        assert len(opened(path, *groups).grouped_by[0].words) == COUNT
        return
    with pytest.raises(ValueError, match=line) as caught:
        opened(path, *groups)
    assert str(caught.value).startswith("--groups")
    is_a_good_line(str(caught.value))


def test_too_many_groups_and_python_objects_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    train = load_script("train").train
    for values, line in (
        (np.array([{}] * COUNT), "Python objects"),
        (np.array([f"{i}" for i in range(COUNT)]), "pictures in all, and 100 are the most"),
    ):
        path = saved(tmp_path, place=values)
        words = ["--data", str(path), "--groups", "place", "year", "--out", str(tmp_path / "r")]
        assert line in is_refused(train, words)
        assert not (tmp_path / "r").exists()
