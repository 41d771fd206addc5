"""Files that the code of a user's network, objective or metric reads as data: a run notes them, and
runs that were begun with others are neither used again nor gone on with in silence."""

import hashlib
import json
import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from lab.core.config import RunConfig, parse_settings
from lab.core.opened import opened_files
from lab.core.run_dir import RunDir
from lab.experiments import found_table, found_text, make_jobs, run_grid
from lab.experiments.runner.jobs import finished
from lab.experiments.runner.worker import do
from lab.models import changed_files, digest_of_file, noting_data_files
from lab.pool.run import run_pool
from lab.runs.train import resume, start
from lab.training import LAST, load_checkpoint
from support.configs import tiny
from support.executors import Here
from support.run_folders import same_state, stop
from support.scripts import is_a_good_line, is_refused, load_script, run_here

READ = 'json.loads((Path(__file__).parent / "data.json").read_text())'

HEAD = """
import json
from pathlib import Path
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from lab.training.objectives import Objective

def read():
    return {read}
"""

NETWORK = """
class net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.rest = nn.Linear(spec.in_channels * spec.image_size**2, spec.num_outputs)
        {built}

    def forward(self, x):
        {called}
        return self.rest(x.flatten(1))
"""

OBJECTIVES = {
    "imported": "W = read()\ndef loss(logits, batch):\n    return W * {loss}",
    "called": "def loss(logits, batch):\n    return read() * {loss}",
    "built": "class loss(Objective):\n    def __init__(self):\n        self.w = read()\n"
    "    def __call__(self, logits, batch):\n        return self.w * {loss}",
}

METRICS = {
    "imported": "W = read()\ndef cost(predictions):\n    return W",
    "called": "def cost(predictions):\n    return float(read())",
}

NETWORKS = {
    "imported": ("pass", "x = x + W * torch.randn_like(x) if self.training else x"),
    "built": ("self.noise = read()", "pass"),
    "called": ("pass", "x = x + read() * torch.randn_like(x) if self.training else x"),
}

CASES = [
    *(("objective", when) for when in OBJECTIVES),
    *(("metric", when) for when in METRICS),
    *(("model", when) for when in NETWORKS),
]


def plant(place: Path, what: str, when: str) -> RunConfig:
    """The config of a run whose network, objective or metric reads `data.json`, with another file
    beside it."""
    code = HEAD.format(read=READ)
    if what == "model":
        built, called = NETWORKS[when]
        code += ("W = read()\n" if when == "imported" else "") + NETWORK.format(
            built=built, called=called
        )
    else:
        texts = OBJECTIVES if what == "objective" else METRICS
        code += texts[when].format(loss="cross_entropy(logits, batch.labels)")
    (place / "mine.py").write_text(code, encoding="utf-8")
    (place / "data.json").write_text("0.5", encoding="utf-8")
    (place / "other.json").write_text("1", encoding="utf-8")
    name = {"model": "net", "objective": "loss", "metric": "cost"}[what]
    own = f"{place}/mine.py:{name}"
    changes = {what: (own,) if what == "metric" else own}
    usual = {} if what == "model" else {"model": "linear"}
    return tiny(place / "runs", **{**usual, **changes}, task="shape", checkpoint_every=0.0)


class Editing(Here):
    """Does jobs at once, and after each of them edits a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def submit(self, function: Callable[[Any], Any], argument: Any) -> Future[Any]:
        """Call the function; a future that is done, or has failed."""
        done = super().submit(function, argument)
        self.file.write_text("0.6", encoding="utf-8")
        return done


def noted(folder: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What a run notes of the files of its network and objective, and of its metrics."""
    provenance = RunDir(folder).settings()[1]
    return provenance.data_files, provenance.metric_data_files


def evaluated(folder: Path) -> str:
    """What is said where a run is measured."""
    done = run_here("evaluate", str(folder), "--num-test", "8", "--counterfactuals", "0")
    assert done.code == 0, done.err
    return done.out


def sha(path: Path) -> str:
    return hashed(path.read_bytes())


def hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("what", "when"), CASES)
def test_a_finished_run_of_other_data_is_refused_by_a_grid(
    tmp_path: Path, what: str, when: str
) -> None:
    base, data = plant(tmp_path, what, when), tmp_path / "data.json"
    (job,) = make_jobs(base, {}, seeds=1, out=base.out)
    start(job.config)
    files, of_metrics = noted(job.folder)
    one, other = (of_metrics, files) if what == "metric" else (files, of_metrics)
    assert (one, other) == ({str(data): sha(data)}, {})
    assert finished(job)
    os.utime(data, (1, 1))
    (tmp_path / "other.json").write_text("2", encoding="utf-8")
    assert finished(job), "the same content, and a file that nobody reads"
    data.write_text("0.6", encoding="utf-8")
    with pytest.raises(ValueError, match="had another content") as caught:
        finished(job)
    is_a_good_line(str(caught.value), names=str(data))
    assert str(caught.value).startswith(str(job.folder))
    assert "choose another --out" in str(caught.value)
    warned = f"warning: {data}, which the code of the run's own metrics reads, had another content"
    assert (warned in evaluated(job.folder)) is (what == "metric")
    data.write_text("0.5", encoding="utf-8")
    assert finished(job), "as it was"
    assert "warning" not in evaluated(job.folder)
    data.unlink()
    assert finished(job), "what needs it says so itself"


@pytest.mark.parametrize(("what", "when"), [case for case in CASES if case[0] != "metric"])
def test_a_stopped_run_does_not_go_on_with_other_data_in_silence(
    tmp_path: Path, what: str, when: str
) -> None:
    base, data = replace(plant(tmp_path, what, when), name="run"), tmp_path / "data.json"
    folder = start(base).folder
    stop(folder)
    data.write_text("0.6", encoding="utf-8")
    line = is_refused(load_script("train").train, ["--resume", str(folder)])
    assert str(data) in line
    assert "--changed-code" in line
    assert resume(folder, changed_code=True) is not None
    assert RunDir(folder).settings()[1].changed_at == (2,)
    assert noted(folder)[0] == {str(data): sha(data)}, "from now on that is its data"


@pytest.mark.parametrize(("what", "when"), [("objective", "imported"), ("model", "called")])
def test_a_run_that_goes_on_with_its_data_is_as_if_never_stopped(
    tmp_path: Path, what: str, when: str
) -> None:
    base = replace(plant(tmp_path, what, when), name="run")
    folder = start(base).folder
    config = (folder / "config.json").read_bytes()
    whole = load_checkpoint(folder / "checkpoints" / LAST)
    stop(folder)
    os.utime(tmp_path / "data.json", (1, 1))
    assert resume(folder) is not None
    again = load_checkpoint(folder / "checkpoints" / LAST)
    assert same_state(again.model, whole.model)
    assert again.provenance == whole.provenance
    assert (folder / "config.json").read_bytes() == config


def test_data_of_a_metric_have_no_say_in_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = start(replace(plant(tmp_path, "metric", "called"), name="run")).folder
    stop(folder)
    (tmp_path / "data.json").write_text("0.6", encoding="utf-8")
    assert resume(folder) is not None
    assert f"{tmp_path}/data.json is changed" in caplog.text
    assert noted(folder)[1] == {str(tmp_path / "data.json"): sha(tmp_path / "data.json")}


def test_a_run_without_data_files_notes_none(tmp_path: Path) -> None:
    folder = start(tiny(tmp_path, model="linear", task="shape")).folder
    text = (folder / "config.json").read_text()
    assert not any("data_files" in name for name in json.loads(text))
    assert noted(folder) == ({}, {})
    for name in ("data_files", "metric_data_files"):
        wrong = json.dumps({**json.loads(text), name: ["a"]})
        with pytest.raises(ValueError, match=f"{name} must be an object of texts"):
            parse_settings(wrong)


def test_runs_that_were_made_before_are_taken(tmp_path: Path) -> None:
    base = plant(tmp_path, "objective", "imported")
    (job,) = make_jobs(base, {}, seeds=1, out=base.out)
    start(job.config)
    file = job.folder / "config.json"
    settings = json.loads(file.read_text())
    del settings["data_files"]
    file.write_text(json.dumps(settings))
    (tmp_path / "data.json").write_text("0.6", encoding="utf-8")
    assert finished(job)


@pytest.mark.usefixtures("runs_here")
def test_a_sweep_of_other_data_trains_nothing(tmp_path: Path) -> None:
    base = plant(tmp_path, "objective", "imported")
    assert not run_grid(base, {"num_train": [8]}, seeds=1).failed
    there = sorted(base.out.iterdir())
    assert not run_grid(base, {"num_train": [8]}, seeds=1).failed
    (tmp_path / "data.json").write_text("0.6", encoding="utf-8")
    with pytest.raises(ValueError, match="had another content"):
        run_grid(base, {"num_train": [8, 12]}, seeds=1)
    assert sorted(base.out.iterdir()) == there
    assert not run_grid(base, {"num_train": [8]}, seeds=1, out=tmp_path / "others").failed


@pytest.mark.parametrize("what", ["objective", "metric", "model"])
def test_data_that_change_while_a_sweep_goes_on_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """After its first run is done."""
    base, data = plant(tmp_path, what, "imported"), tmp_path / "data.json"

    monkeypatch.setattr("lab.experiments.runner.run.open_executor", lambda *_: Editing(data))
    table = run_grid(base, {}, seeds=3)
    assert [len(cell.runs) for cell in table.cells] == [1]
    assert len(table.failed) == 2
    for failure in table.failed:
        is_a_good_line(failure.reason, names=f"{data}, which its code reads, is not what it was")


def test_a_worker_without_the_file_goes_by_its_own_error(tmp_path: Path) -> None:
    base = plant(tmp_path, "objective", "imported")
    (job,) = make_jobs(base, {}, seeds=1, out=base.out)
    there = {str(tmp_path / "nowhere.json"): "0" * 64}
    assert not do(replace(job, data_files=there)).error


@pytest.mark.usefixtures("runs_here")
def test_a_pool_of_other_data_does_not_go_on(tmp_path: Path) -> None:
    config, data = plant(tmp_path, "objective", "imported"), tmp_path / "data.json"
    run_pool(config, networks=2)
    run_pool(config, networks=3)
    data.write_text("0.6", encoding="utf-8")
    with pytest.raises(ValueError, match="holds a pool that was begun when") as caught:
        run_pool(config, networks=4)
    is_a_good_line(str(caught.value), names=str(data))
    data.write_text("0.5", encoding="utf-8")
    assert len(run_pool(config, networks=4).pool) == 4


def test_the_networks_of_a_pool_are_all_of_the_same_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = plant(tmp_path, "model", "called"), tmp_path / "data.json"

    monkeypatch.setattr("lab.pool.run.open_executor", lambda *_: Editing(data))
    result = run_pool(config, networks=3)
    assert result.pool.networks == (0,)
    assert {network for network, _ in result.failed} == {1, 2}
    assert all(f"{data}, which its code reads" in reason for _, reason in result.failed)


def test_all_that_python_opens_to_read_is_noted(tmp_path: Path) -> None:
    array, weights, text = (tmp_path / name for name in ("a.npy", "w.pt", "t.txt"))
    np.save(array, np.zeros(4))
    torch.save({"w": torch.zeros(4)}, weights)
    text.write_text("x", encoding="utf-8")
    with noting_data_files() as noted:
        np.load(array, mmap_mode="r+")
        torch.load(weights, mmap=True)
        text.read_text()
        os.close(os.open(os.fsencode(text), os.O_RDONLY))
    assert noted.files == {str(path): sha(path) for path in (array, text, weights)}


def test_files_that_the_code_itself_writes_are_none(tmp_path: Path) -> None:
    """In place, or by another name; a time of change in the future says nothing."""
    counter, registry, kept = (tmp_path / name for name in ("c.json", "r.json", "kept.json"))
    for path in (counter, registry, kept):
        path.write_text("1", encoding="utf-8")
    with noting_data_files() as noted:
        kept.read_text()
        time.sleep(0.02)  # clocks of file systems are coarse
        with counter.open("r+") as file:
            number = int(file.read())
            file.seek(0)
            file.write(str(number + 1))
        registry.read_text()
        (tmp_path / "r.tmp").write_text("2", encoding="utf-8")
        (tmp_path / "r.tmp").replace(registry)
    assert noted.files.keys() == {str(kept)}


def test_a_file_of_the_same_name_in_its_place_is_another_one(tmp_path: Path) -> None:
    """As where a relative path is read from another folder, or a moved one's files were changed."""
    for place, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "data.json").write_text(text, encoding="utf-8")
    a, b, c = (str(tmp_path / place / "data.json") for place in "abc")
    recorded = {a: sha(Path(a))}
    assert changed_files(recorded, {b: sha(Path(b))}) == []
    assert changed_files(recorded, {c: sha(Path(c))}) == [c]
    assert changed_files(recorded, {a: sha(Path(a)), c: sha(Path(c))}) == []
    assert changed_files(recorded) == []
    assert changed_files(recorded, {str(tmp_path / "other.json"): "x"}) == []


def test_a_moved_network_whose_data_have_changed_does_not_go_on_in_silence(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    folder = start(replace(plant(tmp_path / "first", "model", "built"), name="run")).folder
    stop(folder)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("mine.py", "data.json"):
        (tmp_path / "first" / name).rename(moved / name)
    words = ["--resume", str(folder), "--model-file", str(moved / "mine.py")]
    (moved / "data.json").write_text("0.7", encoding="utf-8")
    assert str(moved / "data.json") in is_refused(load_script("train").train, words)
    (moved / "data.json").write_text("0.5", encoding="utf-8")
    assert resume(folder, model_file=moved / "mine.py") is not None


@pytest.mark.parametrize("move", ["folder", "code"])
def test_another_file_of_the_same_name_is_refused_while_the_recorded_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: str
) -> None:
    """In another working folder, or read by a copy of the code. No digest is kept, as in a new
    process."""
    monkeypatch.setattr(sys.modules["lab.models.data_files"], "SETTLED", math.inf)
    for place, text in (("first", "0.5"), ("second", "0.7")):
        (tmp_path / place).mkdir()
        base = plant(tmp_path / place, "model", "built")
        (tmp_path / place / "data.json").write_text(text, encoding="utf-8")
        if move == "folder":
            code = (tmp_path / place / "mine.py").read_text()
            code = code.replace('(Path(__file__).parent / "data.json")', 'Path("data.json")')
            (tmp_path / place / "mine.py").write_text(code, encoding="utf-8")
    own = tmp_path / "first" / "mine.py"
    monkeypatch.chdir(tmp_path / "first")
    config = replace(base, name="run", model=replace(base.model, model=f"{own}:net"))
    folder = start(config).folder
    assert noted(folder)[0] == {str(tmp_path / "first" / "data.json"): hashed(b"0.5")}
    stop(folder)
    words = ["--resume", str(folder)]
    if move == "folder":
        monkeypatch.chdir(tmp_path / "second")
    else:
        words += ["--model-file", str(tmp_path / "second" / "mine.py")]
    line = is_refused(load_script("train").train, words)
    assert str(tmp_path / "second" / "data.json") in line
    monkeypatch.chdir(tmp_path / "first")
    assert resume(folder) is not None


def test_the_digest_of_a_file_is_no_reading_by_the_code(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.write_text("x", encoding="utf-8")
    with noting_data_files() as noted:
        assert changed_files({str(one): hashed(b"y")}) == [str(one)]
        other.read_text()
        digest_of_file(str(one))
    assert noted.files == {str(other): hashed(b"x")}


def test_found_runs_whose_data_files_differ_are_told_apart(tmp_path: Path) -> None:
    base = plant(tmp_path, "model", "called")
    for seed in range(4):
        (tmp_path / "data.json").write_text("0.5" if seed < 2 else "0.9", encoding="utf-8")
        start(replace(base, seed=seed, name=f"run-{seed}"))
        if seed == 1:
            assert not found_table(base.out).grid
    table = found_table(base.out)
    assert table.grid.keys() == {"data_files"}
    assert [cell.seeds for cell in table.cells] == [(0, 1), (2, 3)]


def test_found_runs_of_other_data_and_other_settings_are_told_apart_by_both(tmp_path: Path) -> None:
    """A difference that comes from the file is not that of the learning rate alone. A run that has
    not read it, as others of its settings have, is not apart from these."""
    base = plant(tmp_path, "model", "called")
    for number, (rate, text) in enumerate(((0.01, "0.5"), (0.02, "0.9"), (0.02, "0.9"))):
        (tmp_path / "data.json").write_text(text, encoding="utf-8")
        start(
            replace(
                base,
                name=f"run-{number}",
                seed=number,
                train=replace(base.train, learning_rate=rate),
            )
        )
    table = found_table(base.out)
    assert table.grid.keys() == {"learning_rate", "data_files"}
    assert [(cell.settings["learning_rate"], cell.seeds) for cell in table.cells] == [
        (0.01, (0,)), (0.02, (1, 2)),
    ]  # fmt: skip
    first, second = (cell.settings["data_files"] for cell in table.cells)
    assert first != second
    assert f"| {first} |" in found_text(table)

    file = base.out / "run-2" / "config.json"
    settings = json.loads(file.read_text())
    settings["data_files"] = {}
    file.write_text(json.dumps(settings))
    assert [cell.seeds for cell in found_table(base.out).cells] == [(0,), (1, 2)]

    (tmp_path / "beside").mkdir()
    other = plant(tmp_path / "beside", "model", "called")  # another network, which has its own file
    (tmp_path / "beside" / "data.json").write_text("0.7", encoding="utf-8")
    for folder in base.out.iterdir():
        if folder.name != "run-0":
            shutil.rmtree(folder)
    start(replace(other, out=base.out, name="other", seed=5))
    assert "data_files" not in found_table(base.out).grid


def test_what_is_no_data_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    names = (
        ".git/HEAD",
        "home/.cache/net.pt",
        "__pycache__/net.npy",
        "torchinductor_me/a.py",
        "gone.txt",
        "log.txt",
    )
    places = [tmp_path / name for name in names]
    for path in places:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    package = Path(str(np.__file__))
    with noting_data_files() as noted:
        for path in (*places, package, Path(os.__file__), Path(str(sys.modules["lab"].__file__))):
            path.read_bytes()
        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
        (tmp_path / "gone.txt").unlink()
        with (tmp_path / "log.txt").open("a") as log:
            log.write("more")
        with pytest.raises(FileNotFoundError):
            (tmp_path / "missing.txt").read_text()
    assert noted.files == {}


def test_a_file_is_noted_by_the_path_it_was_opened_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where that is relative, and the folder is changed later; a link counts as what it leads
    to."""
    (tmp_path / "sub").mkdir()
    one, two, link = (tmp_path / "sub" / name for name in ("one", "two", "link"))
    one.write_text("1", encoding="utf-8")
    two.write_text("2", encoding="utf-8")
    link.symlink_to(one)
    monkeypatch.chdir(tmp_path / "sub")
    with noting_data_files() as noted:
        Path("link").read_text()
        monkeypatch.chdir(tmp_path)
    assert noted.files == {str(link): sha(one)}
    link.unlink()
    link.symlink_to(two)
    assert changed_files(noted.files) == [str(link)]


def test_nothing_is_noted_outside_of_the_block_and_in_other_threads(tmp_path: Path) -> None:
    mine, others = tmp_path / "mine", tmp_path / "others"
    for path in (mine, others):
        path.write_text("x", encoding="utf-8")
    inside, read = threading.Event(), threading.Event()

    def other() -> None:
        inside.wait(10)
        others.read_text()
        with noting_data_files() as noted:
            others.read_text()
        found.append(noted.files)
        read.set()

    found: list[dict[str, str]] = []
    thread = threading.Thread(target=other)
    thread.start()
    with noting_data_files() as noted:
        inside.set()
        read.wait(10)
        mine.read_text()
        with opened_files() as within:
            others.read_text()
    others.read_text()
    thread.join()
    assert list(noted.files) == [str(mine)]
    assert list(within.read) == [str(others)]
    assert [list(each) for each in found] == [[str(others)]]


def test_of_a_large_file_pieces_are_digested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: ModuleType = sys.modules["lab.models.data_files"]
    monkeypatch.setattr(there, "WHOLE", 1000)
    monkeypatch.setattr(there, "PIECE", 100)
    monkeypatch.setattr(there, "PIECES", 5)
    path = tmp_path / "large"
    content = bytearray(np.random.default_rng(0).bytes(2000))
    digests = set()
    for place in (None, 0, 1999, 1000, 2000):
        changed = bytearray(content)
        if place == 2000:
            changed.append(0)
        elif place is not None:
            changed[place] ^= 1
        path.write_bytes(changed)
        digests.add(digest_of_file(str(path)))
    assert len(digests) == 5
    assert [digest_of_file(f"{tmp_path}{end}") for end in ("", "/no", "/n\0")] == [None] * 3


def test_a_digest_is_of_the_content_that_is_there(tmp_path: Path) -> None:
    """Though digests are kept: a change in the same moment, of the same size, counts."""
    path = tmp_path / "data"
    path.write_text("a", encoding="utf-8")
    os.utime(path, (1, 1))
    first = digest_of_file(str(path))
    assert first == digest_of_file(str(path)) == sha(path)
    for text in "bcd":
        path.write_text(text, encoding="utf-8")
        os.utime(path, (1, 1))
        assert digest_of_file(str(path)) == sha(path) != first


def test_code_beside_and_data_of_the_same_name_are_apart(tmp_path: Path) -> None:
    """A source file that is imported is no data file; one that is read and executed is."""
    (tmp_path / "part.py").write_text("A = 1", encoding="utf-8")
    (tmp_path / "read.py").write_text("B = 2", encoding="utf-8")
    (tmp_path / "mine.py").write_text(
        "import inspect, part\nfrom pathlib import Path\nfrom torch.nn.functional import"
        " cross_entropy\nexec((Path(__file__).parent / 'read.py').read_text())\n"
        "Path(__file__).read_text(); inspect.getsource(part)\n"
        "def loss(logits, batch):\n    return B * cross_entropy(logits, batch.labels)\n",
        encoding="utf-8",
    )
    config = tiny(tmp_path / "runs", model="linear", objective=f"{tmp_path}/mine.py:loss")
    assert list(noted(start(config).folder)[0]) == [str(tmp_path / "read.py")]


def test_a_copy_of_a_run_is_opened_without_its_data(tmp_path: Path) -> None:
    """Where the objective's are gone, which opening a run has no use for."""
    folder = start(replace(plant(tmp_path, "objective", "built"), name="run")).folder
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (tmp_path / "data.json").unlink()
    assert "warning" not in evaluated(copy)
