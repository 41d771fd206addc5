"""Scripts in odd surroundings: closed streams, encodings, terminals, folders, flags of Python."""

import ast
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.core.cli import main
from support.picture_folders import fill
from support.scripts import is_refused, load_script

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path for path in (ROOT / "scripts").glob("*.py") if path.name[0] != "_")

SPEAK = """
import os, sys
from dataclasses import dataclass
from lab.core.cli import main

@dataclass
class Flags:
    'Speak.'
    bad: bool = False
    '''Fail.'''

def speak(flags: Flags) -> int:
    if flags.bad:
        raise ValueError("no – \\udcff ✓")
    with open("file", "w", encoding="utf-8") as file:
        for number in (1, 2):
            os.write(number, b"what a library says")
        print("0.4–0.6 × … → \\udcff ✓", flush=True)
        print("warning", file=sys.stderr, flush=True)
        file.write("mine")
    return 0

sys.exit(main(speak))
"""


def speak(
    folder: Path, redirected: str = "", *words: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """What a script says whose streams the shell has redirected, as `2>&-` closes one."""
    (folder / "speak.py").write_text(SPEAK, encoding="utf-8")
    command = shlex.join([sys.executable, str(folder / "speak.py"), *words])
    return subprocess.run(
        ["sh", "-c", f"{command} {redirected}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


NAMES = """
import sys
from pathlib import Path
from lab.core.config import DataConfig
from lab.core.locks import check_out
from lab.models.files import from_file
from lab.worlds import open_world

place = sys.argv[1]
for call in (
    lambda: check_out(Path(place)),
    lambda: open_world(DataConfig(data=place)),
    lambda: from_file(Path(place) / "net.py", "net", "net"),
):
    try:
        call()
    except ValueError as error:
        print(ascii(str(error)))
"""


def test_a_name_in_utf_8_is_not_blamed_for_the_locale(tmp_path: Path) -> None:
    (tmp_path / "ü").mkdir()
    (tmp_path / "ü" / "net.py").write_text("")
    (tmp_path / "names.py").write_text(NAMES)
    done = subprocess.run(
        [sys.executable, tmp_path / "names.py", "ü"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0",
             "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line, flag in zip(lines, ("", "--data ", "--model "), strict=True):
        assert line[1:].startswith(f"{flag}'")
        assert "\\xfc" in line
        assert "is in UTF-8, and the locale of this program says that names are in ascii" in line
        assert "PYTHONUTF8=1" in line


@pytest.mark.parametrize("flag", ["--data", "--model"])
def test_a_name_that_is_no_text_is_refused_before_a_run_has_a_folder(
    flag: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        fill(tmp_path / "\udcff" / name, 3)
    (tmp_path / "\udcff" / "net.py").write_text("")
    given = str(tmp_path / "\udcff") + ("" if flag == "--data" else "/net.py:net")
    words = [flag, given, "--out", str(tmp_path / "runs"), "--steps", "1"]
    assert f"{flag} '" in (line := is_refused(load_script("train").train, words))
    assert "is not in UTF-8" in line
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_nowhere_and_no_file_gets_their_place(
    closed: str, tmp_path: Path
) -> None:
    done = speak(tmp_path, closed)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_text() == "mine"
    assert ("warning" in done.stderr) == ("2>&-" not in closed)
    assert "warning" not in done.stdout
    assert ("0.4" in done.stdout) == (" >&-" not in f" {closed}")


@pytest.mark.parametrize("lost", ["2>&-", "2>/dev/full"])
def test_an_error_that_cannot_be_told_is_an_exit_code(lost: str, tmp_path: Path) -> None:
    done = speak(tmp_path, lost, "--bad")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("encoding", ["ascii:strict", "ascii", "cp437:strict", "latin-1:strict"])
def test_any_text_can_be_said_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    done = speak(tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    if encoding.startswith("ascii"):
        assert done.stdout.endswith("0.4-0.6 x ... -> \\udcff \\u2713\n")
    bad = speak(tmp_path, "", "--bad", PYTHONIOENCODING=encoding)
    assert bad.returncode == 2
    assert bad.stderr.count("\n") == 1


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Do something."""

    some: int = 0
    """A flag with a text that takes more than one line of a narrow terminal."""


def nothing(flags: Flags) -> None:
    """Take the flags."""


@pytest.mark.parametrize("columns", ["1", "5", "39", "0", "-7", "junk"])
def test_the_narrowest_terminal_gets_help_and_errors(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        main(nothing, ["--help"])
    assert "--some" in capsys.readouterr().out
    assert main(nothing, ["--some", "x"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert os.environ["COLUMNS"] == columns


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    done = speak(tmp_path, "2>&1", "--bad")
    assert done.returncode == 2
    (tmp_path / "gone").mkdir()
    command = f"cd gone && rmdir ../gone && {shlex.quote(sys.executable)} ../speak.py"
    done = subprocess.run(
        ["sh", "-c", command.replace("../speak.py", str(tmp_path / "speak.py"))],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "deleted" in done.stderr


@pytest.mark.parametrize("flags", ["-I", "-OO"])
def test_python_can_be_told_to_leave_out_its_folder_or_all_texts(flags: str) -> None:
    """`-I` leaves out the script's folder, as `-P` and PYTHONSAFEPATH do from Python 3.11 on."""
    done = subprocess.run(
        [sys.executable, flags, str(ROOT / "scripts" / "train.py"), "--help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--num-train" in done.stdout
    assert "Flags(" not in done.stdout


def test_figures_ask_for_no_window_and_no_notebook() -> None:
    """`pyplot` would read MPLBACKEND, which a notebook sets for all that is started in it."""
    for path in (ROOT / "lab").rglob("*.py"):
        assert "pyplot" not in path.read_text(encoding="utf-8"), path


DRAW = """
from lab.experiments.show.page import to_svg
from lab.experiments.show.style import caption, new_figure, png, title

figure, (axes,) = new_figure(width=3, height=2)
axes.plot([1, 2], label="one")
axes.legend()
title(axes, "of 100 %")
caption(figure)
assert len(png(figure)) > 1000 and "100 %" in to_svg(figure, "a")
import matplotlib, os
print(os.environ["MPLBACKEND"], matplotlib.rcParams["text.usetex"])
"""


@pytest.mark.parametrize("backend", ["module://no_inline.backend_inline", "agg", "none such"])
def test_figures_are_drawn_whatever_a_notebook_or_a_style_asks_for(
    backend: str, tmp_path: Path
) -> None:
    """A backend that is not installed, and TeX, which is not there either."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    environ = os.environ | {"MPLBACKEND": backend, "PATH": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", DRAW], cwd=tmp_path, env=environ,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{backend} True"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_finds_its_neighbors_by_itself(path: Path) -> None:
    found = False
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Expr) and "__file__" in ast.unparse(node):
            found = "sys.path.insert" in ast.unparse(node)
        if isinstance(node, ast.Import) and node.names[0].name == "_bootstrap":
            assert found
            return
    raise AssertionError("it is not set up")
