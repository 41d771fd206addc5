"""A grid on two cores, against two loops that do the same runs by hand, side by side."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benches.table import Row
from lab.core.config import DataConfig, RunConfig, TrainConfig
from lab.experiments import run_grid
from lab.experiments.timing import ratio, take_turns

GOAL = 0.9
"""Of the rate of two independent loops."""

PROCESSES = 2

_ROOT = Path(__file__).parents[2]

_RUNS = """
import contextlib, io, sys
from pathlib import Path
from benches import sweep
from lab.runs.train import start
base, seeds = sweep.base(int(sys.argv[1])), sys.argv[3:]
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    for job in sweep.jobs(base, Path(sys.argv[2]), [int(seed) for seed in seeds]):
        start(job)
"""

_BARE = """
import sys
from benches import sweep, training
from lab.worlds import draw_examples
import torch
torch.set_num_threads(1)
base = sweep.base(int(sys.argv[1]))
for seed in sys.argv[3:]:
    examples = draw_examples(base.data, split="train", count=base.data.num_train, seed=int(seed))
    training.bare(examples.images, examples.labels, base.train.max_steps)
"""
"""What each of two processes does, with its share of the seeds."""


def base(steps: int) -> RunConfig:
    """A run as sweeps have them: evaluated at its ends, without pictures."""
    return RunConfig(
        data=DataConfig(num_train=1000, num_test=1000),
        train=TrainConfig(steps=steps, eval_every=steps),
        counterfactuals=0, pictures=False, device="cpu",
    )  # fmt: skip


def jobs(base: RunConfig, out: Path, seeds: list[int]) -> list[RunConfig]:
    """The runs of these seeds."""
    return [replace(base, seed=seed, out=out, name=f"s{seed}") for seed in seeds]


def measure(*, quick: bool) -> list[Row]:
    """Runs a minute of a grid, and its rate in that of two loops over the same runs, and of two
    bare training loops that measure and write nothing."""
    count, steps, turns = (4, 100, 3) if quick else (8, 300, 5)
    seconds = take_turns(
        {
            "a grid": lambda: _grid(base(steps), count),
            "two loops of runs": _loops(_RUNS, steps, count),
            "two bare training loops": _loops(_BARE, steps, count),
        },
        repetitions=turns,
        clock=time.perf_counter,
    )
    what = f"{count} runs of {steps} steps on {PROCESSES} processes"
    rows = [
        Row(what=name, value=60 / statistics.median(values), unit="runs a minute", note=what)
        for name, values in seconds.items()
    ]
    grid, runs, bare = seconds.values()
    value, spread = ratio(runs, grid)
    rows.append(Row(what="a grid against two loops of runs", value=value, unit="×", least=GOAL,
                    note=spread))  # fmt: skip
    value, spread = ratio(bare, grid)
    note = f"{spread}; they measure and write nothing"
    return [*rows, Row(what="a grid against two bare training loops", value=value, unit="×",
                       note=note)]  # fmt: skip


def _grid(config: RunConfig, count: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        table = run_grid(config, {}, seeds=count, out=Path(folder), processes=PROCESSES)
        assert not table.failed
    return count


def _loops(code: str, steps: int, count: int) -> Callable[[], int]:
    def job() -> int:
        paths = os.pathsep.join([str(_ROOT), str(_ROOT / "scripts")])
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
        with tempfile.TemporaryDirectory() as folder:
            loops = [
                subprocess.Popen(
                    [sys.executable, "-c", code, str(steps), folder,
                     *map(str, range(first, count, PROCESSES))],
                    env=environment,
                )
                for first in range(PROCESSES)
            ]  # fmt: skip
            for loop in loops:
                if loop.wait():
                    raise ValueError("a loop of the sweep's bench fails")
        return count

    return job
