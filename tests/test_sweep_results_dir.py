"""Folders of results take the place of older ones, and of nothing else."""

from pathlib import Path

import pytest

from lab.experiments.show.folders import replaced


def fill(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_older_results_go_and_whatever_else_was_there_stays(tmp_path: Path) -> None:
    old = fill(tmp_path / "figures", card="old", notes="mine")
    (old / "events.out.tfevents.1.host").touch()
    with replaced(old) as new:
        (new / "card").write_text("new")
    assert content(old) == {"card": "new", "notes": "mine"}
    assert list(tmp_path.iterdir()) == [old]


def test_a_run_is_never_replaced(tmp_path: Path) -> None:
    run = fill(tmp_path / "cnn", **{"config.json": "{}"})
    with pytest.raises(ValueError, match="is a run's folder"), replaced(run):
        raise AssertionError("never reached")
    assert content(run) == {"config.json": "{}"}


def test_after_an_error_the_old_one_is_as_it_was(tmp_path: Path) -> None:
    old = fill(tmp_path / "figures", card="old")
    with pytest.raises(FileNotFoundError), replaced(old) as new:
        (new / "no folder" / "card").write_text("new")
    assert content(old) == {"card": "old"}
    assert list(tmp_path.iterdir()) == [old]
