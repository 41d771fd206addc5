"""Damaged run folders: every reader goes on, or says in one line which file it is."""

import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st

from lab.core.cli import main, one_line
from lab.core.run_dir import METRICS, SUMMARY, RunDir
from lab.runs.load import open_run
from lab.runs.train import resume, start
from lab.tracking.writer import Tracker
from lab.training import BEST, LAST, PREVIOUS, load_checkpoint
from lab.training.checkpoint import FORMAT
from support.configs import rich, stateful
from support.hostile import TIMES, anything, search
from support.run_folders import assert_same_run, same_state, stop, summary
from support.scripts import is_a_good_line, is_refused, load_script, told


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny run."""
    out = tmp_path_factory.mktemp("runs")
    return start(rich(out, steps=10, eval_every=5, num_validation=20)).folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it that has not come to its end."""
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    summary = json.loads((copy / SUMMARY).read_text())
    (copy / SUMMARY).write_text(json.dumps({**summary, "status": "stopped"}))
    return copy


def signed(content: bytes) -> bytes:
    """Content with the end of a checkpoint whose checksum is right."""
    mark = f"memorization-lab checkpoint {FORMAT} sha256 ".encode()
    if zipfile.is_zipfile(io.BytesIO(content)) and content[-2:] == b"\0\0":
        content = content[:-2] + (len(mark) + 64).to_bytes(2, "little")
    return content + mark + hashlib.sha256(content + mark).hexdigest().encode()


def body(path: Path) -> bytes:
    """A checkpoint's zip archive without its comment."""
    content = path.read_bytes()
    return content[: content.rindex(b"memorization-lab checkpoint") - 2] + b"\0\0"


def saved(values: object) -> bytes:
    """A checkpoint file of any values."""
    buffer = io.BytesIO()
    torch.save(values, buffer)
    return signed(buffer.getvalue())


@TIMES
def test_a_checkpoint_cut_anywhere_or_with_any_bit_flipped_is_refused(
    times: int, finished: Path, tmp_path: Path
) -> None:
    good = (finished / "checkpoints" / LAST).read_bytes()
    path = tmp_path / LAST

    def refused(content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=LAST) as caught:
            load_checkpoint(path)
        is_a_good_line(str(caught.value))

    search(lambda n: refused(good[:n]), st.integers(0, len(good) - 1), examples=150, times=times)

    def flipped(bit: int) -> None:
        content = bytearray(good)
        content[bit // 8] ^= 1 << bit % 8
        refused(bytes(content))

    search(flipped, st.integers(0, 8 * len(good) - 1), examples=150, times=times)
    search(lambda junk: refused(junk), st.binary(max_size=300), examples=100, times=times)


class Payload:
    """Runs code when it is unpickled."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.trap),))


@TIMES
def test_foreign_content_with_a_right_checksum_runs_nothing(
    times: int, finished: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path, trap = tmp_path / LAST, tmp_path / "ran"
    good = body(finished / "checkpoints" / LAST)

    def holds(content: bytes) -> None:
        path.write_bytes(signed(content))
        try:
            load_checkpoint(path)
        except ValueError as error:
            is_a_good_line(one_line(str(error)), names=LAST)
        assert not trap.exists()

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for value in (Payload(trap), {"step": Payload(trap)}, [], 1, "x", {}):
            holds(pickle.dumps(value, protocol))

    def damaged(changes: list[tuple[int, int]], keep: int | None) -> None:
        content = bytearray(good)
        for place, value in changes:
            content[place % len(content)] = value
        holds(bytes(content[:keep]))

    places = st.integers(0, len(good))
    changes = st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)
    search(damaged, changes, st.none() | places, examples=150, times=times)
    assert [str(warning.message) for warning in recwarn] == []


def without(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A copy of nested values without one of them."""
    copy = dict(values)
    if len(keys) == 1:
        del copy[keys[0]]
    else:
        copy[keys[0]] = without(copy[keys[0]], *keys[1:])
    return copy


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no step": lambda v: without(v, "step"),
    "a text for a step": lambda v: {**v, "step": "3"},
    "no weights": lambda v: {**v, "model": None},
    "a number for weights": lambda v: {**v, "model": dict.fromkeys(v["model"], 1.0)},
    "a weight missing": lambda v: {**v, "model": dict(list(v["model"].items())[1:])},
    "no optimizer": lambda v: {**v, "optimizer": {}},
    "no groups": lambda v: without(v, "optimizer", "param_groups"),
    "no progress": lambda v: {**v, "progress": {}},
    "no figures": lambda v: without(v, "progress", "figures"),
    "a figure that is none": lambda v: {
        **v, "progress": {**v["progress"], "figures": {"accuracy/test": {"value": {}}}}
    },
    "evaluated later than trained": lambda v: {
        **v, "progress": {**v["progress"], "evaluated": 10**30}
    },
    "a best that is none": lambda v: {**v, "progress": {**v["progress"], "best": {"x": 1}}},
}  # fmt: skip


@pytest.mark.parametrize("how", list(BROKEN))
def test_checkpoints_of_another_make_are_one_line(how: str, folder: Path) -> None:
    path = folder / "checkpoints" / LAST
    values = torch.load(path, weights_only=True)
    path.write_bytes(saved(BROKEN[how](values)))
    with pytest.raises(ValueError, match="checkpoint") as caught:
        resume(folder)
    is_a_good_line(one_line(str(caught.value)))


def test_the_best_weights_are_no_state_to_go_on_from(folder: Path) -> None:
    shutil.copy(folder / "checkpoints" / BEST, folder / "checkpoints" / LAST)
    with pytest.raises(ValueError, match="no state to go on from"):
        resume(folder)
    open_run(folder)


def test_without_the_last_checkpoint_the_one_before_is_used(folder: Path) -> None:
    (folder / "checkpoints" / LAST).unlink()
    assert open_run(folder)
    assert resume(folder) is not None
    assert RunDir(folder).summary()["status"] == "finished"
    for name in (LAST, PREVIOUS):
        (folder / "checkpoints" / name).unlink()
    with pytest.raises(ValueError, match="no checkpoint"):
        open_run(folder)


@TIMES
def test_any_summary_is_read_or_named(times: int, folder: Path) -> None:
    good = (folder / SUMMARY).read_bytes()

    def holds(content: bytes) -> None:
        (folder / SUMMARY).write_bytes(content)
        try:
            assert isinstance(RunDir(folder).summary(), dict)
        except ValueError as error:
            is_a_good_line(one_line(str(error)), names=SUMMARY)

    for content in (b"", b"[" * 200_000, b"\xff", b"null", b"9" * 6000, b'{"a":' * 99_999):
        holds(content)
    texts = anything.map(lambda value: json.dumps(value).encode())
    cut = st.integers(0, len(good)).map(lambda length: good[:length])
    search(holds, texts | cut | st.binary(max_size=99), examples=200, times=times)


LINES = (
    "\n", "{}\n", "[]\n", "null\n", "x\n", '{"step": "a"}\n', '{"step": null}\n', '{"step": [1]}\n',
    "[" * 200_000 + "\n", "\udcff\n", '{"step": 0\n', "\x85\n", '{"step": ' + "9" * 6000 + "}\n",
)  # fmt: skip


def test_damaged_metrics_are_named_and_nothing_is_lost(folder: Path) -> None:
    good = (folder / METRICS).read_text().splitlines(keepends=True)
    assert len(good) == 3
    for line in LINES:
        content = "".join([good[0], line, *good[1:]]).encode(errors="surrogateescape")
        (folder / METRICS).write_bytes(content)
        with pytest.raises(ValueError, match=f"{METRICS} is damaged in line 2") as caught:
            Tracker(folder, start_step=6)
        is_a_good_line(one_line(str(caught.value)))
        assert (folder / METRICS).read_bytes() == content
    (folder / METRICS).write_text("".join(good) + '{"step": 10, "torn')
    with Tracker(folder, start_step=6):
        assert (folder / METRICS).read_text() == "".join(good[:2]), "a torn last line is none"


def test_lost_lines_of_metrics_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The file ends before the last evaluation of the checkpoint that the run goes on from."""
    good = (folder / METRICS).read_text().splitlines(keepends=True)
    for kept, says in ((2, "after step 5 up to step 10"), (0, "up to step 10"), (3, "")):
        caplog.clear()
        (folder / METRICS).write_text("".join(good[:kept]) + '{"step": 9, "torn')
        with Tracker(folder, start_step=11):
            assert (folder / METRICS).read_text() == "".join(good[:kept])
        said = " ".join(caplog.messages)
        assert (f"{METRICS} lacks the evaluations {says}:" in said) if says else said == ""


def test_a_damaged_metrics_file_stops_a_resume_in_one_line(folder: Path) -> None:
    (folder / METRICS).write_text("{}\n")
    said = is_refused(load_script("train").train, ["--resume", str(folder)])
    assert "delete the file to go on without the earlier" in said
    (folder / METRICS).unlink()
    assert resume(folder) is not None


def test_a_damaged_summary_is_written_anew(folder: Path) -> None:
    (folder / SUMMARY).write_text("[" * 200_000)
    assert resume(folder) is not None
    assert RunDir(folder).summary()["status"] == "finished"


@TIMES
def test_no_reader_of_a_folder_trips_over_its_files(
    times: int, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings, weights and logs with bytes changed, cut, or replaced by folders and loops."""
    names = ("config.json", SUMMARY, METRICS, f"checkpoints/{LAST}", f"checkpoints/{PREVIOUS}")
    predict = load_script("predict").predict
    evaluate = load_script("evaluate").evaluate
    monkeypatch.setattr("lab.runs.evaluate.measure", lambda *rest, **more: {})
    monkeypatch.setattr("lab.runs.evaluate.to_text", lambda *rest: "")
    number = iter(range(10**9))

    def holds(name: str, way: str, place: int, value: int) -> None:
        copy = tmp_path / f"run{next(number)}"
        shutil.copytree(finished, copy)
        path = copy / name
        content = bytearray(path.read_bytes())
        if way == "flip":
            content[place % len(content)] = value
        elif way == "cut":
            del content[place % len(content) :]
        path.unlink()
        if way == "folder":
            path.mkdir()
        elif way == "loop":
            path.symlink_to(path.name)
        elif way != "gone":
            path.write_bytes(content)
        for script, words in ((predict, [str(copy), "none.png"]), (evaluate, [str(copy)])):
            code, said = told(script, words)
            assert code in (0, 2)
            assert said.count("\n") == bool(code), said
            if code:
                is_a_good_line(said[:-1])
        shutil.rmtree(copy)

    ways = st.sampled_from(["flip", "flip", "cut", "folder", "loop", "gone"])
    search(
        holds, st.sampled_from(names), ways, st.integers(0, 99_999), st.integers(0, 255),
        examples=60, times=times,
    )  # fmt: skip


def test_the_folder_of_a_machine_with_another_device_is_of_use_here(folder: Path) -> None:
    """Trained on a GPU, which this machine lacks: all works, and --resume says how."""
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "device": "cuda"}))
    train, evaluate = load_script("train").train, load_script("evaluate").evaluate
    said = is_refused(train, ["--resume", str(folder)])
    assert "was trained on cuda, but torch" in said
    assert "go on with --device cpu" in said
    assert "--device cuda: torch" in is_refused(
        train, ["--resume", str(folder), "--device", "cuda"]
    )
    assert open_run(folder)
    assert told(evaluate, [str(folder), "--counterfactuals", "0", "--num-test", "10"]) == (0, "")
    assert told(train, ["--resume", str(folder), "--device", "cpu"]) == (0, "")
    assert RunDir(folder).config().device == "cuda"
    assert RunDir(folder).summary()["status"] == "finished"


def test_an_unfinished_run_is_measured_and_called_so(
    folder: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate = load_script("evaluate").evaluate
    few = ["--counterfactuals", "0", "--num-test", "10"]
    stop(folder)
    assert main(evaluate, [str(folder), *few]) == 0
    assert "Not finished: 9 of 10 steps are done" in capsys.readouterr().out
    (folder / SUMMARY).unlink()  # killed at once
    assert main(evaluate, [str(folder), *few]) == 0
    assert f"--resume {folder}" in capsys.readouterr().out
    assert main(evaluate, [str(finished), *few]) == 0
    assert "Not finished" not in capsys.readouterr().out


def test_of_an_unfinished_run_with_early_stopping_the_best_weights_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"num_validation": 20, "early_stopping": 9, "eval_every": 2, "learning_rate": 0.9}
    run = RunDir(start(rich(tmp_path, steps=10, **settings)).folder)
    stop(run.path)
    best, last = load_checkpoint(run.best).step, load_checkpoint(run.last).step
    assert best < last
    capsys.readouterr()
    few = ["--counterfactuals", "0", "--num-test", "10"]
    assert main(load_script("evaluate").evaluate, [str(run.path), *few]) == 0
    said = capsys.readouterr().out
    assert f"{last} of 10 steps are done, and the weights of step {best}, the best so far" in said


def test_evaluation_overwrites_no_device_and_nothing_of_a_run(folder: Path) -> None:
    evaluate = load_script("evaluate").evaluate
    pipe, link = folder / "pipe", folder / "link.json"
    os.mkfifo(pipe)
    link.symlink_to("elsewhere.json")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    own = [folder / name for name in ("config.json", SUMMARY, METRICS)]
    for path in [*own, pipe, link, folder, folder / "no" / "where"]:
        for flags in (["--json", str(path)], ["--find-failures", "--out", str(path)]):
            said = is_refused(
                evaluate, [str(folder), *flags, "--num-test", "4", "--counterfactuals", "0"]
            )
            assert f"{flags[-2]} {path}: " in said
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert pipe.is_fifo()
    assert link.is_symlink()


def test_a_checkpoint_without_a_figure_is_one_line(tmp_path: Path) -> None:
    """Well signed, and finished but for its last word."""

    from lab.runs.train import resume, start
    from lab.training import LAST, load_checkpoint, save_checkpoint

    folder = start(stateful(tmp_path, steps=2)).folder
    (folder / "summary.json").unlink()
    path = folder / "checkpoints" / LAST
    checkpoint = load_checkpoint(path)
    del checkpoint.progress["figures"]["loss/train"]
    save_checkpoint(path, checkpoint)
    with pytest.raises(ValueError, match="its checkpoint lacks 'loss/train', train anew"):
        resume(folder)


def test_a_finished_run_is_never_opened_with_an_older_network(tmp_path: Path) -> None:
    """Its last checkpoint is lost, or damaged: the rest is trained again, to the same bits."""
    run = RunDir(start(stateful(tmp_path, eval_every=20)).folder)
    whole = shutil.copytree(run.path, tmp_path / "whole")
    end, before = (load_checkpoint(path).step for path in (run.last, run.previous))
    assert end == 40 > before
    assert resume(run.path) is None, "nothing is left to be done"

    run.last.write_bytes(run.last.read_bytes()[:-1])
    train = load_script("train").train
    for said in (
        is_refused(load_script("evaluate").evaluate, [str(run), "--counterfactuals", "0"]),
        is_refused(train, ["--resume", str(run)]),
    ):
        assert f"--resume {run} goes on from {run.previous}, which is of step {before}" in said
    run.last.unlink()
    with pytest.raises(ValueError, match=rf"step {before}, but .*step 40: --resume") as caught:
        open_run(run.path)
    is_a_good_line(one_line(str(caught.value)))

    assert resume(run.path) is not None
    assert_same_run(run.path, whole)
    assert open_run(run.path)

    for path in (run.last, run.previous):
        path.unlink()
    with pytest.raises(ValueError, match="train the run again"):
        open_run(run.path)
    assert resume(run.path) is not None
    assert_same_run(run.path, whole)


def test_with_early_stopping_a_finished_run_is_opened_with_the_best_weights(tmp_path: Path) -> None:
    run = RunDir(start(rich(tmp_path, steps=10, num_validation=20, early_stopping=9)).folder)
    for path in (run.last, run.previous):
        path.unlink()
    assert open_run(run.path)
    assert resume(run.path) is None


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_the_best_weights_are_written_anew_from_the_state_that_has_them(
    damage: str, tmp_path: Path
) -> None:
    """With early stopping: a finished run whose best checkpoint is lost has them once more."""
    run = RunDir(start(rich(tmp_path, steps=10, num_validation=20, early_stopping=9)).folder)
    whole = shutil.copytree(run.path, tmp_path / "whole")
    if damage == "cut":
        run.best.write_bytes(run.best.read_bytes()[:-1])
    else:
        run.best.unlink()
    with pytest.raises(ValueError, match=rf"--resume {run} writes it anew") as caught:
        open_run(run.path)
    is_a_good_line(one_line(str(caught.value)))
    assert resume(run.path) is not None
    assert summary(run.path) == summary(whole)
    was, now = (load_checkpoint(RunDir(place).best) for place in (whole, run.path))
    assert was.step == now.step
    assert same_state(was.model, now.model)
    assert open_run(run.path)
    assert resume(run.path) is None, "nothing is left to be done"

    run.best.write_bytes(b"")
    for path in (run.last, run.previous):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="too; train the run anew") as caught:
        open_run(run.path)
    is_a_good_line(one_line(str(caught.value)))
