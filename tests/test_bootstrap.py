"""Setting up on a bare machine, without really installing anything."""

import importlib.util
import re
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

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


def test_what_it_looks_for_is_what_the_project_asks_for(bootstrap: ModuleType) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for key, known in (("dependencies", bootstrap.NEEDED), ("dev", bootstrap.NEEDED_DEV)):
        block = re.search(rf"^{key} = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
        assert block
        names = re.findall(r'^ +"([a-z-]+)', block[1], re.MULTILINE)
        imported = {IMPORTED_AS.get(name, name) for name in names}
        assert imported - {"opencv-python-headless"} == set(known)
