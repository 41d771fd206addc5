"""Setting up on a bare machine, without really installing anything."""

import ast
import errno
import fcntl
import importlib.util
import os
import re
import subprocess
import sys
import time
import venv
from pathlib import Path
from types import ModuleType
from typing import TextIO

import pytest

ROOT = Path(__file__).parent.parent
IMPORTED_AS = {"pillow": "PIL", "pytest-xdist": "xdist", "scikit-learn": "sklearn"}


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, at home in an empty folder, where pip and venv only pretend."""
    spec = importlib.util.spec_from_file_location("_boot", ROOT / "scripts" / "_bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text("one")
    home = tmp_path / ".venv"
    for name, value in (("ROOT", tmp_path), ("VENV", home), ("MARK", home / "lab-setup.txt")):
        monkeypatch.setattr(module, name, value)

    def create(folder: Path, *, with_pip: bool) -> None:
        assert with_pip
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()

    monkeypatch.setattr(venv, "create", create)
    return module


def calls(monkeypatch: pytest.MonkeyPatch, *, fail: bool = False) -> list[str]:
    """What pip is asked to install from now on."""
    asked: list[str] = []

    def run(command: list[str], *, check: bool) -> None:
        asked.append(command[-1].rpartition("/")[2].rpartition("[")[2])
        if fail:
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_it_installs_once_and_again_when_the_project_changes(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = calls(monkeypatch)
    bootstrap.install()
    bootstrap.install()
    assert len(asked) == 1
    bootstrap.install("dev")
    bootstrap.install("dev")
    bootstrap.install()
    assert asked[1:] == ["dev]"]
    (bootstrap.ROOT / "pyproject.toml").write_text("two")
    bootstrap.install()
    assert asked[2:] == ["dev]"], "what was there before is brought up to date too"


def test_an_interrupted_install_is_not_taken_for_a_good_one(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls(monkeypatch, fail=True)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.install()
    leftover = bootstrap.VENV / "half"
    leftover.touch()
    asked = calls(monkeypatch)
    bootstrap.install()
    assert len(asked) == 1
    assert not leftover.exists()


def test_somebody_elses_environment_is_kept(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(bootstrap.VENV, with_pip=True)
    treasure = bootstrap.VENV / "treasure"
    treasure.touch()
    calls(monkeypatch, fail=True)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.install()
    asked = calls(monkeypatch)
    bootstrap.install()
    assert len(asked) == 1
    assert treasure.exists()


def test_a_checkout_that_others_prepared_need_not_be_writable(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls(monkeypatch)
    bootstrap.install("dev")
    monkeypatch.setattr(fcntl, "flock", lambda *args: pytest.fail("nobody need be kept out"))
    bootstrap.install()
    bootstrap.python().unlink()
    with pytest.raises(pytest.fail.Exception):
        bootstrap.install()


def test_nfs_locks_what_is_open_for_writing_alone(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(file: TextIO, operation: int) -> None:
        if not file.writable():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, "flock", flock)
    asked = calls(monkeypatch)
    before = (bootstrap.ROOT / "pyproject.toml").read_bytes()
    bootstrap.install()
    assert len(asked) == 1
    assert (bootstrap.ROOT / "pyproject.toml").read_bytes() == before


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_it_says_so_and_goes_on(
    code: int,
    bootstrap: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def flock(file: TextIO, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    asked = calls(monkeypatch)
    bootstrap.install()
    assert len(asked) == 1
    assert os.strerror(code) in capsys.readouterr().err


def test_who_comes_while_another_one_installs_waits_for_it(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = calls(monkeypatch)
    real, left = fcntl.flock, [3]

    def flock(file: TextIO, operation: int) -> None:
        left[0] -= 1
        if left[0] > 0:
            raise BlockingIOError
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    bootstrap.install()
    assert len(asked) == 1
    assert capsys.readouterr().err.count("waiting for another process") == 1


@pytest.mark.parametrize("system", ["linux", "win32"])
def test_the_script_starts_again_as_it_was_started(
    system: str, bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Python's own flags; on Windows as a process that is waited for, whose code counts."""
    started: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, 7)

    def execv(program: str, command: list[str]) -> None:
        started.append(command)
        raise SystemExit(7)

    monkeypatch.setattr(bootstrap, "NEEDED", ("no_such_module",))
    monkeypatch.setattr(bootstrap, "install", lambda extra: None)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-X", "dev", "scripts/train.py", "--steps"])
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setenv("LAB_BOOTSTRAPPED", "")
    with pytest.raises(SystemExit) as ended:
        bootstrap.ready()
    assert ended.value.code == 7
    place = "Scripts/python.exe" if system == "win32" else "bin/python"
    assert started == [[str(bootstrap.VENV / place), "-X", "dev", "scripts/train.py", "--steps"]]


def test_a_python_that_cannot_make_an_environment_is_one_line(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian's without python3-venv."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("LAB_BOOTSTRAPPED", raising=False)
    with pytest.raises(SystemExit, match="python3-venv"):
        bootstrap.ready()


def test_an_old_python_is_one_line(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """As macOS brings; before anything is imported that it cannot read."""
    monkeypatch.setattr(sys, "version_info", (3, 9, 6, "final", 0))
    with pytest.raises(SystemExit, match=r"3\.9.* 3\.10 or newer"):
        bootstrap.ready()
    oldest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert oldest is not None
    assert oldest[1] == ".".join(map(str, bootstrap.OLDEST))
    for path in (ROOT / "scripts").glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_what_it_looks_for_is_what_the_project_asks_for(bootstrap: ModuleType) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for key, known in (("dependencies", bootstrap.NEEDED), ("dev", bootstrap.NEEDED_DEV)):
        block = re.search(rf"^{key} = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
        assert block
        names = re.findall(r'^ +"([a-z-]+)', block[1], re.MULTILINE)
        imported = {IMPORTED_AS.get(name, name) for name in names}
        assert imported - {"opencv-python-headless"} == set(known)
