"""What a default run spends its time on, from the run's own summary."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benches.table import Row
from lab.core.run_dir import RunDir

GOAL = 12.0
"""Seconds of a run with default flags, from shell to shell, on an idle machine."""

_TRAIN = Path(__file__).parents[1] / "train.py"


def measure(*, quick: bool) -> list[Row]:
    """Shares of start-up, drawing, training, measuring, logging, saving; medians over runs."""
    flags = ["--steps", "500"] if quick else []
    try:
        runs = [_run(flags) for _ in range(1 if quick else 3)]
    except ValueError as error:
        return [Row(what="a run", value=float("nan"), most=GOAL, note=str(error))]
    total = [sum(run["seconds"].values()) for run in runs]
    kind = "of 500 steps" if quick else "with default flags"
    note = (
        f"median of {len(runs)}, wall clock, one thread"
        if len(runs) > 1
        else "wall clock, one thread"
    )
    rows = [
        Row(what=f"a run {kind}, from shell to shell", unit="s", note=note,
            value=statistics.median(run["wall"] for run in runs), most=None if quick else GOAL)
    ]  # fmt: skip
    shares = {
        what: statistics.median(
            100 * run["seconds"][what] / all_of_it
            for run, all_of_it in zip(runs, total, strict=True)
        )
        for what in runs[0]["seconds"]
    }
    rows += [Row(what=f"  {what}", value=share, unit="%") for what, share in shares.items()]
    return rows


def _run(flags: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(_TRAIN), "--out", folder, "--name", "bench"]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--device", "cpu", "--threads", "1", *flags],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
        wall = time.perf_counter() - start
        if done.returncode != 0:
            raise ValueError((done.stderr.strip().splitlines() or ["train.py fails"])[-1])
        summary = RunDir(Path(folder) / "bench").summary()
    seconds = {what: figure["value"] for what, figure in summary["seconds"].items()}
    return {"wall": wall, "seconds": seconds}
