"""What the README says is so: its tables, its code, its commands, its pictures."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.tracking.tags import embed

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = sorted(set(re.findall(r"python3 (scripts/\w+\.py)([^`#\n]*)", TEXT)))


def test_the_tag_table_is_the_one_in_the_code() -> None:
    assert embed(TEXT) == TEXT


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\((assets/[^)]+)\)", TEXT))))
def test_pictures_are_there(path: str) -> None:
    assert (ROOT / path).stat().st_size > 0


@pytest.mark.parametrize("script", sorted({script for script, _ in COMMANDS} - {"scripts/test.py"}))
def test_commands_exist_and_know_their_flags(script: str) -> None:
    said = subprocess.run(
        [sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name, rest in COMMANDS:
        if name == script:
            for flag in re.findall(r"--[a-z-]+", rest):
                assert flag in said


def test_the_drawing_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(PYTHON[0], "README.md", "exec"), {})
    assert "hair_length" in capsys.readouterr().out


def test_the_model_example_trains(tmp_path: Path) -> None:
    (tmp_path / "my_net.py").write_text(PYTHON[1], encoding="utf-8")
    command = [sys.executable, str(ROOT / "scripts/train.py"), "--model", "my_net.py:my_net"]
    flags = ["--steps", "2", "--num-test", "20", "--num-train", "8"]
    run = subprocess.run([*command, *flags], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert list((tmp_path / "runs").glob("person-8-*my_net16-s0/summary.json"))
