"""The runner: executes the unfinished runs of a grid, on all cores or on a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Protocol

from lab.core.config import DataConfig, RunConfig
from lab.core.locks import check_out, locked
from lab.core.machine import processors
from lab.core.paths import at_home
from lab.experiments.runner import gpus
from lab.experiments.runner.collect import collect_run_files
from lab.experiments.runner.executors import Executor, open_executor
from lab.experiments.runner.former import refuse_former_networks
from lab.experiments.runner.grid import make_grid
from lab.experiments.runner.jobs import Adapt, Job, finished, make_jobs, unchanged
from lab.experiments.runner.said import said_of_jobs
from lab.experiments.runner.worker import Report, do, do_there
from lab.experiments.table import Cell, Failure, Run, Table, read_run
from lab.models import DataFiles, noting_data_files
from lab.training import choose_device, objective_file

TICK = 0.5
"""Seconds between two looks at the clock while nothing ends."""


class Watcher(Protocol):
    """Receives the progress of a grid."""

    def warn(self, warnings: Sequence[str]) -> None:
        """The networks' dry runs found this, a line each."""

    def begin(self, jobs: Sequence[Job], done: Mapping[str, Run]) -> None:
        """All jobs, and the runs that are finished already, by key."""

    def ended(self, job: Job, result: Run | Failure, seconds: float) -> None:
        """A job has ended."""

    def tick(self) -> None:
        """Called every `TICK` seconds while no job ends."""


def run_grid(
    base: RunConfig,
    grid: Mapping[str, Sequence[Any]],
    *,
    seeds: int = 3,
    out: Path | None = None,
    processes: int | None = None,
    executor: str = "local",
    watch: Watcher | None = None,
    adapt: Adapt = unchanged,
    look_at_pictures: bool = True,
) -> Table:
    """Run `base` with every combination of the grid's values and `seeds` seeds, each config as
    `adapt` makes it of these; returns a `Table`.

    Finished runs in `out` (None: the base's) are kept, interrupted ones gone on with, so that the
    same call again is the recovery. `processes` runs go on at a time (None: one on each
    processor that this process may use), or as many as `executor` has workers: `dask://host:port`
    or `ray://auto`. Runs that fail are in the table's `failed`, and what is doubtful of pictures
    from disk is in its `about_pictures` (`look_at_pictures` False: it is known already). Raises
    `ValueError` before anything is started if a setting cannot work, a finished run is of another
    network than its file makes now, this machine lacks the device or another process is at the same
    runs, `OSError` if `out` cannot be written.
    """
    place = at_home(base.out if out is None else out, "--out")
    known = make_grid(grid)
    if processes is not None and processes < 1:
        raise ValueError(f"--processes must be 1 or more, not {processes}")
    jobs = make_jobs(base, known, seeds=seeds, out=place, adapt=adapt)
    warnings, jobs = _tried(jobs)
    refuse_former_networks([job for job in jobs if finished(job)])
    processes = processes or processors()
    if executor == "local":
        todo = [job for job in jobs if not finished(job)]
        _check_memory(todo, processes)
        if todo and choose_device(base.device).type == "cuda":
            warnings += gpus.advice(min(processes, len(todo)))
    check_out(place).mkdir(parents=True, exist_ok=True)
    with locked(place):
        if watch is not None:
            watch.warn(warnings)
        doubts = doubts_of_jobs(jobs) if look_at_pictures else ()
        if watch is not None:
            watch.warn(doubts)
        table = _go_on(known, place, jobs, processes, executor, watch)
        return replace(table, about_pictures=doubts)


def _go_on(
    grid: Mapping[str, tuple[Any, ...]],
    place: Path,
    jobs: Sequence[Job],
    processes: int,
    executor: str,
    watch: Watcher | None,
) -> Table:
    done = {job.key: read_run(job.folder, seed=job.config.seed) for job in jobs if finished(job)}
    results: dict[str, Run | Failure] = {**done}
    if watch is not None:
        watch.begin(jobs, done)
    todo = [job for job in jobs if job.key not in done]
    if todo:
        results |= _do(todo, executor, processes, watch)
    return table_of(grid, place, jobs, results)


def check_jobs(jobs: Sequence[Job]) -> tuple[str, ...]:
    """What the dry runs of the jobs' networks warn of, each thing once, and what is to be said of
    the classes of own pictures in each training set.

    Raises `ValueError` if a job cannot work: its ranges, its population, its network, several
    processes; or if a setting is without effect in all of them.
    """
    return _tried(jobs)[0]


def _tried(jobs: Sequence[Job]) -> tuple[tuple[str, ...], list[Job]]:
    """`check_jobs`, and the jobs with the data files that their code has read in it."""
    from lab.runs.network import dry_run
    from lab.runs.resolve import resolve
    from lab.worlds import StoredWorld

    populations = set()
    networks: dict[tuple[object, ...], DataFiles] = {}
    metrics: dict[tuple[str, ...], DataFiles] = {}
    tried = []
    warnings: dict[str, None] = {}
    shares: list[tuple[Job, str]] = []
    told = set()
    for job in jobs:
        config, data = job.config, job.config.data
        if config.world_size > 1:
            raise ValueError(
                f"--world-size {config.world_size}: each run of a grid is done by one process, and"
                " --processes of them go on at a time; leave it out"
            )
        population = (data, config.train, config.counterfactuals)
        train = config.train
        network: tuple[object, ...] = (
            config.model, train.objective, train.optimizer, data.task, data.data, data.image_size
        )  # fmt: skip
        if objective_file(train.objective) is not None:  # tried on its examples' numbers
            network += (data.num_train, train.online, train.max_steps, train.batch_size)
        if population not in populations or network not in networks:
            run = resolve(config, elsewhere=True)
            metrics.setdefault(config.metric, run.metric_data_files)
            if data not in told and isinstance(run.world, StoredWorld):
                told.add(data)
                shares += [(job, each) for each in run.world.shares_doubted()]
            populations.add(population)
            if network not in networks:
                # Each job tries whole batches itself, where it is done: that may be on a GPU.
                with noting_data_files() as noted:
                    trial = dry_run(run.config, run.spec, whole_batches=False, world=run.world)
                networks[network] = noted.files
                warnings |= dict.fromkeys(trial.warnings)
        data_files = {**networks[network], **metrics.get(config.metric, {})}
        tried.append(replace(job, data_files=data_files))
    _refuse_idle([job.config.data for job in jobs])
    return (*said_of_jobs(shares, jobs), *warnings), tried


def doubts_of_jobs(jobs: Sequence[Job]) -> tuple[str, ...]:
    """What is doubtful of the pictures of jobs that take them from disk, a sentence each, with the
    jobs that it is true of: of each data the largest sets (the first of several), and of jobs that
    may stop early their validation pictures. Shares of classes are told by `check_jobs`, of each
    set."""
    from lab.runs.progress import progress_bar
    from lab.worlds import StoredWorld, open_world
    from lab.worlds.copies import Copies, copies_between
    from lab.worlds.doubts import doubts_of_pictures

    largest = _largest(job for job in jobs if job.config.data.data is not None)
    found: list[tuple[Job, str]] = []
    copies: dict[tuple[DataConfig, int], Copies] = {}
    for job in largest.values():
        world = open_world(job.config.data, seed=job.config.seed)
        if not isinstance(world, StoredWorld):
            continue
        train, test = (
            world.load(split, count)
            for split, count in (("train", world.data.num_train), ("test", world.data.num_test))
        )
        known_shares = world.shares_doubted(sets=(train, test))
        pictures = replace(world.data, label_noise=0.0, label_noise_kind="random", groups=())
        with progress_bar() as progress:
            if (key := (pictures, job.config.seed)) not in copies:
                copies[key] = copies_between(world, train, test, progress=progress)
            doubts = doubts_of_pictures(world, train, test, copies=copies[key], progress=progress)
        found += [(job, each) for each in doubts if each not in known_shares]
    stopping = _largest(job for job in jobs if job.config.train.early_stopping is not None)
    for job in stopping.values():
        world = open_world(job.config.data, seed=job.config.seed)
        if isinstance(world, StoredWorld):
            validation = world.validation_doubts(job.config.validation_faces, stops=True)
            found += [(job, each) for each in validation]
    return said_of_jobs(found, jobs)


def _largest(jobs: Iterable[Job]) -> dict[DataConfig, Job]:
    """Of each data the job with the largest sets, the first of several."""
    largest: dict[DataConfig, Job] = {}
    for job in jobs:
        data = job.config.data
        known = largest.setdefault(replace(data, num_train=1, num_test=1), job).config.data
        if (data.num_train, data.num_test) > (known.num_train, known.num_test):
            largest[replace(data, num_train=1, num_test=1)] = job
    return largest


def _check_memory(jobs: Sequence[Job], processes: int) -> None:
    """Raise `ValueError` if the largest jobs that can go on at a time do not fit into memory."""
    from lab.worlds import check_memory_of_runs
    from lab.worlds.kept import Kept

    kept = []
    for job in jobs:
        data, online = job.config.data, job.config.train.online
        run = data.num_test + (0 if online else data.num_train), data.image_size
        if data.data is None or not Kept.maps(*run):
            kept.append(run)
    largest = sorted(kept, key=lambda run: run[0] * run[1] ** 2, reverse=True)
    check_memory_of_runs(largest[:processes])


def _refuse_idle(configs: Sequence[DataConfig]) -> None:
    """Raise `ValueError` for a setting that none of the jobs that have it makes use of."""
    from lab.worlds import reject_no_effect

    def idle(config: DataConfig, name: str) -> ValueError | None:
        try:
            reject_no_effect(config, given=frozenset({name}))
        except ValueError as error:
            return error
        return None

    for entry in fields(DataConfig):
        having = {config for config in configs if getattr(config, entry.name) != entry.default}
        errors = [idle(config, entry.name) for config in having]
        if errors and all(errors):
            raise next(filter(None, errors))


def _do(
    jobs: Sequence[Job], executor: str, processes: int, watch: Watcher | None
) -> dict[str, Run | Failure]:
    results: dict[str, Run | Failure] = {}
    with open_executor(executor, min(processes, len(jobs))) as workers:
        for job, report in reports(jobs, workers, watch):
            result = result_of(job, report)
            results[job.key] = result
            if watch is not None:
                watch.ended(job, result, report.seconds)
    return results


def reports(
    jobs: Sequence[Job], workers: Executor, watch: Watcher | None
) -> Iterator[tuple[Job, Report]]:
    """Each job with its report, as they end."""
    function = do if workers.shares_disk else do_there
    futures = {workers.submit(function, job): job for job in jobs}
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, TICK, FIRST_COMPLETED)
        if watch is not None and not ended:
            watch.tick()
        while ended:
            future = ended.pop()
            job = futures.pop(future)  # its report may hold a whole run's files
            report = _report(job, future)
            if report.files is not None:
                collect_run_files(report.files, job.folder)
            yield job, report


def result_of(job: Job, report: Report) -> Run | Failure:
    """What came out of a job, by its report."""
    seed = job.config.seed
    if report.error:
        return Failure(job.settings, seed, job.folder, report.error, report.trace)
    return read_run(job.folder, seed=seed)


def _report(job: Job, future: Future[Report]) -> Report:
    """A job's report; if its worker died, one that says so."""
    error = future.exception()
    if error is None:
        return future.result()
    said = " ".join(str(error).split()) or type(error).__name__
    return Report(key=job.key, seconds=0.0, error=said)


def table_of(
    grid: Mapping[str, tuple[Any, ...]],
    out: Path,
    jobs: Sequence[Job],
    results: Mapping[str, Run | Failure],
) -> Table:
    """The table of a grid from the `results` of its jobs by key."""
    cells: dict[tuple[int, ...], list[Job]] = {}
    for job in jobs:
        place = tuple(values.index(job.settings[name]) for name, values in grid.items())
        cells.setdefault(place, []).append(job)
    found = []
    for _, same in sorted(cells.items()):
        runs = (results[job.key] for job in same)
        finished_runs = tuple(run for run in runs if isinstance(run, Run))
        found.append(Cell(same[0].settings, same[0].config, finished_runs))
    failed = [results[job.key] for job in jobs]
    failures = tuple(failure for failure in failed if isinstance(failure, Failure))
    return Table(grid, out, tuple(found), failures)
