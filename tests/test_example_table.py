"""The table of examples: its rows give the metrics of the run again."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab.core.cli import main
from lab.core.run_dir import RunDir
from lab.measure.label_doubts import LabelDoubts, features_of, label_doubts
from lab.runs.load import open_run
from lab.runs.train import start
from lab.worlds import Examples, World, draw_examples
from support.configs import tiny
from support.picture_folders import fill
from support.scripts import load_script


@pytest.fixture(scope="module")
def script() -> Any:
    """scripts/evaluate.py as a module."""
    return load_script("evaluate")


def rows_of(folder: Path, path: Path, script: Any) -> list[dict[str, str]]:
    words = [str(folder), "--counterfactuals", "0", "--examples", str(path)]
    assert main(script.evaluate, words) == 0
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def trained(out: Path, **data: Any) -> Path:
    config = tiny(out, steps=30, eval_every=30, name="run", counterfactuals=0, pictures=False)
    return start(replace(config, data=replace(config.data, image_size=16, **data))).folder


def agrees(rows: list[dict[str, str]], folder: Path) -> None:
    """Assert that the rows give accuracy, loss and the order of losses of the run again."""
    summary = RunDir(folder).summary()
    for split in ("train", "test"):
        chosen = [row for row in rows if row["split"] == split]
        assert len(chosen) == summary["accuracy"][split]["count"]
        assert [int(row["number"]) for row in chosen] == list(range(len(chosen)))
        right = np.mean([row["right"] == "True" for row in chosen])
        assert right == pytest.approx(summary["accuracy"][split]["value"])
        losses = np.array([float(row["loss"]) for row in chosen])
        assert losses.mean() == pytest.approx(summary["loss"][split]["value"], rel=1e-4)
        odds = np.array([float(row["log_odds"]) for row in chosen])
        assert np.allclose(losses, np.log1p(np.exp(-odds)), rtol=1e-4)
        for row in chosen:
            assert (row["prediction"] == row["label"]) == (row["right"] == "True")
        if split == "train":
            ranks = [int(row["rank"]) for row in chosen]
            assert sorted(ranks) == list(range(1, len(chosen) + 1))
            assert (np.diff(losses[np.argsort(ranks)]) <= 0).all()
        else:
            assert {row["rank"] for row in chosen} == {""}


def test_of_drawn_faces_it_has_the_wrong_labels_and_all_attributes(
    tmp_path: Path, script: Any
) -> None:
    folder = trained(tmp_path, num_train=24, num_test=40, label_noise=0.5)
    rows = rows_of(folder, tmp_path / "faces.csv", script)
    agrees(rows, folder)
    wrong = sum(row["label"] != row["true_label"] for row in rows)
    fitted = sum(
        row["label"] != row["true_label"] and row["prediction"] == row["label"] for row in rows
    )
    share = RunDir(folder).summary()["memorization"]["mislabeled_fitted"]
    assert wrong == share["count"]
    assert fitted / wrong == pytest.approx(share["value"])
    assert {row["eyes"] for row in rows} <= {"0", "1", "2"}
    assert {row["file"] for row in rows} == {""}


def test_of_a_folder_it_names_the_files(tmp_path: Path, script: Any) -> None:
    for name in ("cat", "dog"):
        fill(tmp_path / "pets" / name, 20)
    folder = trained(tmp_path, data=str(tmp_path / "pets"), num_train=32)
    rows = rows_of(folder, tmp_path / "pets.csv", script)
    agrees(rows, folder)
    named = {row["file"] for row in rows}
    assert len(named) == 40
    assert all((tmp_path / "pets" / name).is_file() for name in named)
    assert all(row["file"].startswith(row["label"]) for row in rows)


def test_no_more_features_are_held_than_neighbors_are_looked_for_among(
    tmp_path: Path, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained(tmp_path, num_train=32, num_test=8)
    monkeypatch.setattr("lab.measure.label_doubts.MOST", 20)
    monkeypatch.setattr("lab.worlds.world.World.batches", in_threes(World.batches))
    held = []

    def spied(seen: Any, labels: torch.Tensor, losses: torch.Tensor) -> LabelDoubts:
        def made(where: slice) -> torch.Tensor | None:
            found = seen(where)
            held.append(len(found))
            return found

        return label_doubts(made, labels, losses)

    monkeypatch.setattr("lab.runs.example_table.label_doubts", spied)
    rows = [row for row in rows_of(folder, tmp_path / "faces.csv", script) if row["rank"]]
    assert (held[0], sum(held)) == (20, 32)
    config, model, *_ = open_run(folder)
    faces = draw_examples(config.data, split="train", count=32, seed=config.seed)
    losses = torch.tensor([float(row["loss"]) for row in rows], dtype=torch.float64)
    whole = label_doubts(features_of(model, faces.images), faces.labels, losses)
    assert [int(row["doubt_rank"]) for row in rows] == whole.ranks.tolist()


def in_threes(batches: Callable[..., Iterator[Examples]]) -> Callable[..., Iterator[Examples]]:
    """`World.batches`, three examples at a time."""
    return lambda world, split, count, batch=None: batches(world, split, count, 3)


def test_a_table_that_cannot_be_written_is_refused_first(
    tmp_path: Path, script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(tmp_path, num_train=8, num_test=8)
    capsys.readouterr()
    for path in (tmp_path / "no" / "where.csv", folder / "metrics.jsonl"):
        assert main(script.evaluate, [str(folder), "--examples", str(path)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert f"--examples {path}: " in said.err
