"""A folder is one process's, on every file system that has locks; on others a line says so."""

import errno
import fcntl
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.core import run_dir as folder
from lab.core.locks import LOCK, InUse, locked
from lab.core.run_names import check_name

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _first_notice() -> None:
    """Each test is a process that has said nothing yet."""
    for value in vars(folder).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def without_locks(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def flock(file: Any, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("code", ["ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL"])
def test_without_locks_it_goes_on_and_says_so_once(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without_locks(monkeypatch, getattr(errno, code))
    done = []
    with caplog.at_level(logging.WARNING):
        for name in ("one", "two", "one"):
            (tmp_path / name).mkdir(exist_ok=True)
            with locked(tmp_path / name):
                done.append(name)
    assert len(done) == 3
    (record,) = caplog.records
    assert str(tmp_path) in record.getMessage()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != LOCK]


def test_nothing_is_left_that_would_keep_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark left by a killed process would, where it only looks whether there is one."""
    with monkeypatch.context() as patch:
        without_locks(patch, errno.ENOSYS)
        with locked(tmp_path), locked(tmp_path):
            pass
    with locked(tmp_path):
        pass


def test_a_disk_that_fails_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match=LOCK), locked(tmp_path):
        pass


def test_nfs_locks_what_is_open_for_writing_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock

    def flock(file: Any, operation: int) -> None:
        mode = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        if operation & fcntl.LOCK_EX and mode == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(tmp_path), pytest.raises(InUse), locked(tmp_path):
        pass


def test_the_holder_is_named_and_its_lock_dies_with_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from lab.core.locks import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InUse, match=rf"in use by process {holder.pid};"), locked(tmp_path):
            pass
        path = tmp_path / LOCK
        path.write_text(path.read_text().rpartition(" ")[0] + " elsewhere")
        with pytest.raises(InUse, match=f"process {holder.pid} on elsewhere"), locked(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("name", ["con", "NUL", "Aux.txt", "com1", "lpt9.tar.gz", "run.", "a:b"])
def test_no_name_is_taken_that_other_systems_cannot_have(name: str) -> None:
    with pytest.raises(ValueError, match="--name"):
        check_name(name)
    for fit in ("con-1", "console", "com0", "a.con", "null"):
        assert check_name(fit) == fit
