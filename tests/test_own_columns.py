"""Columns that users name stand beside the lab's in every table, and replace none of them."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lab import watch
from lab.core.cli import main
from lab.core.run_dir import RunDir
from lab.core.text import own_columns
from lab.experiments import found_table, found_text
from lab.pool import run_pool
from lab.pool.report import report
from lab.runs.predictions import Prediction, Seen, to_csv
from lab.runs.train import start
from lab.watching.settings import WatchedSettings
from support.configs import tiny
from support.loops import pictures
from support.picture_folders import fill
from support.scripts import load_script

NAMES = st.sampled_from(["a", "b", "k:a", "k:b", "k:k:a", "c"])


@given(st.lists(NAMES, unique=True), st.lists(NAMES))
def test_columns_have_names_of_their_own(names: list[str], beside: list[str]) -> None:
    columns = own_columns(names, beside=beside, kind="k")
    assert list(columns) == names
    assert not set(columns.values()) & set(beside)
    assert len(set(columns.values())) == len(names)
    for name, column in columns.items():
        assert column.endswith(name)
        assert (column == name) == (name not in beside)


def pets(folder: Path, *columns: str) -> dict[str, dict[str, str]]:
    """Pictures of two classes with columns of two values each; returns the rows by file."""
    rows = {}
    for name in ("cat", "dog"):
        fill(folder / name, 12)
        for k in range(12):
            file = f"{name}/{k:03d}.png"
            rows[file] = {c: f"{c} {(k + n) % 2}" for n, c in enumerate(columns)}
    with (folder / "metadata.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, ["file_name", *columns])
        table.writeheader()
        table.writerows({"file_name": file, **row} for file, row in rows.items())
    return rows


def read(path: Path, mark: str = ",") -> list[dict[str, str]]:
    """The rows of a table whose columns all have different names."""
    with path.open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream, delimiter=mark)
    assert max(Counter(header).values()) == 1, header
    return [dict(zip(header, row, strict=True)) for row in rows]


def of_pets(folder: Path, out: Path, *columns: str, **settings: Any) -> Any:
    return tiny(out, data=str(folder), groups=columns, num_train=16, num_test=4, **settings)


@pytest.mark.parametrize("name", ["prediction", "loss", "number", "split"])
def test_the_table_of_examples_has_a_users_column_beside_its_own(name: str, tmp_path: Path) -> None:
    given = pets(tmp_path / "pets", name, "camera")
    folder = start(of_pets(tmp_path / "pets", tmp_path, name, "camera", pictures=True)).folder
    words = [str(folder), "--examples", str(tmp_path / "table.csv")]
    assert main(load_script("evaluate").evaluate, words) == 0
    rows = read(tmp_path / "table.csv")
    assert Counter(row["split"] for row in rows) == {"train": 16, "test": 4}
    for row in rows:
        assert (row["prediction"] == row["label"]) == (row["right"] == "True")
        assert row["prediction"] in ("cat", "dog")
        assert 0 <= int(row["number"]) < 16
        assert float(row["loss"]) > 0
        told = given[row["file"]]
        assert (row[f"group:{name}"], row["camera"]) == tuple(
            value.replace(" ", "_") for value in told.values()
        )
    points = read(folder / "projector" / "examples.tsv", "\t")
    assert {point["prediction"] for point in points} <= {"cat", "dog"}
    column = "group:prediction" if name == "prediction" else name
    assert {point[column] for point in points} == {f"{name}_0", f"{name}_1"}
    assert {point["camera"] for point in points} == {"camera_0", "camera_1"}


@pytest.mark.usefixtures("runs_here")
def test_a_pools_scores_have_a_users_column_beside_their_own(tmp_path: Path) -> None:
    given = pets(tmp_path / "pets", "memorization", "camera")
    config = of_pets(tmp_path / "pets", tmp_path, "memorization", "camera")
    result = run_pool(config, networks=4, processes=1)
    report(result)
    rows = read(result.folder / "scores.csv")
    assert len(rows) == 16
    for row in rows:
        assert -1 <= float(row["memorization"] or 0) <= 1
        told = given[row["file"]]["memorization"].replace(" ", "_")
        assert (row["group:memorization"], row["camera"][:6]) == (told, "camera")


def test_answers_have_a_column_for_each_class(tmp_path: Path) -> None:
    classes = ("error", "part", "notes", "picture", "answer", "cat")
    chances = {name: k / 15 for k, name in enumerate(classes)}
    path = tmp_path / "answers.csv"
    path.write_text(to_csv([Prediction(Seen(path=Path("a.png")), chances)], classes))
    (row,) = read(path)
    assert (row["picture"], row["error"], row["part"], row["notes"]) == ("a.png", "", "", "")
    assert row["answer"] == "error", "the first of them"
    for name, chance in chances.items():
        column = name if name == "cat" else f"probability:{name}"
        assert float(row[column]) == chance


def test_a_watched_runs_settings_stand_beside_what_is_known_of_it(tmp_path: Path) -> None:
    (x, y), test = pictures(20, 0), pictures(20, 1)
    for k in range(2):
        told = {"num_train": f"many {k}", "seeds": k, "trick": k, "metric": f"mine {k}"}
        with watch(
            nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), train=(x, y), test=test,
            out=tmp_path / str(k), settings=told, pictures=False, quiet=True,
        ):  # fmt: skip
            torch.manual_seed(k)
        assert RunDir(tmp_path / str(k)).settings()[1].watched["settings"] == told
    columns = WatchedSettings(
        network="Sequential", source="tensors", num_train=20, num_test=20, label_noise=0.0,
        told=told, pictures=False,
    ).columns()  # fmt: skip
    assert (columns["num_train"].value, columns["setting:num_train"].value) == (20, "many 1")
    assert (columns["setting:metric"].value, columns["trick"].value) == ("mine 1", 1)
    table = found_table(tmp_path)
    assert dict(table.grid) == {
        "setting:num_train": ("many 0", "many 1"), "seeds": (0, 1), "trick": (0, 1),
        "metric": ("mine 0", "mine 1"),
    }  # fmt: skip
    header = [cell.strip() for cell in found_text(table).split("\n")[0].strip("|").split("|")]
    assert header[:5] == ["setting:num_train", "setting:seeds", "trick", "metric", "seeds"]


def test_watched_networks_of_other_sizes_are_no_seeds_of_one(tmp_path: Path) -> None:
    """Three models in one folder, all of them `nn.Sequential`, as in a comparison."""
    (x, y), test = pictures(20, 0), pictures(20, 1)
    for k, width in enumerate((None, None, 3)):
        torch.manual_seed(k)
        last = [nn.Linear(64, 2)] if width is None else [nn.Linear(64, width), nn.Linear(width, 2)]
        model = nn.Sequential(nn.Flatten(), *last)
        with watch(
            model, train=(x, y), test=test, out=tmp_path / str(k), pictures=False, quiet=True
        ):
            pass
    table = found_table(tmp_path)
    assert dict(table.grid) == {"parameters": ("130", "203")}
    assert [len(cell.runs) for cell in table.cells] == [2, 1]
    assert found_text(table).startswith("| parameters")
