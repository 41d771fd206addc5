"""The command line: one clear line for every mistake, and help without waiting for torch."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import tyro

from lab import watch
from lab.core.cli import main, parse
from lab.core.config import PLACE, DataConfig, ModelConfig, RunConfig, TrainConfig, check
from lab.core.flags import flags_of
from lab.core.paths import at_home
from lab.core.text import unknown
from lab.experiments import run_grid
from lab.runs.train import start
from lab.worlds import save_npz
from support.scripts import is_refused, load_script

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Do something."""

    run: RunConfig = field(default_factory=RunConfig)
    twice: int | None = None
    """How often; None: never."""
    sizes: tuple[int, ...] = (3, 4)
    """How large.

    They may be
    (all) alike, from 1 to
    1,000 of them."""
    shift: float = 0.0


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
    ("words", "says"),
    [
        ("--num-trian 64", "'--num-trian' --num-train"),
        ("--num-trian=64", "'--num-trian' --num-train"),
        ("--no-picture", "'--no-picture' --no-pictures"),
        ("--lr 0.1", "'--lr' --learning-rate"),
        ("--epochs 3", "'--epochs' --steps"),
        ("--twins 4", "'--twins' --counterfactuals"),
        ("--fresh", "'--fresh' --online"),
        ("--kinds missing", "'--kinds' --subpopulations"),
        ("--hold-out gaze=left", "'--hold-out' --unseen-combinations"),
        ("--hold_out gaze=left", "'--hold_out' --unseen-combinations"),
        ("--xyz faces", "'--xyz' --help"),
        ("-steps 5", "'-steps' --steps"),
        ("–steps 5", "long --steps"),
        ("—num_train=5", "long --num-train"),
        ("stray", "'stray'"),
        ("steps=5", "write --steps 5"),
        ("help", "write --help"),
        ("--num-train many", "whole 'many'"),
        ("--num-train 1e3", "whole '1e3' write --num-train 1000"),
        ("--num-train 1e9", "'1e9' 2 1,000,000"),
        ("--early-stopping 5000.0", "'5000.0' 1 1,000"),
        ("--num-train 10k", "write --num-train 10000"),
        ("--num-train 1,000", "write --num-train 1000"),
        ("--num-train 100.0", "write --num-train 100"),
        ("--num-train 100,", "write --num-train 100"),
        ("--num-train '\"100\"'", "write --num-train 100"),
        ("--num-train", "--num-train value whole"),
        ("--num-train --steps 5", "--num-train value whole"),
        ("--num-train= 100", "--num-train value whole"),
        ("--num-train 5 --num-train=6", "--num-train twice"),
        ("--cues a:1 --steps 5 --cues b:1", "--cues twice after the first"),
        ("--augment --no-augment", "--augment twice"),
        ("--variation a", "number 'a'"),
        ("--variation 0,5", "write --variation 0.5"),
        ("--variation 50%", "write --variation 0.5"),
        ("--precision float16", "'float16' float32 bfloat16"),
        ("--device CPU", "'CPU' write --device cpu"),
        ("--augment true", "--augment --no-augment"),
        ("--pictures=False", "--pictures --no-pictures"),
        ("--early-stopping x", "whole None 'x'"),
        ("--early-stopping none", "write --early-stopping None"),
        ("--sizes 100,1000", "spaces '100,1000' write --sizes 100 1000"),
        ("--sizes 100, 1000", "write --sizes 100 1000"),
        ("--sizes '[100, 1000]'", "write --sizes 100 1000"),
        ("--sizes 100 x", "whole 'x'"),
        ("--cues '\"gaze:0.9\"'", "write --cues gaze:0.9"),
        ("--out ''", "--out value path"),
        ("--data ''", "--data value None"),
        ("--data=", "--data value None"),
        ("--name ''", "--name value None"),
    ],
)
def test_mistakes_are_one_line_that_says_what_to_write(
    words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(nothing, shlex.split(words)) == 2
    line = told(capsys)
    for word in says.split():
        assert word in line


@pytest.mark.parametrize("word", ["1e9", "1,000,001", "1000k", "1.0", "-5.0", "0k"])
def test_what_a_line_says_to_write_is_taken(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Or it says what would be."""
    assert main(nothing, ["--num-train", word]) == 2
    line = told(capsys)
    _, write, advice = line.partition("; write ")
    if not write:
        assert "2 to 1,000,000" in line
        return
    flags = parse(Flags, advice.split())
    check(flags.run)


def test_a_flags_line_is_about_that_flag_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Not a word about what a parser expects, in its own terms."""
    for each in flags_of(Flags):
        if each.kind is bool or not (each.choices or each.kind in (int, float)):
            continue
        assert main(nothing, [each.name, "?"]) == 2
        line = told(capsys)
        assert each.name in line
        assert "'?'" in line
        assert not {"INT", "FLOAT", "{None}", "argument", "parse", "["} & set(line.split())
        assert all(choice in line for choice in each.choices)


@pytest.mark.parametrize(
    "words",
    ["--num-train 1_000", "--num_train 7", "--learning-rate 1e-3", "--seed=+5", "--name None",
     "--cues", "--cues a:0.9 b=c/d:1", "--sizes=5 6", "--shift -0.5", "--shift -inf", "--name -5",
     "--no-pictures", "--early-stopping None", "--out ~/a,b"],
)  # fmt: skip
def test_what_fits_is_taken(words: str) -> None:
    assert main(nothing, shlex.split(words)) == 0


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Look at pictures."""

    run: tyro.conf.Positional[Path]
    """Which run."""
    pictures: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Which pictures."""
    beside: tuple[Path, ...] = ()
    """Others."""
    out: Path = Path("out")
    """Where to."""
    data: str | None = field(default=None, metadata=PLACE)
    """Where from."""
    name: str = "x"
    """A name."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder; the current one is another."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ("r --out=~/runs", {"out": Path("{home}/runs")}),
        ("r --out ~/runs", {"out": Path("{home}/runs")}),
        ("r --out=~", {"out": Path("{home}")}),
        ("r --out a~/runs", {"out": Path("a~/runs")}),
        ("r --out ./~x/runs", {"out": Path("{here}/~x/runs")}),
        ("r --data ~/photos", {"data": "{home}/photos"}),
        ("r --data=./~x.npz", {"data": "{here}/~x.npz"}),
        ("r --data ./x//y.npz", {"data": "./x//y.npz"}),
        ("r --name ~/a", {"name": "~/a"}),
        ("~/r ~/a.png b.png", {"run": Path("{home}/r"),
                               "pictures": (Path("{home}/a.png"), Path("b.png"))}),
        ("--beside ~/b -- ~/r", {"beside": (Path("{home}/b"),), "run": Path("{home}/r")}),
    ],
)  # fmt: skip
def test_a_leading_tilde_of_a_path_is_the_users_folder(
    words: str, taken: dict[str, object], home: Path
) -> None:
    """Shells leave it as it is in quotes and behind an equals sign."""
    got: list[Paths] = []

    def run(flags: Paths) -> None:
        got.append(flags)

    run.__annotations__["flags"] = Paths
    assert main(run, words.split()) == 0
    for name, value in taken.items():
        wanted = str(value).replace("{home}", str(home)).replace("{here}", str(Path.cwd()))
        assert str(getattr(got[0], name)) == wanted


@pytest.mark.parametrize(
    "words", ["r --out ~nobodyx/a", "r --out=~nobodyx", "r --data ~nobodyx/a", "~nobodyx/a"]
)
def test_the_folder_of_an_unknown_user_is_refused(words: str, home: Path) -> None:
    def run(flags: Paths) -> None:
        """Take the flags."""

    run.__annotations__["flags"] = Paths
    said = is_refused(run, words.split())
    assert "there is no user 'nobodyx' here; if that is a name in this folder, write ./~nob" in said
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("flag", ["--data", "--out", "--model-file", "--resume"])
def test_without_a_home_a_tilde_is_refused(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    said = is_refused(load_script("train").train, [flag, "~/x"])
    assert f"{flag} ~/x: this user has no home folder" in said


@pytest.mark.usefixtures("runs_here")
def test_paths_of_python_programs_begin_in_the_users_folder(home: Path) -> None:
    assert at_home("~/x") == home / "x"
    assert at_home(at_home("./~x")) == Path.cwd() / "~x"
    home.mkdir()
    pairs = (torch.rand(12, 20, 20), torch.arange(12) % 2)
    assert save_npz("~/mine.npz", pairs) == home / "mine.npz"
    data = DataConfig(data="~/mine.npz", num_train=8, num_test=2, image_size=16)
    config = RunConfig(
        data=data, train=TrainConfig(steps=1), model=ModelConfig(width=1), counterfactuals=0,
        pictures=False, device="cpu", out=Path("~/runs"),
    )  # fmt: skip
    assert start(config).folder.parent == home / "runs"
    grid = run_grid(config, {"num_train": [8]}, seeds=1, out=Path("~/grid"), processes=1)
    assert grid.out == home / "grid"
    given: dict[str, Any] = {"train": pairs, "test": pairs, "outputs": "logits"}
    with watch(torch.nn.Flatten(), **given, out="~/watched") as watched:
        watched(0)
    assert (home / "watched").is_dir()
    assert list(Path.cwd().iterdir()) == []


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


SCRIPTS = sorted(
    path.stem for path in (ROOT / "scripts").glob("[a-z]*.py") if "lab.core.cli" in path.read_text()
)


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What each script prints with --help in a terminal of 110 columns; none imports torch."""
    code = (
        "import contextlib, io, json, runpy, sys\n"
        "sys.path.insert(0, 'scripts')\n"
        "said = {}\n"
        "for name in sys.argv[1:]:\n"
        "    sys.argv = [f'scripts/{name}.py', '--help']\n"
        "    out = io.TextIOWrapper(io.BytesIO(), encoding='utf-8')\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(out):\n"
        "        runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "    out.flush()\n"
        "    said[name] = out.buffer.getvalue().decode()\n"
        "    assert 'torch' not in sys.modules, name\n"
        "print(json.dumps(said))\n"
    )
    command = [sys.executable, "-c", code, *SCRIPTS]
    env = {**os.environ, "COLUMNS": "110"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=env)
    return json.loads(done.stdout)


def test_help_names_every_default(helps: dict[str, str]) -> None:
    """Also where it is empty."""
    for script, said in helps.items():
        assert not re.search(r"default:[\s│]*(''\s*)?\)", said), script


@pytest.mark.parametrize("script", ["train", "sweep --grid steps=2,3", "evaluate runs/x"])
def test_an_empty_place_of_pictures_is_told_what_it_should_be(script: str) -> None:
    """As of a shell's variable that is not set."""
    name, *words = script.split()
    said = is_refused(getattr(load_script(name), name), [*words, "--data", ""])
    wanted = "--data needs a value: the path of a folder of pictures or of an .npz file, or None"
    assert said == f"error: {wanted}\n"


def test_help_lists_every_flag_without_importing_torch(helps: dict[str, str]) -> None:
    wanted = (
        "--name --out --task --num-train --num-test --image-size --variation --label-noise --model"
        " --width --steps --batch-size --learning-rate --weight-decay --dropout --augment --seed"
        " --device --precision --eval-every --resume"
    )
    for word in wanted.split():
        assert word in helps["train"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_breaks_its_lines_where_the_terminal_ends_and_nowhere_else(
    script: str, helps: dict[str, str]
) -> None:
    """Of every line that goes on in the next, the next one's first word would have been too long:
    a break of the source would show."""
    boxed = [line[1:-1] for line in helps[script].splitlines() if line.startswith("│")]
    column = next(line for line in boxed if "--help" in line).index("show this")
    broken = 0
    for line, after in pairwise(boxed):
        goes_on = after[:column].isspace() and not after.isspace() and not after.startswith(" ─")
        name_alone = not line[:column].isspace() and "  " not in line.strip()
        if goes_on and not name_alone:
            broken += 1
            word = after.split()[0]
            assert len(line.rstrip()) + 1 + len(word) > len(line) - 1, (line, after)
    assert broken > 5 or script not in ("evaluate", "train")


def test_paragraphs_of_a_help_text_stay_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(nothing, ["--help"])
    assert end.value.code == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split("\n"))
    assert re.search(r"How large\.\s{20,}They may be \(all\) alike, from 1 to 1,000", said)


def test_a_reader_who_has_heard_enough_ends_it_in_silence() -> None:
    """As `scripts/gallery.py --help | head -1` does."""
    code = (
        "import sys; from dataclasses import dataclass; from lab.core.cli import main\n"
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


def test_words_without_a_flag_may_stand_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Words:
        """Take words."""

        run: tyro.conf.Positional[Path]
        """A folder."""
        files: tyro.conf.Positional[tuple[Path, ...]]
        """Files."""
        sizes: tuple[int, ...] = ()
        """Numbers."""
        loud: bool = False
        """Whether to shout."""

    seen = []

    def run(flags: Words) -> None:
        """Take the flags."""
        seen.append(flags)

    run.__annotations__["flags"] = Words
    for words in (
        "run a b --loud --sizes 1 2", "--loud run a b --sizes 1 2", "run --sizes=1 2 --loud a b",
        "run a --loud b --sizes 1 2", "--loud --sizes 1 2 -- run a b",
    ):  # fmt: skip
        assert main(run, words.split()) == 0, capsys.readouterr().err
        paths = (Path("a"), Path("b"))
        assert seen.pop() == Words(run=Path("run"), files=paths, sizes=(1, 2), loud=True)
    assert main(run, ["--", "-x", "--loud"]) == 0
    assert seen.pop() == Words(run=Path("-x"), files=(Path("--loud"),))
    assert main(run, ["--loud"]) == 2
    assert "RUN is missing" in told(capsys)


@pytest.mark.parametrize("word", ["eyes,nose", "eyes; nose", "eyes nose", "eyes:0.9,nose"])
def test_several_names_in_one_word_are_seen(word: str) -> None:
    assert "spaces" in unknown("part", word, ["eyes", "nose", "ears"])
    assert "spaces" not in unknown("part", word.replace("nose", "knees"), ["eyes", "nose"])


def test_a_flag_counts_as_given_also_with_its_default_value() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Careful:
        """Ask which flags were written."""

        some: int = 3
        """A number."""
        loud: bool = False
        """A switch."""
        other: int = 4
        """Another number."""

        def check_given(self, names: frozenset[str]) -> None:
            raise ValueError(f"given: {' '.join(sorted(names))}")

    for words, names in (("--some=3 --no-loud", "loud some"), ("--other 4", "other"), ("", "")):
        with pytest.raises(ValueError, match=f"^given: {names}$"):
            parse(Careful, words.split())


@pytest.mark.parametrize(
    ("script", "words", "says"),
    [
        ("train", "--resume runs/x --width 16", "--resume leave out --width"),
        ("train", "--resume runs/x --no-augment", "--resume leave out --augment"),
        ("train", "--resume runs/x --preset useful", "--resume leave out --preset"),
        ("sweep", "--grid width=2 --width 16", "--width is set by --grid"),
        ("sweep", "--grid num-train=20,30 --num-train 100", "--num-train is set by --grid"),
        ("learning_curve", "--num-train 100", "--num-train is set by --sizes"),
        ("dose_response", "--num-train 100", "--num-train is set by --sizes"),
        ("report_card", "--num-train 100", "--num-train is set by --sizes"),
        ("sweep", "--grid width=2,4 --threads 2", "--threads is set by the grid"),
        ("learning_curve", "--threads 2", "--threads is set by the grid"),
        ("dose_response", "--data photos", "--data photos drawn pictures"),
        ("dose_response", "--threads 1", "--threads is set by the grid"),
        ("dose_response", "--counterfactuals 0", "--counterfactuals must be 1 or more here"),
        ("dose_response", "--early-stopping 3", "--early-stopping 3 --eval-every"),
        ("dose_response", "--stop-at-loss 0.1 --steps 40 --eval-every 40", "--eval-every 2"),
        ("dose_response", "--online", "--online the same at all --sizes name one"),
        ("learning_curve", "--online", "--online same at all --sizes leave it out"),
        ("report_card", "--threads 2", "--threads is set by the report card"),
        ("evaluate", "runs/x --search-faces 200", "--search-faces goes with --find-failures only"),
        ("lesson", "random_labels --results", "--results leave out random_labels"),
        ("lesson", "--book --seeds 3", "--book leave out --seeds"),
        ("lesson", "--networks --seeds 3", "--networks leave out --seeds"),
        ("lesson", "--seeds 3", "--seeds goes with the name of a lesson"),
        ("lesson", "random_labels --executor ray://auto --processes 2", "--processes leave out"),
        ("sweep", "--grid seed=1 --executor ray://auto --processes 2", "--processes leave out"),
        ("export", "--out e --num-test 30", "--num-test goes with --split test only"),
        ("export", "--out e --split test --num-train 100", "--num-train goes with --split train"),
        ("export", "--out e --split test --label-noise 0", "--label-noise with --split train"),
        ("train", "--model linear --width 16", "--width --model linear leave it out"),
        ("train", "--model torchvision:resnet18 --width 8", "--width torchvision:resnet18"),
        ("train", "--preset memorizer --model linear --width 9", "--width --model linear"),
        ("sweep", "--grid seed=1 --model linear --width 16", "--width --model linear"),
        ("report_card", "--model cnn_m --against linear --width 8", "--width --model cnn_m linear"),
        ("learning_curve", "--model linear --width 16", "--width --model linear"),
        ("dose_response", "--model linear --width 16", "--width --model linear"),
        ("pool", "--model linear --width 8", "--width --model linear"),
        ("pool", "--without-runs 10", "--without-runs goes with --without-memorized only"),
        ("train", "--label-noise-kind random", "--label-noise-kind random --label-noise"),
        ("train", "--cue-visibility 1", "--cue-visibility 1 --cues"),
        ("audit", "--label-noise 0.9", "--label-noise leave it out"),
        ("audit", "--resize crop", "--resize is about pictures of --data"),
        ("audit", "--groups site", "--groups is about pictures of --data"),
        ("audit", "--data .", "--data train.py tells before the training"),
        ("board", "--links-only --no-train", "--train --links-only"),
    ],
)
def test_a_flag_without_effect_is_refused_also_with_its_default_value(
    script: str, words: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = is_refused(getattr(load_script(script), script), words.split())
    for word in says.split():
        assert word in line


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("train", "--preset useful --model linear"),
        ("train", "--label-noise 0.2 --label-noise-kind random"),
        ("train", "--model mlp --width 16"),
        ("sweep", "--grid label_noise=0,0.2 model=linear,cnn --label-noise-kind flip --width 8"),
        ("dose_response", "--cue-visibility 0.5"),
        ("report_card", "--model linear --width 8"),
        ("pool", "--without-memorized 9 --without-runs 10"),
        ("export", "--out e --split test --num-test 30"),
    ],
)
def test_a_flag_with_an_effect_is_taken(script: str, words: str) -> None:
    parse(import_module(f"lab.commands.{script}").Flags, words.split())


def test_a_warning_of_others_code_is_a_line_and_told_once() -> None:
    code = """
import sys, warnings
from dataclasses import dataclass
from lab.core.cli import main

@dataclass(frozen=True, kw_only=True)
class Flags:
    "Nothing."

def run(flags: Flags) -> None:
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.warn_explicit("switch\\n  to another", FutureWarning, "their.py", 7)

sys.exit(main(run, []))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0
    assert done.stderr == "warning: switch to another (FutureWarning, their.py:7)\n"
