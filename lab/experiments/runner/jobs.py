"""Jobs: the runs of a grid, each identified by a hash of its settings, so that finished runs are
kept.

Settings that do not change the result (where it runs, how often it saves) are left out of the hash,
and so are settings at their defaults: a new setting changes no key.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from lab.core.config import Provenance, RunConfig, check, flag, given, parse_settings, settled
from lab.core.run_dir import RunDir, runs_in
from lab.core.run_names import LONGEST
from lab.core.text import model_label
from lab.core.words import those
from lab.experiments.runner.grid import (
    Grid,
    describe,
    fields,
    in_words,
    setting,
    with_settings,
)
from lab.measure import locate_metric
from lab.models import DataFiles, changed_files, digest_of, digest_of_sources, locate
from lab.runs.provenance import another_content, changed_metrics, changed_sources, provenance_of
from lab.runs.resolve import fitted_to
from lab.training import locate_objective
from lab.worlds import StoredWorld, open_world

COUNTS = ("num_train", "num_test", "num_validation")
"""Settings that a folder of pictures may not have as many of as are asked for."""

ASIDE = ("name", "out", "device", "threads", "checkpoint_every", "snapshots")
"""Settings that do not change the result of a run."""

KEY = 8
"""Hexadecimal digits of a key: 32 bits, so that a clash among 1,000 jobs has a chance of 1 in
8,000, and is refused."""


@dataclass(frozen=True)
class Seen:
    """The `version` of a job's pictures, as it was at the time `at` (ns since the epoch)."""

    version: str
    at: int


@dataclass(frozen=True)
class Job:
    """One run of a grid: its whole config (with name and out), and what the grid sets of it."""

    config: RunConfig
    settings: Mapping[str, Any]
    key: str
    data_files: DataFiles = field(default_factory=dict)
    """What its code read as data when it was tried."""
    seen: Seen | None = None
    """Its pictures when it was made; None: not known."""

    @property
    def folder(self) -> Path:
        """Where it is done."""
        return self.config.out / str(self.config.name)

    def __str__(self) -> str:
        settings = describe(self.settings)
        return f"{settings}, seed {self.config.seed}" if settings else f"seed {self.config.seed}"


Adapt = Callable[[RunConfig], RunConfig]
"""Makes the config of a run from that of the base with the grid's values."""


def unchanged(config: RunConfig) -> RunConfig:
    """The config itself."""
    return config


def make_jobs(
    base: RunConfig, grid: Grid, *, seeds: int, out: Path, adapt: Adapt = unchanged
) -> list[Job]:
    """A job for every combination of the grid's values, and for each of `seeds` seeds from the
    base's on, each with what `adapt` makes of its config; `ValueError` if a combination is out of
    range.

    They are in the order in which they are best done: seed by seed, so that every cell shows a
    first result early; the largest training sets first, so that no long run is left for the end;
    those on the same faces together, so that these are drawn once.
    """
    if seeds < 1:
        raise ValueError(f"--seeds must be 1 or more, not {seeds}")
    jobs = []
    known = {run.name[-KEY:]: run.name for run in runs_in(out)}
    for seed in range(base.seed, base.seed + seeds):
        for values in product(*grid.values()):
            settings = dict(zip(grid, values, strict=True))
            config = adapt(with_settings(base, settings))
            model = replace(config.model, model=locate(config.model.model))  # as the run stores it
            objective = locate_objective(config.train.objective)
            train = replace(config.train, objective=objective)
            metric = tuple(map(locate_metric, config.metric))
            config = replace(
                config, model=model, train=train, metric=metric, seed=seed, threads=1, out=out
            )
            check(config)
            config = _with_what_there_is(config, settings)
            key, seen = known_by(config)
            name = known.get(key) or f"{cell_name(settings)}-s{seed}-{key}"
            jobs.append(Job(replace(config, name=name), settings, key, seen=seen))
    if len({job.key for job in jobs}) < len(jobs):
        raise ValueError("two of the grid's runs have the same key: choose another --seed")
    jobs.sort(key=lambda job: (job.config.seed, -job.config.data.num_train, repr(job.config.data)))
    return jobs


def _with_what_there_is(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """The config with the numbers of pictures that its folder has, as its run stores it.
    `ValueError` if the grid's `settings` ask for more: the results would be told under a number
    that they are not of."""
    if config.data.data is None:
        return config
    fitted = fitted_to(config, open_world(config.data, seed=config.seed))
    for name, asked in settings.items():
        have = _setting(fitted, name)
        if name in COUNTS and have != asked:
            raise ValueError(
                f"{flag(name)} {asked:,} is more than there are: {config.data.data} has {have:,}"
                + (f" with seed {config.seed}" if config.data.clusters else "")
            )
    return fitted


def _setting(config: RunConfig, name: str) -> Any:
    return getattr(config.train if hasattr(config.train, name) else config.data, name, None)


def key_of(config: RunConfig) -> str:
    """The hash of all that determines the result of a run: settings, the version of the pictures,
    the content of the source files that define its network, its objective and its metrics."""
    return known_by(config)[0]


def known_by(config: RunConfig) -> tuple[str, Seen]:
    """The key of a run, and the pictures that went into it."""
    told = {name: value for name, value in given(config).items() if name not in ASIDE}
    at = time.time_ns()
    provenance = provenance_of(config)
    told["world"] = provenance.world
    told["sources"] = digest_of_sources(provenance.sources)
    if provenance.metric_sources:
        told["metric_sources"] = digest_of_sources(provenance.metric_sources)
    text = json.dumps(told, sort_keys=True, default=str)
    return digest_of(text.encode())[:KEY], Seen(provenance.world, at)


def refuse_other_key(
    config: RunConfig, key: str, seen: Seen | None, *, when: str, anew: str = "anew"
) -> None:
    """Raise `ValueError` if a run with these settings no longer has the `key` that it had `when`
    "the sweep began"; it says whether its pictures have changed, which were `seen` then. `anew`:
    how the same command begins with other pictures."""
    now, here = known_by(config)
    if now == key:
        return
    if config.data.data is None or seen is None or seen.version == here.version:
        raise ValueError(
            f"the source files of --model {config.model.model} are not what they were when {when},"
            " or this worker's lab is of another version: run the same command again"
        )
    world = open_world(config.data)
    added = world.added_since(seen.version, seen.at) if isinstance(world, StoredWorld) else []
    more = f" and {those(len(added) - 1, 'other file', 'other files')}" if added[1:] else ""
    how = f"{added[0]}{more} added" if added else f"{seen.version} then, {here.version} now"
    raise ValueError(
        f"the pictures of --data {config.data.data} are not what they were when {when} ({how}): the"
        f" same command again begins {anew} with the pictures as they are now, and goes on if they"
        " are put back as they were"
    )


def cell_name(settings: Mapping[str, Any]) -> str:
    """A folder's name for the runs with these settings: num_train_32-model_cnn."""
    told = {
        name: model_label(in_words(value)) if name in ("model", "objective") else in_words(value)
        for name, value in settings.items()
    }
    words = [f"{name}_{value}" for name, value in told.items()] or ["plain"]
    fit = "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", word).strip("_") for word in words)
    return fit[: LONGEST - KEY - 23]  # what is left is for -s, a seed of up to 20 digits, - and key


def same(one: RunConfig, other: RunConfig) -> bool:
    """Whether two configs say the same but for what is set aside."""
    usual = {name: getattr(RunConfig(), name) for name in ASIDE}
    return replace(settled(one), **usual) == replace(settled(other), **usual)


def finished(job: Job) -> bool:
    """Whether the job's folder holds its finished run; `ValueError` if it holds another one, or
    figures of another one."""
    run = RunDir(job.folder)
    try:
        if not run.finished():
            return False
        known, provenance = run.settings()
    except (OSError, ValueError):
        return False
    refuse_other(known, provenance, job)
    refuse_other_figures(run, known)
    return True


def refuse_other(known: RunConfig, provenance: Provenance, job: Job) -> None:
    """Raise `ValueError` if a folder's run is not the job's: its settings, the source files that
    made it and its metrics (those that are imported by computed names have no say in the key), or
    the contents of the files that these read as data."""
    if not same(known, job.config):
        raise ValueError(f"{job.folder} holds a run with other settings; choose another --out")
    found = changed_sources(job.config, provenance, objective=True)
    changed = "; ".join(filter(None, [found, changed_metrics(job.config, provenance)]))
    if changed:
        raise ValueError(
            f"{job.folder} holds a run of other source files: {changed}; choose another --out"
        )
    recorded = {**provenance.data_files, **provenance.metric_data_files}
    read = changed_files(recorded, job.data_files or None)
    if read:
        raise ValueError(
            f"{job.folder} holds a run that was begun when {another_content(read)}, delete the"
            " folders of all runs that were begun so, or choose another --out"
        )


def refuse_other_figures(run: RunDir, config: RunConfig) -> None:
    """Raise `ValueError` if a run's `summary.json` is of other settings than its `config`, as it is
    where folders were mixed, or a copied run's settings edited. (One without settings is taken.)"""
    noted = run.summary().get("config")
    if noted is None:
        return
    try:
        of, _ = parse_settings(json.dumps(noted))
        if same(of, config):
            return
        which = f" ({_first_difference(of, config)})"
    except ValueError:
        which = ""
    raise ValueError(
        f"{run.summary_file} is of other settings than {run.config_file}{which}: was one of them"
        f" copied or edited? Delete the folder {run} and do that run again"
    )


def _first_difference(one: RunConfig, other: RunConfig) -> str:
    """The first setting in which two configs differ."""
    for name in fields():
        then, now = setting(settled(one), name), setting(settled(other), name)
        if name not in ASIDE and then != now:
            return f"{flag(name)} {in_words(then)}, not {in_words(now)}"
    return ""
