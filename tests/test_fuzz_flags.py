"""Every script's flags with hostile values: exit code 2, one line, nothing written, no hang."""

import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints
from unittest.mock import Mock

import pytest
from hypothesis import strategies as st

from lab.core.cli import LONGEST, one_line
from lab.core.flags import flags_of
from support.hostile import TEXTS, TIMES, hostile_texts, search
from support.scripts import command, is_a_good_line, is_refused, load_script, told

SMALL = {
    "--num-train": "8", "--num-test": "8", "--image-size": "16", "--width": "1", "--steps": "1",
    "--counterfactuals": "0", "--batch-size": "4", "--seeds": "1",
    "--sizes": "8", "--processes": "1",
}  # fmt: skip

GATES = {
    "train": ("lab.core.run_dir.RunDir.create",),
    "export": ("lab.worlds.export.reserved",),
    "audit": ("lab.worlds.audit.audit",),
    "gallery": ("lab.worlds.faces.gallery.people",),
    "evaluate": ("lab.runs.evaluate.measure",),
    "predict": ("lab.runs.load.open_run",),
    "board": ("lab.commands.board.serve",),
}
"""What each script calls once it has taken its flags as good; nothing was written before."""


class Accepted(Exception):
    """The flags got through."""


def gate(*args: object, **more: object) -> None:
    """Stands for the work."""
    raise Accepted


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny finished run."""
    out = tmp_path_factory.mktemp("good")
    flags = [word for pair in SMALL.items() for word in pair if "seeds" not in pair[0]][:14]
    code, said = told(load_script("train").train, [*flags, "--out", str(out), "--name", "run"])
    assert code == 0, said
    return out / "run"


WRITTEN = ("--out", "--json", "--csv", "--show")
"""Flags that name files to be written."""


def names_of(run: Callable) -> list[str]:
    """The script's flags."""
    (kind,) = (kind for name, kind in get_type_hints(run).items() if name != "return")
    return [each.name for each in flags_of(kind) if not each.bare]


@TIMES
@pytest.mark.parametrize("name", list(GATES))
def test_hostile_flags_are_one_line_and_nothing_is_written(
    name: str, times: int, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load_script(name)
    run = getattr(module, name)
    for place in GATES[name]:
        monkeypatch.setattr(place, gate)
    monkeypatch.chdir(tmp_path)
    flags = [flag for flag in names_of(run) if flag not in WRITTEN]
    known = [word for flag, value in SMALL.items() if flag in flags for word in (flag, value)]
    out = ["--out", "new"] if "--out" in names_of(run) and name != "evaluate" else []
    bare = {"evaluate": [str(run_folder)], "predict": [str(run_folder)]}.get(name, [])
    if name == "audit":
        known.append("--no-probes")

    def holds(given: list[tuple[str, list[str]]], first: str | None) -> None:
        words = [*(bare if first is None else [first]), *known, *out]
        for flag, values in given:
            words += [flag, *values]
        before = sorted(run_folder.rglob("*"))
        with contextlib.suppress(Accepted):
            is_refused(run, words)
        assert list(tmp_path.iterdir()) == []
        assert sorted(run_folder.rglob("*")) == before

    given = st.lists(
        st.tuples(st.sampled_from(flags or ["--none"]), st.lists(hostile_texts, max_size=2)),
        min_size=1,
        max_size=2,
    )
    first = st.none() if name != "evaluate" else st.none() | hostile_texts.filter(bool)
    if name == "train":  # a file that is named may be any program
        given = given.filter(lambda pairs: ("--resume", []) not in pairs)
    search(holds, given, first, examples=60, times=times)


@pytest.mark.parametrize("name", ["learning_curve", "dose_response"])
def test_hostile_flags_of_grids_are_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = getattr(load_script(name), name)
    monkeypatch.chdir(tmp_path)
    known = [word for flag, value in SMALL.items() for word in (flag, value)]

    def holds(flag: str, value: str) -> None:
        is_refused(run, [*known, "--dropout", "7", flag, value])
        assert list(tmp_path.iterdir()) == []

    flags = [flag for flag in names_of(run) if flag not in (*WRITTEN, "--dropout", "--resume")]
    search(holds, st.sampled_from(flags), hostile_texts, examples=60, times=1)


def test_in_a_real_process_too(tmp_path: Path) -> None:
    value = "é\n\x1b[31m" + "a" * 100_000
    done = subprocess.run(
        command("train.py", "--out", str(tmp_path / "runs"), f"--num-train={value}"),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    is_a_good_line(done.stderr[:-1])
    assert list(tmp_path.iterdir()) == []


def test_any_text_becomes_one_short_line_for_a_terminal() -> None:
    def holds(text: str) -> None:
        line = one_line(text)
        assert line.isprintable()
        assert len(line) <= 10 * LONGEST
        assert one_line(line) == line or len(line) > LONGEST

    search(holds, st.text() | st.sampled_from(TEXTS), examples=300, times=1)
    assert one_line("two\nlines, one\x1b[31m red") == r"two lines, one\x1b[31m red"
    assert len(one_line("x" * 10**6)) <= LONGEST


def test_too_little_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = load_script("train").train
    monkeypatch.chdir(tmp_path)
    many = ["--num-train", "1000000", "--num-test", "1000000", "--image-size", "512"]
    assert "GB of memory: lower --num-train" in is_refused(train, many)
    assert list(tmp_path.iterdir()) == []

    for error in (
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: 9"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ):
        monkeypatch.setattr("lab.runs.train.start", Mock(side_effect=error))
        assert "not enough memory" in is_refused(train, [])
