"""Networks beside those of a pool: trained by the same code, kept in the pool's folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor
from tqdm import tqdm

from lab.core.locks import locked
from lab.core.machine import processors
from lab.core.seeds import torch_seed
from lab.experiments.runner.executors import open_executor
from lab.experiments.runner.jobs import known_by
from lab.models import noting_data_files
from lab.pool.run import PoolResult
from lab.pool.store import PoolDir, Trained
from lab.pool.train import Job, Report, do
from lab.runs.network import dry_run

LINES = 10
"""Lines of progress of a kind of networks."""

AnyReport = TypeVar("AnyReport", bound=Report)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Where networks beside a pool are trained, and what is told meanwhile."""

    executor: str = "local"
    processes: int | None = None
    say: Callable[[str], None] = lambda line: None

    def train(
        self,
        result: PoolResult,
        jobs: Sequence[Job],
        work: Callable[[Job], AnyReport],
        *,
        keep: Callable[[AnyReport], None],
        what: str,
        there: int,
    ) -> list[str]:
        """Do the `jobs`, a call of `work` each, `keep` each report of a trained network, and return
        what is said of those that failed. `what` names the networks; `there`: so many of them are
        kept already. Raises `KeyboardInterrupt` after a line if it is interrupted."""
        total, done, failed = len(jobs) + there, there, dict[int, str]()
        kept = f", {there:,} of them there already" if there else ""
        self.say(f"{total:,} {what}{kept}")
        if not jobs:
            return []
        began, every = time.monotonic(), max(1, total // LINES)
        processes = min(self.processes or processors(), len(jobs))
        try:
            with open_executor(self.executor, processes) as workers, locked(result.folder):
                futures = {workers.submit(work, job): job for job in jobs}
                for future in as_completed(futures):
                    job, error = futures[future], future.exception()
                    if error is not None:
                        failed[job.network] = f"network {job.network} of {what}: {error}"
                        continue
                    report = future.result()
                    if report.trained is None:
                        failed[job.network] = f"network {job.network} of {what}: {report.error}"
                        continue
                    keep(report)
                    done += 1
                    if done % every == 0 or done == total:
                        each = (time.monotonic() - began) / (done - there)
                        left = tqdm.format_interval((total - done) * each)
                        self.say(f"{done:,}/{total:,}  ({left} left)")
        except KeyboardInterrupt:
            self.say(f"{done:,} of them are kept; the same command continues")
            raise
        return [failed[network] for network in sorted(failed)]

    def kept_in(
        self, result: PoolResult, folder: Path, jobs: Sequence[Job], *, what: str
    ) -> tuple[dict[int, Trained], list[str]]:
        """The trained networks of the `jobs` by number, kept in a `folder` as a pool's are: those
        that are not there yet are trained now. And what is said of those that failed."""
        place = PoolDir(folder)
        place.file(0).parent.mkdir(parents=True, exist_ok=True)
        kept = {job.network: each for job in jobs if (each := place.read(job.network)) is not None}

        def keep(report: Report) -> None:
            assert report.trained is not None, "it was trained"
            place.write(report.network, report.trained)
            kept[report.network] = report.trained

        missing = [job for job in jobs if job.network not in kept]
        failed = self.train(result, missing, do, keep=keep, what=what, there=len(kept))
        return kept, failed


def like_those_of(result: PoolResult) -> Job:
    """The job of a pool's first network, from which jobs of other networks with its settings are
    made."""
    run = result.run
    with noting_data_files() as noted:
        trial = dry_run(
            run.config, run.spec, device=run.device, whole_batches=False, world=run.world
        )
    key, seen = known_by(run.config)
    return Job(
        network=0,
        config=run.config,
        share=result.share,
        key=key,
        unfinished=trial.unfinished,
        data_files=noted.files,
        seen=seen,
    )


@dataclass(frozen=True, kw_only=True)
class WholeJob(Job):
    """A network that is trained on the whole training set."""

    @property
    def seed(self) -> int:
        """The seed of the network's weights and batches."""
        return torch_seed(self.config.seed, "pool network on all", self.network)

    def members(self, count: int) -> Tensor:
        """All examples."""
        return torch.ones(count, dtype=torch.bool)


@dataclass(frozen=True, kw_only=True)
class AgainJob(Job):
    """A network that is trained on the subset of the pool's network of that number, with other
    weights and batches."""

    @property
    def seed(self) -> int:
        """The seed of the network's weights and batches."""
        return torch_seed(self.config.seed, "pool network again", self.network)


@dataclass(frozen=True, kw_only=True)
class WithoutJob(Job):
    """A network that is trained on all examples but some."""

    left_out: tuple[int, ...]

    @property
    def seed(self) -> int:
        """The seed of the network's weights and batches."""
        return torch_seed(self.config.seed, "pool network without", self.network)

    def members(self, count: int) -> Tensor:
        """All examples but those that are left out."""
        members = torch.ones(count, dtype=torch.bool)
        members[list(self.left_out)] = False
        return members


def whole(job: Job, network: int) -> WholeJob:
    """Network number `network` on the whole training set, with a job's settings."""
    return WholeJob(**{**vars(job), "network": network})


def again(job: Job, network: int) -> AgainJob:
    """The repetition of network number `network`, with a job's settings."""
    return AgainJob(**{**vars(job), "network": network})


def without(job: Job, network: int, left_out: Sequence[int]) -> WithoutJob:
    """Network number `network` without the examples `left_out`, with a job's settings."""
    return WithoutJob(**{**vars(replace(job, network=network)), "left_out": tuple(left_out)})
