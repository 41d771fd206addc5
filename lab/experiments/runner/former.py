"""Finished runs of a network that is no longer the same, by what its code goes by unnoticed.

A job's key knows the settings and the source files alone, and the data files that are noted of a
run (`lab.models.data_files`) are those that Python opens.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.core.run_dir import RunDir
from lab.experiments.runner.jobs import Job
from lab.models import isolated, own_builder
from lab.runs.checkpoints import network_now
from lab.runs.network import model_spec
from lab.worlds import classes_of


def refuse_former_networks(jobs: Sequence[Job]) -> None:
    """Raise `ValueError` if one of these finished jobs was done with another network than the same
    source files make now, as where an environment variable that they go by has changed.

    Of each network the oldest run is compared whole, by its checkpoint; it was made before any
    change. Further ones are only if they note another number of parameters. The networks of the lab
    read nothing.
    """
    networks: dict[object, list[Job]] = {}
    for job in jobs:
        data = job.config.data
        if own_builder(job.config.model.model) is None:
            which = job.config.model, data.task, data.data, data.image_size
            networks.setdefault(which, []).append(job)
    for same in networks.values():
        _refuse(sorted(same, key=_begun))


def _begun(job: Job) -> float:
    """When a job's run was begun: its settings are written first."""
    return RunDir(job.folder).config_file.stat().st_mtime


def _refuse(jobs: Sequence[Job]) -> None:
    """`refuse_former_networks` for jobs of one network, the oldest first."""
    known: set[int | None] = set()
    for job in jobs:
        run = RunDir(job.folder)
        config, provenance = run.settings()
        if known and provenance.parameters in known:
            continue
        spec = model_spec(job.config, provenance.classes or classes_of(config.data))
        with isolated():
            differs = network_now(run, job.config, provenance, spec)
        if differs:
            raise ValueError(
                f"{run} was trained with another network than --model {config.model.model} makes"
                f" now: {differs}. The settings and its source files are the same, so what else"
                " they go by has changed (a file that they read, an environment variable, an"
                " installed package): put that back, delete the folders of all runs of the former"
                " network, or choose another --out"
            )
        if differs is not None:
            known |= {None, provenance.parameters}
