"""The console command: the same subcommands as the scripts, instant help, the nearest match."""

import ast
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from lab.commands import list_commands, main
from lab.core import program

ROOT = Path(__file__).parent.parent
NO_COMMANDS = {"bench", "docs", "test"}
"""Scripts for those who work on the lab, which measure or check a checkout."""


def test_every_script_is_a_subcommand_and_the_other_way_round() -> None:
    scripts = {path.stem for path in (ROOT / "scripts").glob("[a-z]*.py")} - NO_COMMANDS
    assert {name.replace("-", "_") for name in list_commands()} == scripts
    for name, about in list_commands().items():
        assert about, name
        text = (ROOT / "scripts" / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
        functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
        assert functions == [], "a script calls its command and does nothing else"


def test_the_project_installs_the_command() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (place,) = re.findall(rf'^{program.CONSOLE} = "([\w.:]+)"$', text, flags=re.MULTILINE)
    module, _, function = place.partition(":")
    assert getattr(import_module(module), function) is main


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_list_has_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(list_commands())


def test_the_list_and_each_help_come_without_torch() -> None:
    code = (
        "import contextlib, sys\n"
        "from lab.commands import list_commands, main\n"
        "main([])\n"
        "for name in list_commands():\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        main([name, '--help'])\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in list_commands():
        assert f"usage: {program.CONSOLE} {name} " in done.stdout


@pytest.mark.parametrize(
    ("word", "meant"),
    [("trian", "train"), ("report_crad", "report-card"), ("learning", "learning-curve")],
)
def test_an_unknown_command_gets_its_nearest_match(
    word: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word, "--steps", "5"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"did you mean {meant!r}" in err


@pytest.mark.parametrize("name", ["report-card", "report_card", "Report-Card"])
def test_flags_reach_the_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--seeds", "1"]) == 2
    assert "--seeds must be 2 or more" in capsys.readouterr().err


def test_commands_are_spelled_as_they_were_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["scripts/report_card.py", "--model", "my net.py:net"])
    assert program.spelled("report_card") == "python3 scripts/report_card.py"
    assert program.typed("report_card").endswith(".py --model 'my net.py:net'")
    assert program.spelled("train", processes=2).endswith("2 scripts/train.py")
    for start in ("/usr/bin/memorization-lab", "memorization-lab.exe"):
        monkeypatch.setattr(sys, "argv", [start, "report-card", "--seeds", "2"])
        assert program.typed("report_card") == "memorization-lab report-card --seeds 2"
        assert program.spelled("train", processes=2).endswith("2 -m lab.commands train")


@pytest.mark.parametrize(
    ("path", "posix", "windows"),
    [
        ("my runs", "'my runs'", '"my runs"'),
        ("-runs", "./-runs", "./-runs"),
        ("it's", """'it'"'"'s'""", "it's"),
        ("a\nb\x1b[31m's", r"$'a\nb\x1b[31m\'s'", None),
    ],
)
def test_a_path_is_a_word_of_the_shell(
    path: str, posix: str, windows: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert program.quoted(Path(path)) == posix
    said = subprocess.run(["bash", "-c", f"printf %s {posix}"], capture_output=True, text=True)
    assert said.stdout == ("./-runs" if path == "-runs" else path)
    monkeypatch.setattr(program, "WINDOWS", True)
    if windows is not None:
        assert program.quoted(Path(path)) == windows


def test_every_command_line_in_a_message_quotes_its_folders() -> None:
    """Not as {folder}, but as {quoted(folder)}."""
    for path in sorted(Path(program.__file__).parents[1].rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for word in re.findall(r"--(?:logdir|resume) \{([^}]*)", text, flags=re.IGNORECASE):
            assert word.startswith(("quoted(", "go_on")), path


def test_a_folder_s_odd_name_stays_on_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = "a\nb\x1b[31m"
    words = "--task shape --num-train 8 --num-test 8 --image-size 16 --model linear --steps 1"
    assert main(["train", *words.split(), "--no-pictures", "--name", "run", "--out", odd]) == 0
    assert main(["train", "--resume", f"{odd}/run"]) == 0
    small = ["--num-train", "2", "--image-size", "16"]
    assert main(["export", "--task", "shape", *small, "--out", f"{odd}/faces"]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert len(re.findall(r"^a\\nb\\x1b\[31m/run", told, flags=re.MULTILINE)) == 2
    assert "--logdir $'a\\nb\\x1b[31m'\n" in told
    assert told.endswith("to a\\nb\\x1b[31m/faces\n")


def test_outside_of_the_checkout_a_script_is_named_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["mine.py"])
    monkeypatch.chdir(tmp_path)
    word, script = shlex.split(program.from_here("board"))
    assert word == "python3"
    assert Path(script) == program.SCRIPTS / "board.py"
    monkeypatch.setattr(program, "SCRIPTS", tmp_path / "my lab" / "scripts")
    (tmp_path / "my lab" / "scripts").mkdir(parents=True)
    assert program.from_here("board").endswith("/my lab/scripts/board.py'")
    monkeypatch.chdir(tmp_path / "my lab")
    assert program.from_here("board") == "python3 scripts/board.py"
