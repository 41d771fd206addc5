"""Whole sweeps: what survives a dead worker, a dead parent and a full folder; on a cluster, too."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lab.core.config import DataConfig
from lab.core.locks import locked
from lab.core.metrics import heading as heading_of
from lab.core.metrics import limits
from lab.experiments import make_grid, make_jobs, run_grid, write_results
from lab.experiments.presets.sweep import view
from lab.experiments.runner.progress import Progress
from lab.experiments.runner.run import check_jobs, reports
from lab.experiments.runner.worker import Report
from lab.experiments.show.curves import curves, power_laws
from support.configs import tiny
from support.executors import Here
from support.killing import Script
from support.scripts import ROOT, is_refused, load_script, told

FLAGS = (
    "--num-test 20 --image-size 16 --width 1 --steps 3 --counterfactuals 0 --no-pictures --seeds 2"
)

DEADLY = """
import os, signal
from pathlib import Path
from lab.models import create_model

MARK = Path(__file__).with_name("died")

def net(spec):
    model = create_model("cnn", spec)
    def die(module, inputs):
        if module.training and len(inputs[0]) == 8 and ({always} or not MARK.exists()):
            MARK.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    model.register_forward_pre_hook(die)
    return model
"""


BASE = tiny(Path("runs"), num_train=16, batch_size=8)


def times(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.rglob("summary.json")}


@pytest.mark.usefixtures("runs_here")
def test_the_same_call_again_repeats_nothing_and_a_larger_one_adds(tmp_path: Path) -> None:
    first = run_grid(BASE, {"num_train": [8, 16]}, seeds=2, out=tmp_path, processes=2)
    before = times(tmp_path)
    again = run_grid(BASE, {"num_train": [8, 16, 12]}, seeds=2, out=tmp_path, processes=2)
    after = times(tmp_path)
    assert len(before) == 4
    assert len(after) == 6
    assert before.items() <= after.items()
    for tag in ("accuracy/test", "loss/train"):
        values = [cell.values(tag).tolist() for cell in first.cells]
        assert values == [again.cell(num_train=size).values(tag).tolist() for size in (8, 16)]


def test_a_run_that_kills_its_worker_is_named_and_takes_no_other_along(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(DEADLY.format(always=True))
    models = ["cnn", f"{tmp_path}/net.py:net", "linear"]
    table = run_grid(BASE, {"model": models}, seeds=1, out=tmp_path / "runs", processes=2)
    assert [len(cell.runs) for cell in table.cells] == [1, 0, 1]
    (failure,) = table.failed
    assert "net.py:net" in str(failure)
    assert "SIGKILL" in failure.reason


@pytest.mark.usefixtures("runs_here")
def test_a_run_that_raises_is_named_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from lab.models import create_model\n"
        "def net(spec):\n"
        "    model = create_model('linear', spec)\n"
        "    def refuse(module, inputs):\n"
        "        if module.training and len(inputs[0]) == 8:\n"
        "            raise ArithmeticError('no more\\nof this')\n"
        "    model.register_forward_pre_hook(refuse)\n"
        "    return model\n"
    )
    models = [f"{tmp_path}/net.py:net", "linear"]
    table = run_grid(BASE, {"model": models}, seeds=2, out=tmp_path / "runs", processes=2)
    assert [len(cell.runs) for cell in table.cells] == [0, 2]
    assert [failure.seed for failure in table.failed] == [0, 1]
    for failure in table.failed:
        assert f"ArithmeticError: no more of this ({tmp_path}/net.py:6)" in failure.reason
        assert "Traceback" in failure.trace


@pytest.mark.usefixtures("runs_here")
def test_a_network_in_a_file_may_be_named_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.py").write_text("from lab.models.linear import linear as net\n")
    monkeypatch.chdir(tmp_path)
    first = run_grid(BASE, {"model": ["net.py:net"]}, seeds=2, out=Path("runs"), processes=2)
    before = times(tmp_path)
    again = run_grid(BASE, {"model": ["net.py:net"]}, seeds=2, out=Path("runs"), processes=2)
    assert not first.failed
    assert not again.failed
    assert before == times(tmp_path)
    assert len(again.cell(model="net.py:net").runs) == 2


@pytest.mark.usefixtures("runs_here")
def test_a_network_that_changes_meanwhile_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(
        "from pathlib import Path\n"
        "from lab.models.linear import linear\n"
        "def net(spec):\n"
        f"    if Path({str(tmp_path / 'runs')!r}).exists():\n"
        "        Path(__file__).write_text(Path(__file__).read_text() + '# changed')\n"
        "    return linear(spec)\n"
    )
    grid = {"model": [f"{net}:net"]}
    table = run_grid(BASE, grid, seeds=2, out=tmp_path / "runs", processes=1)
    assert [run.seed for run in table.cells[0].runs] == [0]
    (failure,) = table.failed
    assert "when the sweep began" in failure.reason


def test_two_sweeps_at_the_same_runs_are_one_too_many(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(ValueError, match=f"in use by process {os.getpid()}"):
        run_grid(BASE, {}, seeds=1, out=tmp_path)
    assert not list(tmp_path.glob("*/"))


@pytest.mark.usefixtures("runs_here")
def test_a_figure_that_some_seeds_lack_is_left_out_of_the_mean(tmp_path: Path) -> None:
    data = DataConfig(num_train=10, num_test=20, image_size=16, label_noise=0.1,
                      label_noise_kind="flip")  # fmt: skip
    table = run_grid(replace(BASE, data=data, seed=5), {}, seeds=2, out=tmp_path, processes=2)
    tag = "memorization/mislabeled_fitted"
    having = [tag in run.metrics for run in table.cells[0].runs]
    assert having == [True, False], "the seeds must differ for this test"
    write_results(table, view(table))
    mean = scalars(tmp_path / "mean" / "plain")
    assert tag not in mean
    assert len(mean["accuracy/test"]) == len(table.cells[0].runs[0].history)


@pytest.mark.usefixtures("runs_here")
def test_results_of_another_grid_go_and_nothing_else(tmp_path: Path) -> None:
    first = run_grid(BASE, {"num_train": [8, 12, 16]}, seeds=1, out=tmp_path, processes=2)
    write_results(first, view(first))
    assert (tmp_path / "curve-accuracy_test.png").exists()
    usual = (tmp_path / "sweep.md").read_text().splitlines()[0]
    mine = [tmp_path / "map-of-mine.png", tmp_path / "mean" / "mine" / "notes.txt"]
    mine[1].parent.mkdir()
    for path in mine:
        path.write_text("mine")
    table = run_grid(BASE, {"width": [2]}, seeds=1, out=tmp_path, processes=2)
    write_results(table, view(table, metrics=("loss/test", "gap/accuracy")))
    heading, _, row, *_ = (tmp_path / "sweep.md").read_text().splitlines()
    assert heading == usual.replace("num_train", "width") + f" {heading_of('loss/test')} |", (
        "what was asked for"
    )
    loss = table.cells[0].runs[0].metrics["loss/test"].value
    assert float(row.split("|")[-2]) == pytest.approx(loss, abs=0.01)
    assert not (tmp_path / "curve-accuracy_test.png").exists()
    assert {path.name for path in (tmp_path / "mean").iterdir()} == {"width_2", "mine"}
    assert all(path.read_text() == "mine" for path in mine)
    assert len(times(tmp_path)) == 4, "runs stay"


def test_what_cannot_be_shown_is_said_before_the_runs(tmp_path: Path) -> None:
    sweep = load_script("sweep").sweep
    for flags, message in (
        (["--metrics", "accuracy/tset"], "did you mean 'accuracy/test'"),
        (["--metrics", "reliance/eye_colr"], "did you mean 'eye_color'"),
        (["--metrics", "shapley/eyes"], "--counterfactuals must be 1 or more"),
        (["--figures", "accuracy/test"], "did you mean '--metrics'"),
        (["--compare", "width"], "There are: num_train"),
        (["--num-train", "10"], "--num-train is set by --grid"),
        (["--axes", "width"], "--axes width: the grid varies num_train"),
        (["--axes", "num_train", "num_train"], "one or two different settings"),
        (["--threads", "4"], "--threads is set by the grid"),
        (["--cue-visibility", "0.5"], "--cue-visibility 0.5 is about cues"),
    ):
        words = [*FLAGS.split(), *flags, "--grid", "num_train=8,10", "--out", f"{tmp_path}/new"]
        assert message in is_refused(sweep, words)
    assert not list(tmp_path.glob("new/*/"))


RESTLESS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.flat = nn.Linear(3 * spec.image_size**2, spec.num_outputs)
    def forward(self, x):
        x = self.flat(x.flatten(1))
        return (x + {noise} * torch.randn_like(x)).softmax(1)
"""


@pytest.mark.usefixtures("runs_here")
def test_what_is_doubtful_of_a_network_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, noise in (("calm", 0), ("restless", 50)):
        (tmp_path / f"{name}.py").write_text(RESTLESS.format(noise=noise))
    models = [f"{tmp_path}/{name}.py:Net" for name in ("calm", "restless")]
    table = run_grid(
        BASE, {"model": models, "num_train": [8, 16]}, seeds=1, out=tmp_path / "runs",
        processes=1, watch=Progress(),
    )  # fmt: skip
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    for model in models:
        assert sum(model in line and "softmax" in line for line in lines) == 1
    calm, restless = (table.where(model=model) for model in models)
    assert not any(cell.doubt for cell in calm)
    assert all("not a function of the picture" in cell.doubt for cell in restless)
    assert table.complain() == 0
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "not a function" in line] == told
    assert len(told) == len(restless)


def test_a_setting_that_some_cells_make_no_use_of_is_fine(tmp_path: Path) -> None:
    grid = {"cues": ["none", "eye_color:1"], "cue_visibility": [0.5, 1]}
    assert len(make_jobs(BASE, make_grid(grid), seeds=1, out=tmp_path)) == 4
    check_jobs(make_jobs(BASE, make_grid(grid), seeds=1, out=tmp_path))
    with pytest.raises(ValueError, match="is about cues, and there are none"):
        check_jobs(make_jobs(BASE, make_grid({"cue_visibility": [0.5, 1]}), seeds=1, out=tmp_path))


def test_reports_are_let_go_one_by_one(tmp_path: Path) -> None:
    """A cluster's hold whole runs: all of them at once would fill the memory."""

    class Lost(Here):
        def submit(self, function: Any, argument: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(Report(key=argument.key, seconds=0.0))
            submitted.append(weakref.ref(future))
            return future

    submitted: list[Any] = []
    jobs = make_jobs(BASE, {}, seeds=4, out=tmp_path)
    alive = [sum(ref() is not None for ref in submitted)
             for _ in reports(jobs, Lost(), None)]  # fmt: skip
    assert alive[-1] < 4


@pytest.mark.usefixtures("runs_here")
def test_a_full_disk_is_named_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """A bound on the size of files stands for the full disk: checkpoints do not fit."""
    words = [*FLAGS.split(), "--grid", "num_train=8,10", "--out", str(tmp_path), "--model", "mlp"]
    words += ["--processes", "1"]
    full = Script("sweep", words, file_size=30_000)
    said = full.communicate()
    assert full.returncode == 1, said
    assert "4 of the runs failed" in said
    assert said.count("File too large") >= 4
    assert "Traceback" not in said
    assert told(load_script("sweep").sweep, words)[0] == 0
    assert {json.loads(path.read_text())["status"] for path in times(tmp_path)} == {"finished"}


@pytest.mark.usefixtures("runs_here")
def test_tables_and_means_hold_what_the_runs_logged(tmp_path: Path) -> None:
    """Against the event files, as TensorBoard reads them, and numpy."""
    table = run_grid(BASE, {"num_train": [8, 16]}, seeds=3, out=tmp_path, processes=2)
    write_results(table, view(table))
    with (tmp_path / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    for size in ("8", "16"):
        mine = [row for row in rows if row["num_train"] == size]
        assert [row["seed"] for row in mine] == ["0", "1", "2"]
        logged = [scalars(tmp_path / row["folder"]) for row in mine]
        mean = scalars(tmp_path / "mean" / f"num_train_{size}")
        for tag in ("accuracy/train", "accuracy/test", "loss/test", "gap/accuracy"):
            for row, events in zip(mine, logged, strict=True):
                assert float(row[tag]) == pytest.approx(events[tag][-1], rel=1e-6)
                assert float(row[f"{tag}_low"]) == pytest.approx(events[f"{tag}_low"][-1], rel=1e-6)
            seeds = np.array([events[tag] for events in logged])  # (S, E)
            np.testing.assert_allclose(mean[tag], seeds.mean(axis=0), rtol=1e-5)
            low, high = limits(tag)
            reach = stats.t.ppf(0.975, 2) * stats.sem(seeds)
            expected = np.clip(seeds.mean(axis=0) + np.array([[-1], [1]]) * reach, low, high)
            for end, values in zip(("low", "high"), expected, strict=True):
                np.testing.assert_allclose(mean[f"{tag}_{end}"], values, rtol=1e-4, atol=1e-6)


def scalars(folder: Path) -> dict[str, list[float]]:
    """The scalars of an event file: tag -> values in the order of steps."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.usefixtures("runs_here")
def test_curves_of_guesses_have_no_law_and_no_legend(tmp_path: Path) -> None:
    """Matplotlib warns of a legend without entries, and warnings are errors here."""
    table = run_grid(BASE, {"num_train": [8, 12, 16]}, seeds=2, out=tmp_path, processes=2)
    assert all(cell.mean("accuracy/test").value < 0.6 for cell in table.cells)
    assert power_laws(table, "accuracy/test")[1] == {}


@pytest.mark.usefixtures("runs_here")
def test_a_panel_without_the_figure_has_no_legend(tmp_path: Path) -> None:
    grid = {"num_train": [8, 16], "model": ["cnn", "linear"], "cues": ["none", "eye_color:1"]}
    table = run_grid(BASE, grid, seeds=1, out=tmp_path, processes=2)
    figure = curves(table, "accuracy/unbiased", x="num_train", line="model")
    assert [axes.get_legend() is not None for axes in figure.axes] == [False, True]


@pytest.mark.usefixtures("runs_here")
def test_a_killed_parent_is_recovered_by_the_same_command(tmp_path: Path) -> None:
    words = [*FLAGS.split(), "--grid", "num_train=8,10,12,14", "--out", str(tmp_path)]
    words += ["--processes", "2"]
    parent = Script("sweep", words)
    while len(times(tmp_path)) < 2:
        assert parent.poll() is None
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    done = times(tmp_path)
    assert len(done) < 8
    finished = {p: t for p, t in done.items() if json.loads(p.read_text())["status"] == "finished"}
    assert told(load_script("sweep").sweep, words)[0] == 0
    runs = {p: t for p, t in times(tmp_path).items() if json.loads(p.read_text())["step"] == 3}
    assert finished.items() <= runs.items()
    with (tmp_path / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {row["status"] for row in rows} == {"finished"}


def test_bad_grids_are_one_line_and_write_nothing(tmp_path: Path) -> None:
    for grid, message in (
        ({"num_trian": [8]}, "num_train"),
        ({"num_train": [1]}, "--num-train must be"),
        ({"model": ["cnm"]}, "cnn"),
        ({"world_size": [1, 2]}, "--world-size 2: each run of a grid is done by one process"),
    ):
        with pytest.raises(ValueError, match=message):
            run_grid(BASE, grid, out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_dask_worker_may_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers without a disk in common, as far as the sweep knows; the runs come home, and the
    worker that is left does what the dead one had to do."""
    pytest.importorskip("distributed", reason="the extra [dask] is not installed")
    (tmp_path / "net.py").write_text(DEADLY.format(always=False))
    dask = f"{sys.executable} -m distributed.cli.dask_"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    at = tmp_path / "scheduler.json"
    quiet: dict[str, Any] = {
        "env": environment, "cwd": tmp_path,
        "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
    }  # fmt: skip
    local = "--host 127.0.0.1"
    scheduler = f"{dask}scheduler {local} --port 0 --no-dashboard --scheduler-file {at}"
    worker = f"{dask}worker {local} --no-dashboard --no-nanny --nthreads 1 --scheduler-file {at}"
    cluster = [subprocess.Popen(scheduler.split(), **quiet)]
    try:
        deadline = time.monotonic() + 60
        while not (at.exists() and at.read_text().endswith("}")) and time.monotonic() < deadline:
            time.sleep(0.1)
        cluster += [subprocess.Popen(worker.split(), **quiet) for _ in range(2)]
        address = json.loads(at.read_text())["address"].removeprefix("tcp://")
        table = run_grid(
            BASE, {"model": ["cnn", f"{tmp_path}/net.py:net"]}, seeds=2,
            out=tmp_path / "runs", executor=f"dask://{address}",
        )  # fmt: skip
        assert not table.failed
        assert (tmp_path / "died").exists()
        monkeypatch.setattr("lab.experiments.runner.run.open_executor", lambda *_: Here())
        here = run_grid(BASE, {"model": ["cnn"]}, seeds=2, out=tmp_path / "here")
        there, mine = (t.cells[0].values("loss/train").tolist() for t in (table, here))
        assert there == mine
    finally:
        for process in reversed(cluster):
            process.kill()
            process.wait()


def test_a_ray_worker_may_die(tmp_path: Path) -> None:
    """As with Dask; the cluster is a head node of its own on this machine."""
    pytest.importorskip("ray", reason="the extra [ray] is not installed")
    (tmp_path / "net.py").write_text(DEADLY.format(always=False))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    start = [*ray, "start", "--head", "--num-cpus=2", "--include-dashboard=false",
             "--disable-usage-stats", f"--port={port}"]  # fmt: skip
    subprocess.run(start, check=True, capture_output=True, env=environment, cwd=tmp_path)
    try:
        grid = "import sys; from pathlib import Path; import test_sweep_whole as t\n" + (
            "place = Path(sys.argv[1]); models = ['cnn', f'{place}/net.py:net']\n"
            "table = t.run_grid(t.BASE, {'model': models}, seeds=2, out=place / 'runs',"
            " executor=sys.argv[2])\n"
            "assert not table.failed, table.failed\n"
        )
        there = {**environment, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
        subprocess.run([sys.executable, "-c", grid, str(tmp_path), f"ray://127.0.0.1:{port}"],
                       check=True, env=there, timeout=300)  # fmt: skip
    finally:
        subprocess.run([*ray, "stop", "--force"], capture_output=True, env=environment)
    assert (tmp_path / "died").exists()
    assert len(times(tmp_path / "runs")) == 4


def test_a_missing_cluster_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"needs distributed: pip install 'memorization-lab\[dask"):
        run_grid(BASE, {}, seeds=1, out=tmp_path, executor="dask://127.0.0.1:1")
    with pytest.raises(ValueError, match="use local, dask://host:port"):
        run_grid(BASE, {}, seeds=1, out=tmp_path, executor="slurm")
