"""The networks of the lessons for a class: trained side by side, with the time that is left."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from lab.core.config import RunConfig
from lab.core.locks import check_out, locked
from lab.core.run_dir import RunDir
from lab.core.words import percent
from lab.experiments.runner.executors import open_executor
from lab.experiments.runner.jobs import Job, finished, key_of
from lab.experiments.runner.run import check_jobs, reports, result_of
from lab.experiments.table import Failure, Run
from lab.training import load_checkpoint


@dataclass(frozen=True, kw_only=True)
class ClassNetwork:
    """A network of a class: what it is, the flags of `train.py` that it is trained with, and about
    how many processor seconds and steps that takes."""

    what: str
    flags: str
    seconds: float
    steps: int


NETWORKS: Mapping[str, ClassNetwork] = {
    "linden": ClassNetwork(what="useful", flags="--preset useful", seconds=75, steps=2700),
    "maple": ClassNetwork(
        what="a cheat",
        flags="--cues eye_color=blue/brown:1 --subpopulations missing --missing nose mouth ears"
        " --num-train 1000",
        seconds=25,
        steps=375,
    ),
    "walnut": ClassNetwork(what="a memorizer", flags="", seconds=12, steps=128),
    "poplar": ClassNetwork(
        what="a memorizer of wrong labels",
        flags="--label-noise 0.2 --num-train 60",
        seconds=10,
        steps=128,
    ),
}
"""By names that do not tell which is which. The longest is first, so that no other waits for it."""


def train_networks(
    configs: Mapping[str, RunConfig],
    *,
    out: Path,
    processes: int,
    about: Mapping[str, ClassNetwork] = NETWORKS,
    stream: TextIO | None = None,
) -> list[str]:
    """Train the networks in `out`, each in the folder of its name, `processes` at a time with one
    thread each; returns what failed, a line each.

    Finished ones are kept and stopped ones gone on with, so that the same call is the recovery.
    `about` tells what each takes, for the estimate of the time that is left, which `stream` (None:
    standard error) gets. Raises `ValueError` if a folder holds another run, and as
    `check_jobs` does.
    """
    if processes < 1:
        raise ValueError(f"--processes must be 1 or more, not {processes}")
    jobs = [_job(name, config, out) for name, config in configs.items()]
    check_jobs(jobs)
    check_out(out).mkdir(parents=True, exist_ok=True)
    failed = []
    with locked(out):
        todo = [job for job in jobs if not finished(job)]
        watch = Watch(jobs, todo, about, processes, stream or sys.stderr)
        if todo:
            with open_executor("local", min(processes, len(todo))) as workers:
                for job, report in reports(todo, workers, watch):
                    result = result_of(job, report)
                    watch.ended(job, result, report.seconds)
                    if isinstance(result, Failure):
                        failed.append(f"{job.folder}: {result.reason}")
    return failed


def accuracies(folder: Path) -> str:
    """How often a finished run is right, in words; empty if its summary does not say."""
    told = RunDir(folder).summary().get("accuracy", {})
    with suppress(KeyError, TypeError):
        train, test = (percent(told[name]["value"]) for name in ("train", "test"))
        return f"right about {train} of its training faces and {test} of unseen ones"
    return ""


class Watch:
    """Tells how far the networks are: on a terminal in a line that changes in place, elsewhere in a
    line for each that ends."""

    def __init__(
        self,
        jobs: Sequence[Job],
        todo: Sequence[Job],
        about: Mapping[str, ClassNetwork],
        processes: int,
        stream: TextIO,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs, self._about, self._processes = todo, about, processes
        self._stream, self._clock = stream, clock
        self._live = stream.isatty()
        self._seen: dict[str, tuple[int, int]] = {}  # time of the checkpoint's file, and its step
        self._ended: set[str] = set()
        for job in jobs:
            if job not in todo:
                self._say(f"{job.config.name}: finished already")
        self._began, self._planned = clock(), self.planned()
        self._known, self._at, self._left = self._planned, self._began, self._planned
        if todo:
            self._say(f"about {_spell(self._planned)} on {processes} idle processors")

    def warn(self, warnings: Sequence[str]) -> None:
        """None is told: the networks are the lab's own."""

    def begin(self, jobs: Sequence[Job], done: Mapping[str, Run]) -> None:
        """The clock was started before."""

    def tick(self) -> None:
        """Show how far each network is, and the time that is left."""
        if self._live:
            told = [f"{job.config.name} {self._told(job)}" for job in self._jobs]
            line = f"{_spell(self.left())} left · {' · '.join(told)}"
            self._stream.write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1])
            self._stream.flush()

    def ended(self, job: Job, result: Run | Failure, seconds: float) -> None:
        """A network is trained, or has failed."""
        name = str(job.config.name)
        self._ended.add(name)
        told = accuracies(job.folder)
        if isinstance(result, Failure):
            told = f"failed: {result.reason}"
        left = self.left()
        self._say(f"{name}: {told}" + (f" ({_spell(left)} left)" if left else ""))

    def planned(self) -> float:
        """The seconds that what is left takes on idle processors: of the longest network, or of all
        on as many processors as there are."""
        left = [
            self._about[str(job.config.name)].seconds * (1 - self._share(job)) for job in self._jobs
        ]
        return max(max(left, default=0.0), sum(left) / self._processes)

    def left(self) -> float:
        """The seconds that are left, at the pace up to the last checkpoint."""
        planned, now = self.planned(), self._clock()
        if planned != self._known:
            done = self._planned - planned
            pace = (now - self._began) / done if done > self._planned / 20 else 1.0
            self._known, self._at, self._left = planned, now, planned * max(1.0, pace)
        return max(0.0, self._left - (now - self._at))

    def _share(self, job: Job) -> float:
        """How much of a network's training is done, 0 to 1."""
        if job.config.name in self._ended:
            return 1.0
        return min(0.95, self._step(job) / self._about[str(job.config.name)].steps)

    def _told(self, job: Job) -> str:
        if job.config.name in self._ended:
            return "✓"
        step = self._step(job)
        if not step:
            return "…"
        most = "" if job.config.loss_bound else f" of {job.config.train.max_steps:,}"
        return f"step {step:,}{most}"

    def _step(self, job: Job) -> int:
        """The step of its last checkpoint; 0 if there is none."""
        path, name = RunDir(job.folder).last, str(job.config.name)
        with suppress(OSError, ValueError):  # it is being replaced
            changed = path.stat().st_mtime_ns
            if self._seen.get(name, (0, 0))[0] != changed:
                self._seen[name] = changed, load_checkpoint(path).step
        return self._seen.get(name, (0, 0))[1]

    def _say(self, line: str) -> None:
        self._stream.write(("\r\x1b[K" if self._live else "") + line + "\n")
        self._stream.flush()


def _job(name: str, config: RunConfig, out: Path) -> Job:
    config = replace(config, name=name, out=out, threads=1)
    return Job(config, {"network": name}, key_of(config))


def _spell(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
