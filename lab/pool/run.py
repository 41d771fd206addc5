"""Doing a pool: the networks that are not there yet, on all cores or on a cluster."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lab.core.config import RunConfig
from lab.core.machine import processors
from lab.core.run_names import automatic_name, check_name
from lab.experiments.runner.executors import Executor, open_executor
from lab.experiments.runner.jobs import known_by
from lab.measure import right
from lab.models import digest_of, noting_data_files
from lab.pool.fresh import WARNING, Fresh, fresh_of
from lab.pool.membership import membership, subset_size
from lab.pool.progress import Progress
from lab.pool.store import Pool, PoolDir
from lab.pool.train import Job, Report, do, weights_of
from lab.runs.network import build_model, dry_run
from lab.runs.progress import progress_bar
from lab.runs.provenance import provenance_of
from lab.runs.resolve import ResolvedRun, resolve
from lab.worlds import Examples, StoredWorld, check_memory_of_runs
from lab.worlds.clusters import Clusters
from lab.worlds.doubts import doubts_of_pictures

MOST = 100_000
"""Networks of a pool at most."""

WEIGHTS = 1e9
"""Bytes that the weights of all networks take at most: those of a pool with more are not kept."""

TICK = 0.5
"""Seconds between two looks at the clock while nothing ends."""

PROCESS, LIBRARIES = 3.5e8, 2.7e8
"""Bytes of memory that a process takes beside its pictures, and that all of them share (torch and
other libraries): as measured with the default network on Linux."""


LOSS_BOUND = 0.005
"""The mean loss on its members, in nats, at which a network's training ends, unless the settings
say otherwise. A wrong prediction has a loss of log 2 = 0.69 or more with any number of classes, so
that at least 99.2 % of them are right."""

STEPS, EPOCHS = 25, 4
"""Steps between two tests of that, or epochs if these take longer."""


@dataclass(frozen=True, kw_only=True)
class PoolResult:
    """A pool's folder, its networks, and the examples that they are about; `failed` are the
    networks that could not be trained, with the reasons."""

    folder: Path
    run: ResolvedRun
    share: float
    pool: Pool
    train: Examples
    test: Examples
    seconds: float
    """Processor seconds of the networks that were trained now, each; 0: none was."""
    failed: tuple[tuple[int, str], ...]
    doubts: tuple[str, ...] = ()
    """What is doubtful of pictures from disk, a sentence each."""

    @cached_property
    def fresh(self) -> Fresh:
        """Which of the test examples the training examples are compared with."""
        return fresh_of(self.run.world, self.train, self.test)

    @cached_property
    def clusters(self) -> Clusters | None:
        """The clusters that the training examples may be in, as those of one patient; None: none
        are known."""
        world = self.run.world
        return world.training_clusters(len(self.train)) if isinstance(world, StoredWorld) else None


def run_pool(
    config: RunConfig,
    *,
    networks: int,
    share: float = 0.7,
    processes: int | None = None,
    executor: str = "local",
    watch: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> PoolResult:
    """Train networks number 0 to `networks` - 1, each on a random `share` of the training set that
    `config` describes, and read what they predict.

    Networks that are in the pool's folder, below `config.out`, are kept: the same call again goes
    on where it was stopped, and with a larger number adds networks. Raises `ValueError` before
    anything is trained if a setting cannot work or the folder holds another pool, `OSError` if it
    cannot be written.
    """
    if not 2 <= networks <= MOST:
        raise ValueError(f"--networks must be 2 to {MOST:,}, not {networks}")
    if not 0 < share < 1:
        raise ValueError(f"--share must be above 0 and below 1, not {share:g}")
    if processes is not None and processes < 1:
        raise ValueError(f"--processes must be 1 or more, not {processes}")
    if config.train.online:
        raise ValueError("--online has no training set that a network is trained on a part of")
    if config.name is not None:
        check_name(config.name)
    run = resolve(config, strict=True)
    if run.config.world_size > 1:
        raise ValueError(
            f"RANK and WORLD_SIZE ask for {run.config.world_size} processes, and each network of a"
            " pool is trained by one: unset them"
        )
    data = run.config.data
    size = subset_size(data.num_train, share)
    run = replace(run, config=with_criterion(run.config, size=size))
    processes = min(processes or processors(), networks)
    check_memory_of_runs([(data.num_train + data.num_test, data.image_size)] * processes)
    part = replace(run.config, data=replace(data, num_train=size))  # what each is trained on
    with noting_data_files() as noted:
        trial = dry_run(part, run.spec, device=run.device, world=run.world)
        model = build_model(run.config, run.spec, finished=trial.unfinished)
    for warning in trial.warnings:
        say(f"warning: {warning}")
    key, seen = known_by(run.config)
    folder = PoolDir(run.config.out / (config.name or _name(run.config, share, key)))
    provenance = replace(provenance_of(run.config, model), data_files=noted.files)
    weights = networks * len(weights_of(model, run.config, run.spec, step=0))
    with (
        open_executor(executor, processes) as workers,
        folder.opened(run.config, provenance, share=share, key=key),
    ):
        masks = [
            membership(k, count=data.num_train, share=share, seed=run.config.seed)
            for k in range(networks)
        ]
        kept = {k: trained for k in range(networks) if (trained := folder.read(k)) is not None}
        todo = [
            Job(
                network=k,
                config=run.config,
                share=share,
                key=key,
                unfinished=trial.unfinished,
                keep_weights=weights <= WEIGHTS,
                data_files=noted.files,
                seen=seen,
            )
            for k in range(networks)
            if k not in kept
        ]
        say(_plan(run, networks, size, len(kept), processes, weights))
        train = run.world.load("train", data.num_train).to("cpu")
        test = run.world.load("test", data.num_test).to("cpu")
        with progress_bar() as looking:
            doubts = doubts_of_pictures(run.world, train, test, then=WARNING, progress=looking)
        if isinstance(run.world, StoredWorld) and run.config.train.early_stopping is not None:
            doubts += run.world.validation_doubts(run.config.validation_faces, stops=True)
        for warning in doubts:
            say(f"warning: {warning}")
        if said := fresh_of(run.world, train, test).said:
            say(said)
        labels = train.labels
        failed: list[tuple[int, str]] = []
        seconds: list[float] = []
        progress = watch or Progress()
        progress.begin(total=networks, done=len(kept))
        try:
            for report in _reports(todo, workers, progress):
                if report.trained is None:
                    failed.append((report.network, report.error))
                    progress.failed(report.network, report.error)
                    continue
                folder.write(report.network, report.trained)
                kept[report.network] = replace(report.trained, weights=b"")
                seconds.append(report.seconds)
                hits, members = right(report.trained.train_logits, labels), masks[report.network]
                progress.ended(
                    inside=hits[members].double().mean().item(),
                    outside=hits[~members].double().mean().item(),
                )
        except KeyboardInterrupt:
            say(f"{len(kept):,} networks are kept; the same command continues")
            raise
        finally:
            progress.close()
        if not kept:
            raise ValueError(f"no network of the pool could be trained: {failed[0][1]}")
        return PoolResult(
            folder=folder.path,
            run=run,
            share=share,
            pool=Pool.of([(k, masks[k], kept[k]) for k in sorted(kept)]),
            train=train,
            test=test,
            seconds=sum(seconds) / len(seconds) if seconds else 0.0,
            failed=tuple(failed),
            doubts=tuple(doubts),
        )


def with_criterion(config: RunConfig, *, size: int) -> RunConfig:
    """The settings of a run that a training loss ends, with a pool's own criterion where they leave
    it open: the loss, and how often it is tested on the `size` examples of a network."""
    train = config.train
    if config.loss_bound is None:
        return config
    epoch = math.ceil(size / train.batch_size)
    every = train.eval_every or max(STEPS, EPOCHS * epoch)
    bound = train.stop_at_loss or LOSS_BOUND
    return replace(config, train=replace(train, stop_at_loss=bound, eval_every=every))


def _name(config: RunConfig, share: float, key: str) -> str:
    """The folder's name, which other settings do not share."""
    return f"{automatic_name(config)}-{digest_of(f'{key} {share!r}'.encode())[:8]}"


def _plan(
    run: ResolvedRun, networks: int, size: int, done: int, processes: int, weights: int
) -> str:
    """What is about to happen, and what it takes; all `weights` take so many bytes."""
    data, world = run.config.data, run.world
    numbers = (data.num_train + data.num_test) * len(world.classes)
    kept = weights <= WEIGHTS
    disk = networks * (4 * numbers + 1500) + kept * weights
    which = "weights included" if kept else f"without weights, which would take {_bytes(weights)}"
    pictures = 3 * data.image_size**2 * (data.num_train + data.num_test + size)
    memory = LIBRARIES + (processes + 1) * (PROCESS + pictures) + 4 * networks * numbers
    left = f", {done:,} of them there already" if done else ""
    many = "processes" if processes > 1 else "process"
    return (
        f"{networks:,} networks{left}, each trained on {size:,} of {data.num_train:,}"
        f" {world.noun}; {processes} {many} with one thread each; about {_bytes(disk)} of disk"
        f" ({which}) and {_bytes(memory)} of memory"
    )


def _bytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{max(0.1, count / 1e6):,.1f} MB"


def _reports(jobs: Sequence[Job], workers: Executor, progress: Progress) -> Iterator[Report]:
    """The report of each job, as they end."""
    futures: dict[Future[Report], Job] = {workers.submit(do, job): job for job in jobs}
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, TICK, FIRST_COMPLETED)
        if not ended:
            progress.tick()
        while ended:
            future = ended.pop()
            job = futures.pop(future)  # its report holds a network's predictions
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                said = " ".join(str(error).split()) or type(error).__name__
                yield Report(network=job.network, seconds=0.0, error=said)
