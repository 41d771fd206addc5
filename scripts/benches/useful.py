"""What a useful network costs: `train.py --preset useful`, whole runs, several seeds.

A network is *useful* here if its test accuracy is 0.99 or more, its reliance on each part of a face
0.85 or more, and that on each nuisance 0.05 or less, by the ordinary measures of the run. Both
processor seconds and seconds on the wall are of the whole process: starting, drawing, training,
measuring and logging.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benches.table import Row
from lab.core.estimate import Estimate
from lab.core.run_dir import RunDir

ACCURACY, RELIANCE, NUISANCE = 0.99, 0.85, 0.05
"""The criterion: least accuracy, least reliance on a part, highest reliance on a nuisance."""

PARTS = ("eyes", "nose", "mouth", "ears", "arrangement")

SEEDS, QUICK = 3, 1

_TRAIN = Path(__file__).parents[1] / "train.py"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One run: what it cost, how many pictures it saw, its test accuracy, and its reliance on each
    attribute."""

    wall: float
    processor: float
    pictures: int
    accuracy: Estimate
    reliance: dict[str, Estimate]

    @property
    def least_part(self) -> str:
        """The part with the least reliance."""
        return min(PARTS, key=lambda name: self.reliance[name].value)

    @property
    def highest_nuisance(self) -> str:
        """The nuisance with the highest reliance."""
        nuisances = self.reliance.keys() - {*PARTS, "subject"}
        return max(sorted(nuisances), key=lambda name: self.reliance[name].value)


def measure(*, quick: bool) -> list[Row]:
    """Cost and quality of each seed's run."""
    rows: list[Row] = []
    for seed in range(QUICK if quick else SEEDS):
        try:
            rows += rows_of(seed, _run(seed))
        except ValueError as error:
            rows.append(Row(what=f"seed {seed}", value=float("nan"), note=str(error)))
    return rows


def rows_of(seed: int, run: Trained) -> list[Row]:
    """The cost of the run with this seed, and each part of the criterion."""
    part, nuisance = run.least_part, run.highest_nuisance
    least, highest = run.reliance[part], run.reliance[nuisance]
    cost = f"processor; {run.wall:.0f} s on the wall, {run.pictures:,} faces"
    return [
        Row(what=f"seed {seed}", value=run.processor, unit="s", note=cost),
        Row(what="  test accuracy", value=run.accuracy.value, least=ACCURACY,
            note=_interval(run.accuracy)),
        Row(what="  least reliance on a part", value=least.value, least=RELIANCE,
            note=f"{part}, {_interval(least)}"),
        Row(what="  highest reliance on a nuisance", value=highest.value, most=NUISANCE,
            note=f"{nuisance}, {_interval(highest)}"),
    ]  # fmt: skip


def _interval(estimate: Estimate) -> str:
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def _run(seed: int) -> Trained:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(_TRAIN), "--out", folder, "--name", "bench"]
        before, start = _children(), time.perf_counter()
        done = subprocess.run(
            [*command, "--preset", "useful", "--device", "cpu", "--seed", str(seed)],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
        wall, processor = time.perf_counter() - start, _children() - before
        if done.returncode != 0:
            raise ValueError((done.stderr.strip().splitlines() or ["train.py fails"])[-1])
        run = RunDir(Path(folder) / "bench")
        config, _ = run.settings()
        summary = run.summary()
    return Trained(
        wall=wall,
        processor=processor,
        pictures=config.train.max_steps * config.train.batch_size,
        accuracy=Estimate(**summary["accuracy"]["test"]),
        reliance={name: Estimate(**entry) for name, entry in summary["reliance"].items()},
    )


def _children() -> float:
    import resource  # which Windows lacks

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
