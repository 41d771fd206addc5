"""Rank 0's hold on a run's folder: made for a new run, or opened again for one that goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from torch import nn

from lab.core.config import Provenance, RunConfig
from lab.core.run_dir import RunDir
from lab.models import DataFiles, data_files_now, differences
from lab.runs.checkpoints import ended, give_weights, refuse_unscored, resume_point
from lab.runs.provenance import provenance_of
from lab.runs.resolve import ResolvedRun
from lab.training import Checkpoint, Objective, Processes


@dataclass(frozen=True, kw_only=True)
class Replica:
    """What one process of a run trains: its replica of the network, and its objective."""

    run: ResolvedRun
    model: nn.Module
    objective: Objective
    processes: Processes
    data_files: DataFiles = field(default_factory=dict)
    """The data files that the code of the network and the objective has read."""


@dataclass(frozen=True, kw_only=True)
class OpenedRun:
    """A run whose folder this process holds: resolved, with what else decides it, and the
    checkpoint that it goes on from (None: it begins)."""

    run: ResolvedRun
    folder: RunDir
    provenance: Provenance
    checkpoint: Checkpoint | None = None


@contextmanager
def new_folder(replica: Replica) -> Iterator[OpenedRun]:
    """A new run's folder, made, locked, and with its settings."""
    run = replica.run
    provenance = replace(
        provenance_of(
            run.config, replica.model, replica.objective, metrics=run.own_metrics, world=run.world
        ),
        data_files=replica.data_files,
        metric_data_files=run.metric_data_files,
    )
    folder = RunDir.create(run.config)
    run = run.named(folder.name)
    with folder.lock():
        try:
            folder.write_settings(run.config, provenance)
        except OSError:
            folder.give_up()
            raise
        yield OpenedRun(run=run, folder=folder, provenance=provenance)


@contextmanager
def old_folder(
    replica: Replica,
    folder: RunDir,
    *,
    stored: RunConfig,
    recorded: Provenance,
    trusted: Provenance | None,
) -> Iterator[OpenedRun | None]:
    """The folder of a run that goes on, locked, its weights given to the network; None if the run
    is finished and its last checkpoint there: then only a new place of its pictures is noted.

    `trusted` is what the checkpoint must have been trained with (None: anything); `stored` and
    `recorded` are what `config.json` holds, which notes what is new.
    """
    run, model = replica.run, replica.model
    with folder.lock():
        if ended(folder, run.config, trusted):
            if run.config.data != stored.data:
                folder.note_data(stored, recorded, data=run.config.data)
            yield None
            return
        found = resume_point(folder)
        if found is not None:
            path, checkpoint = found
            refuse_unscored(checkpoint, path, run.config)
            give_weights(
                model, checkpoint, path, config=run.config, spec=run.spec, provenance=trusted
            )
        now = provenance_of(
            run.config, model, replica.objective, metrics=run.own_metrics, world=run.world
        )
        step = found[1].step if found else 0
        data_files = data_files_now(recorded.data_files)
        metric_data_files = data_files_now(recorded.metric_data_files)
        same = (now.sources, now.metric_sources, data_files, metric_data_files) == (
            recorded.sources, recorded.metric_sources, recorded.data_files,
            recorded.metric_data_files,
        )  # fmt: skip
        if run.config == stored and same:
            now = recorded
        else:
            changed = differences(recorded.sources, now.sources)
            changed = changed or differences(recorded.data_files, data_files)
            other = differences(recorded.metric_sources, now.metric_sources)
            other = other or differences(recorded.metric_data_files, metric_data_files)
            if other:
                logging.getLogger(__name__).warning(
                    "warning: the files of --metric have changed (%s): up to step %s the run's own"
                    " metrics are those of the former files", other, f"{step:,}",
                )  # fmt: skip
            changed = changed or other
            changed_at = (*recorded.changed_at, step) if changed else recorded.changed_at
            now = replace(
                now,
                changed_at=changed_at,
                data_files={**data_files, **replica.data_files},
                metric_data_files={**metric_data_files, **run.metric_data_files},
            )
            folder.write_settings(run.config, now)
        yield OpenedRun(
            run=run, folder=folder, provenance=now, checkpoint=found[1] if found else None
        )
