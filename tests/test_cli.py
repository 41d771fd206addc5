"""The command line: one clear line for every mistake, and help without waiting for torch."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.cli import main
from lab.config import RunConfig

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Do something."""

    run: RunConfig = field(default_factory=RunConfig)
    twice: int | None = None
    """How often; None: never."""


def nothing(flags: Flags) -> None:
    """Take the flags."""


def fails(error: BaseException) -> Callable[[Flags], int]:
    """A program that ends by an error."""

    def run(flags: Flags) -> int:
        raise error

    return run


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err.strip()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--num-trian", "64"], "unknown flag '--num-trian'; did you mean '--num-train'?"),
        (["--num-trian=64"], "unknown flag '--num-trian'; did you mean '--num-train'?"),
        (["--num-train", "many"], "--num-train: not a whole number: 'many'"),
        (["--variation", "a"], "--variation: not a number: 'a'"),
        (["--precision", "float16"], "'float16' for argument '--precision'"),
        (["--num-train"], "Missing value for argument '--num-train'"),
        (["--early-stopping", "x"], "--early-stopping: not {None}|INT: ['x']"),
        (["stray"], "unexpected 'stray'"),
    ],
)
def test_bad_flags_are_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(nothing, words) == 2
    assert line in told(capsys)


def test_a_flag_that_must_be_given_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Grid:
        """Do several things."""

        grid: tuple[str, ...]
        """What to vary."""

    def run(flags: Grid) -> None:
        """Take the flags."""

    run.__annotations__["flags"] = Grid
    assert main(run, []) == 2
    assert told(capsys) == "error: --grid is missing. What to vary."


def test_flags_are_flat_and_reach_the_function() -> None:
    seen = []

    def run(flags: Flags) -> int:
        seen.append(flags)
        return 3

    assert main(run, ["--num-train", "7", "--augment", "--steps", "5", "--twice", "2"]) == 3
    assert seen[0].run.data.num_train == 7
    assert seen[0].run.train.augment
    assert (seen[0].run.train.steps, seen[0].twice) == (5, 2)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("two\nlines"), 2, "error: two lines"),
        (FileNotFoundError(2, "No such file", "x.png"), 2, "error: x.png: No such file"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C"),
    ],
)
def test_errors_of_users_are_one_line(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(fails(error), []) == code
    assert told(capsys) == line


def test_errors_of_programmers_are_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="ours"):
        main(fails(RuntimeError("ours")), [])


def test_debug_shows_where_an_error_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(fails(ValueError("no")), ["--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_help_lists_every_flag_without_importing_torch() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = ['scripts/train.py', '--help']\n"
        "sys.path.insert(0, 'scripts')\n"
        "try:\n"
        "    runpy.run_path('scripts/train.py', run_name='__main__')\n"
        "finally:\n"
        "    assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    wanted = (
        "--name --out --task --num-train --num-test --image-size --variation --label-noise --model"
        " --width --steps --batch-size --learning-rate --weight-decay --dropout --augment --seed"
        " --device --precision --eval-every --resume"
    )
    for word in wanted.split():
        assert word in done.stdout


def test_a_reader_who_has_heard_enough_ends_it_in_silence() -> None:
    """As `scripts/gallery.py --help | head -1` does."""
    code = (
        "import sys; from dataclasses import dataclass; from lab.cli import main\n"
        "@dataclass\n"
        "class Flags:\n    'Talk.'\n"
        "def talk(flags: Flags) -> None:\n"
        "    while True: print('more', flush=True)\n"
        "sys.exit(main(talk, []))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as talker:
        assert talker.stdout is not None
        assert talker.stderr is not None
        assert talker.stdout.readline() == "more\n"
        talker.stdout.close()
        assert talker.stderr.read() == ""
        assert talker.wait(60) == 141
