"""Runs that were done elsewhere are collected as a whole, or not at all."""

import errno
from pathlib import Path

import pytest

from lab.experiments.runner.collect import collect_run_files

FILES = {"config.json": b"{}", "checkpoints/last.pt": b"\x00\x01"}


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_files_become_the_folder_in_place_of_what_was_there(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "half").write_text("of an earlier try")
    collect_run_files(FILES, run)
    assert content(run) == FILES
    assert list(tmp_path.iterdir()) == [run]


@pytest.mark.parametrize("name", ["../config.json", "/etc/passwd", "a/../../b", "."])
def test_no_file_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    collect_run_files(FILES, tmp_path / "run")
    with pytest.raises((ValueError, OSError)):
        collect_run_files({**FILES, name: b"bad"}, tmp_path / "run")
    assert content(tmp_path) == {f"run/{path}": data for path, data in FILES.items()}


def test_a_full_disk_names_the_folder_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    collect_run_files(FILES, run)

    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left") as caught:
            collect_run_files({"config.json": b"new"}, run)
    assert caught.value.filename == str(run)
    assert content(run) == FILES
    assert list(tmp_path.iterdir()) == [run]
