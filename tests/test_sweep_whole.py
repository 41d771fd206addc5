"""Whole sweeps: what survives a dead worker, a dead parent and a full folder; on a cluster, too."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.sweep import run_grid

ROOT = Path(__file__).parents[1]
FLAGS = (
    "--num-train 16 --num-test 20 --image-size 16 --width 1 --steps 3 --twins 0 --no-pictures"
    " --seeds 2 --processes 2"
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


def base(**changes: Any) -> RunConfig:
    return RunConfig(
        data=DataConfig(num_train=16, num_test=20, image_size=16),
        model=ModelConfig(width=1),
        train=TrainConfig(steps=3, batch_size=8),
        twins=0, pictures=False, **changes,
    )  # fmt: skip


def times(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.rglob("summary.json")}


def test_the_same_call_again_repeats_nothing_and_a_larger_one_adds(tmp_path: Path) -> None:
    first = run_grid(base(), {"num_train": [8, 16]}, seeds=2, out=tmp_path, processes=2)
    before = times(tmp_path)
    again = run_grid(base(), {"num_train": [8, 16, 12]}, seeds=2, out=tmp_path, processes=2)
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
    table = run_grid(base(), {"model": models}, seeds=1, out=tmp_path / "runs", processes=2)
    assert [len(cell.runs) for cell in table.cells] == [1, 0, 1]
    (failure,) = table.failed
    assert "net.py:net" in str(failure)
    assert "SIGKILL" in failure.reason


def test_a_killed_parent_is_recovered_by_the_same_command(tmp_path: Path) -> None:
    command = [
        sys.executable, str(ROOT / "scripts" / "sweep.py"), *FLAGS.split(),
        "--grid", "num_train=8,10,12,14", "--out", str(tmp_path),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env=environment) as parent:  # fmt: skip
        while len(times(tmp_path)) < 2:
            assert parent.poll() is None
            time.sleep(0.02)
        parent.send_signal(signal.SIGKILL)
    done = times(tmp_path)
    assert len(done) < 8
    finished = {p: t for p, t in done.items() if json.loads(p.read_text())["status"] == "finished"}
    subprocess.run(command, check=True, capture_output=True, env=environment, timeout=120)
    runs = {p: t for p, t in times(tmp_path).items() if json.loads(p.read_text())["step"] == 3}
    assert finished.items() <= runs.items()
    with next(tmp_path.glob("*.csv")).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {row["status"] for row in rows} == {"finished"}


def test_bad_grids_are_one_line_and_write_nothing(tmp_path: Path) -> None:
    for grid, message in (
        ({"num_trian": [8]}, "num_train"),
        ({"num_train": [1]}, "--num-train must be"),
        ({"model": ["cnm"]}, "cnn"),
    ):
        with pytest.raises(ValueError, match=message):
            run_grid(base(), grid, out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_dask_worker_may_die(tmp_path: Path) -> None:
    """Two workers without a disk in common, as far as the sweep knows; the runs come home."""
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
    worker = f"{dask}worker {local} --no-dashboard --nthreads 1 --scheduler-file {at}"
    cluster = [subprocess.Popen(scheduler.split(), **quiet)]
    try:
        deadline = time.monotonic() + 60
        while not (at.exists() and at.read_text().endswith("}")) and time.monotonic() < deadline:
            time.sleep(0.1)
        cluster += [subprocess.Popen(worker.split(), **quiet) for _ in range(2)]
        address = json.loads(at.read_text())["address"].removeprefix("tcp://")
        table = run_grid(
            base(), {"model": ["cnn", f"{tmp_path}/net.py:net"]}, seeds=2,
            out=tmp_path / "runs", executor=f"dask://{address}",
        )  # fmt: skip
        assert not table.failed
        assert (tmp_path / "died").exists()
        here = run_grid(base(), {"model": ["cnn"]}, seeds=2, out=tmp_path / "here", processes=2)
        there, mine = (t.cells[0].values("loss/train").tolist() for t in (table, here))
        assert there == mine
    finally:
        for process in reversed(cluster):
            process.kill()
            process.wait()


def test_a_missing_cluster_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"needs distributed: pip install 'memorization-lab\[dask"):
        run_grid(base(), {}, seeds=1, out=tmp_path, executor="dask://127.0.0.1:1")
    with pytest.raises(ValueError, match="use local, dask://host:port"):
        run_grid(base(), {}, seeds=1, out=tmp_path, executor="slurm")
