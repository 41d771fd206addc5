"""Doing a run: `start` a new one, `resume` one that was interrupted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lab.core.config import RunConfig
from lab.core.run_dir import RunDir
from lab.models import TURN, isolated, noting_data_files
from lab.runs.batches import names_for_objective, training_batches
from lab.runs.folder import OpenedRun, Replica, new_folder, old_folder
from lab.runs.load import own_sources
from lab.runs.network import build_model, dry_run, model_spec, repeated_trial
from lab.runs.provenance import (
    moved,
    refuse_changed_data,
    refuse_gone_pictures,
    refuse_other_world,
    refuse_parted,
    refuse_watched,
)
from lab.runs.record import Record, Result
from lab.runs.resolve import (
    ResolvedRun,
    check_processes,
    own_metrics,
    resolve,
    with_metrics_beside,
)
from lab.training import (
    Checkpoint,
    NoDevice,
    Trial,
    choose_device,
    create_objective,
    fit,
    give_state,
    graceful_stop,
    joined,
    make_deterministic,
    parts_of_batches,
    set_threads,
)
from lab.worlds import open_world


def start(config: RunConfig, *, strict: bool = False, started_at: float | None = None) -> Result:
    """Do a new run; `started_at` is when the program was started, on `time.perf_counter`'s clock.
    `strict` refuses settings that have no effect.

    In a distributed run (torchrun) each process calls it, and each gets the result. Raises
    `ValueError` before anything is written if a setting cannot work, and later `OSError`,
    `Diverged`, or `Interrupted`, after which `resume` goes on.
    """
    started_at = time.perf_counter() if started_at is None else started_at
    run = resolve(config, strict=strict)
    with _alone(run.device):
        _prepare_torch(run.config)
        with noting_data_files() as noted:
            trial = dry_run(run.config, run.spec, device=run.device, world=run.world)
            model = build_model(run.config, run.spec, finished=trial.unfinished)
            objective = create_objective(run.config.train.objective, beside=model)
        run = with_metrics_beside(run, model, objective)
        with joined(run.device) as processes:
            replica = Replica(
                run=run, model=model, objective=objective, processes=processes,
                data_files=noted.files,
            )  # fmt: skip
            result = _do(replica, lambda: new_folder(replica), started_at=started_at, trial=trial)
    assert result is not None, "a new run is not finished"
    return result


def resume(
    folder: Path,
    *,
    device: str | None = None,
    model_file: Path | None = None,
    data: Path | None = None,
    changed_code: bool = False,
    started_at: float | None = None,
) -> Result | None:
    """Go on with the run in `folder`, exactly as if it had never stopped; None if it is finished.

    `device` replaces the one it was trained on, for a machine that has no such device, and
    `model_file` the file of its network, if that was moved (its objective's is looked for beside
    it, see `moved`), `data` the place of its pictures, which `config.json` then notes. Raises
    `ValueError` if the run's world has another version now, or if its source files, or the data
    files that these read, are not those that it was begun with, but for the latter two with
    `changed_code`.
    """
    started_at = time.perf_counter() if started_at is None else started_at
    run_dir = RunDir(folder)
    stored, provenance = run_dir.settings()
    refuse_watched(provenance, what=folder)
    config = moved(stored, model_file, data)
    check_processes(config, folder)
    place = _device_of(run_dir, device or config.device, given=device is not None)
    if model_file is not None:
        refuse_parted(config, provenance, what=folder)
    trusted = None if changed_code else provenance
    with _alone(place):
        refuse_gone_pictures(config, what=folder)
        world = open_world(config.data, seed=config.seed, device=place)
        refuse_other_world(world, provenance, what=folder, run=run_dir)
        spec = model_spec(config, world.classes)
        with noting_data_files() as by_metrics:
            own = own_metrics(config, world.classes)
        run = ResolvedRun(
            config=config, world=world, spec=spec, device=place, own_metrics=own,
            metric_data_files=by_metrics.files,
        )  # fmt: skip
        _prepare_torch(config)
        with own_sources(config, trusted, run_dir, objective=True), noting_data_files() as noted:
            refuse_changed_data(trusted, what=folder)
            trial = repeated_trial(config, run.spec, run_dir, device=place, world=world)
            model = build_model(config, run.spec, finished=trial.unfinished)
            objective = create_objective(config.train.objective, beside=model)
        refuse_changed_data(trusted, what=folder, read=noted.files)
        run = with_metrics_beside(run, model, objective)
        with joined(place) as processes:
            replica = Replica(
                run=run, model=model, objective=objective, processes=processes,
                data_files=noted.files,
            )  # fmt: skip

            def open_folder() -> AbstractContextManager[OpenedRun | None]:
                return old_folder(
                    replica, run_dir, stored=stored, recorded=provenance, trusted=trusted
                )

            return _do(replica, open_folder, started_at=started_at, trial=trial)


_RUNNING = threading.Lock()


@contextmanager
def _alone(device: torch.device) -> Iterator[None]:
    """One run at a time in this process, which leaves its random states and torch's settings as
    they were: another one would draw from the same generators."""
    if not _RUNNING.acquire(blocking=False):
        raise ValueError(
            "another run is going on in this process: wait for it, or give each run a process of"
            " its own, as scripts/sweep.py does"
        )
    try:
        with isolated(device, reseeded=True):
            yield
    finally:
        _RUNNING.release()


def _prepare_torch(config: RunConfig) -> None:
    """Apply the settings that hold for all of torch in this process."""
    with TURN:
        make_deterministic(config.deterministic)
        set_threads(config.threads)


def _device_of(run: RunDir, device: str, *, given: bool) -> torch.device:
    """The device to go on with; `ValueError` says what to do if this machine lacks it."""
    try:
        return choose_device(device)
    except NoDevice as error:
        if given:
            raise
        raise ValueError(
            f"{run} was trained on {device}, but {error.reason}; go on with --device cpu (figures"
            " may differ in their last digits)"
        ) from None


def _do(
    replica: Replica,
    open_folder: Callable[[], AbstractContextManager[OpenedRun | None]],
    *,
    started_at: float,
    trial: Trial,
) -> Result | None:
    """The run in all its processes: rank 0 holds the folder and records, every rank trains. Returns
    rank 0's result on each; None if there is nothing left to do. Raises `OSError` at the end if
    rank 0's lines could not be written: the run is complete all the same."""
    processes = replica.processes
    replica.model.to(replica.run.device)
    result = unsaid = None
    with open_folder() if processes.first else nullcontext() as opened:
        mine = (opened is None, opened.checkpoint if opened else None)
        finished, checkpoint = processes.broadcast_object(mine)
        if finished:
            return None
        if opened is None:  # another rank
            if checkpoint is not None:
                give_state(replica.model, checkpoint.model)
            _train(replica, checkpoint)
        else:
            replica = replace(replica, run=opened.run)
            record = Record(opened, replica.model, started_at=started_at, trial=trial)
            with record.last_word():
                _train(replica, checkpoint, record)
                result = record.close()
            unsaid = record.unsaid
    result = processes.broadcast_object(result)
    if unsaid is not None:
        raise unsaid
    return result


def _train(replica: Replica, checkpoint: Checkpoint | None, record: Record | None = None) -> None:
    """Load the training set and train on it from the checkpoint (None: the beginning) to the end;
    rank 0 does so with a record."""
    run, processes = replica.run, replica.processes
    config, world = run.config, run.world
    if record:
        record.announce(processes)
    train = world.load("train", config.data.num_train)
    if record:
        record.examine(train)
    names = names_for_objective(config, world, "train", len(train))
    batches = training_batches(
        config, world, train, processes.part, names=names, model=replica.model
    )
    parts = parts_of_batches(replica.model, config)
    if parts > 1:
        with TURN:
            set_threads(1)  # of each operation
    nothing: AbstractContextManager[Mapping[str, Any]] = nullcontext({})
    with graceful_stop() as stop, record.writing() if record else nothing as hooks:
        fitted = fit(
            replica.model,
            batches,
            config.train,
            seed=config.seed,
            objective=replica.objective,
            resume=checkpoint,
            stop=stop,
            processes=processes,
            parts=parts,
            **hooks,
        )
        if record:
            record.conclude(fitted)
