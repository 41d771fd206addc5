"""Files are whole or absent, whatever fails, and on file systems that can do less than others."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.core import atomic
from lab.core.atomic import draft, replace_file, replace_text

GONE = 2**22 + 1
"""A process that Linux never has."""


def test_lines_end_alike_everywhere(tmp_path: Path) -> None:
    replace_text(tmp_path / "text", "é\n\r\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9\n\r\n"


@pytest.mark.parametrize("stage", ["write", "fsync", "keep", "replace"])
def test_a_fault_at_any_stage_leaves_the_old_file_and_nothing_else(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, kept = tmp_path / "file", tmp_path / "kept"
    replace_file(path, b"old")

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    pieces: tuple[Any, ...] = (b"new", b"er")
    real, calls = os.replace, iter(("keep", "replace"))
    if stage == "write":
        pieces = (b"new", "no bytes")
    elif stage == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(
            os, "replace", lambda *args: full() if next(calls) == stage else real(*args)
        )
    with pytest.raises((OSError, TypeError)) as caught:
        replace_file(path, *pieces, keep=kept)
    if isinstance(caught.value, OSError):
        assert caught.value.filename == str(path)
    left = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    assert left == ({"kept": b"old"} if stage == "replace" else {"file": b"old"})


@pytest.mark.parametrize("code", ["EINVAL", "ENOTSUP", "ENOSYS", "EBADF"])
def test_a_folder_that_cannot_be_flushed_is_no_fault(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_folders(monkeypatch, getattr(errno, code))
    replace_text(tmp_path / "file", "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


def test_a_folder_that_cannot_be_opened_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    real = os.open

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    replace_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_a_disk_that_fails_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_folders(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="file"):
        replace_text(tmp_path / "file", "new")


def test_a_file_that_cannot_be_flushed_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fail(errno.EINVAL))
    with pytest.raises(OSError, match="file"):
        replace_text(tmp_path / "file", "new")
    assert not list(tmp_path.iterdir())


def fail(code: int) -> Callable[..., None]:
    def failing(*args: Any) -> None:
        raise OSError(code, os.strerror(code))

    return failing


def refuse_folders(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let fsync fail on folders alone."""
    real = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            fail(code)()
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)


def test_windows_waits_for_a_reader_to_close_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = os.replace, [3]

    def busy(*args: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise PermissionError(errno.EACCES, "it is being used by another process")
        real(*args)

    monkeypatch.setattr(os, "replace", busy)
    with pytest.raises(PermissionError):
        replace_text(tmp_path / "file", "new")
    assert left == [2], "elsewhere waiting does not help"
    monkeypatch.setattr(atomic, "WINDOWS", True)
    replace_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    left[0] = 10**6
    monkeypatch.setattr(atomic, "PATIENCE", 0.0)
    with pytest.raises(PermissionError, match="file"):
        replace_text(tmp_path / "file", "newer")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


def test_what_a_killed_process_left_is_swept_up_and_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / f".card[1].{GONE}.tmp").mkdir()
    (tmp_path / f".card[1].{GONE}.tmp" / "half").touch()
    for name in (f".card[1].{GONE + 1}.tmp", f".card[1].{os.getppid()}.tmp", f".other.{GONE}.tmp"):
        (tmp_path / name).touch()
    replace_text(tmp_path / "card[1]", "new")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"card[1]", f".card[1].{os.getppid()}.tmp", f".other.{GONE}.tmp"}


def test_windows_is_asked_nothing_that_would_end_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There `os.kill` ends it, whatever the signal."""
    monkeypatch.setattr(atomic, "WINDOWS", True)
    monkeypatch.setattr(os, "kill", fail(errno.EINVAL))
    (tmp_path / f".card.{GONE}.tmp").touch()
    replace_text(tmp_path / "card", "new")
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_left_of_a_draft_goes(tmp_path: Path) -> None:
    with pytest.raises(KeyError), draft(tmp_path / "folder") as new:  # noqa: PT012
        new.mkdir()
        (new / "half").touch()
        raise KeyError
    assert not list(tmp_path.iterdir())
