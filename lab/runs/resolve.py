"""A run's settings, resolved once into values: what training, measuring and recording are given."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from lab.core.config import RunConfig, TrainConfig, check, settled
from lab.core.machine import processors
from lab.core.paths import at_home
from lab.core.program import from_here, quoted, spelled
from lab.measure import (
    SplitMetric,
    by_tag,
    load_metrics,
    locate_metric,
    registered_metrics,
    try_metrics,
)
from lab.models import DataFiles, ModelSpec, isolated, locate, noting_data_files, space_of
from lab.runs.network import model_spec
from lab.runs.progress import progress_bar
from lab.training import Objective, choose_device, locate_objective, world_size
from lab.worlds import DrawnWorld, StoredWorld, World, check_memory, open_world, reject_no_effect

PROBED = 64
"""Samples drawn before anything is written: enough to meet every class and every contradiction."""


@dataclass(frozen=True, kw_only=True)
class ResolvedRun:
    """A run's settings and what they name: nothing after this checks or parses them again.

    `config` has the numbers of examples that the world has, absolute paths of the network's and
    the objective's files, the batch size, the device, the threads and the processes that are used.
    """

    config: RunConfig
    world: World
    spec: ModelSpec
    device: torch.device
    own_metrics: tuple[SplitMetric, ...] = ()
    """The user's metrics."""
    metric_data_files: DataFiles = field(default_factory=dict)
    """The data files that these have read."""
    notes: tuple[str, ...] = ()
    """What was done otherwise than asked for, a sentence each."""

    def named(self, name: str) -> ResolvedRun:
        """The same run with the name of its folder."""
        return replace(self, config=replace(self.config, name=name))


def resolve(config: RunConfig, *, strict: bool = False, elsewhere: bool = False) -> ResolvedRun:
    """Check the settings, open their world, and work out the rest.

    `strict` refuses settings that have no effect, too. `elsewhere`: the run is done by another
    process, so that device, memory and processes of this one do not matter. Raises `ValueError` in
    one line if something cannot work.
    """
    check(config)
    if config.scores and config.train.online:
        raise ValueError(
            "--scores is about a fixed training set, which --online does not have: leave one of"
            " them out"
        )
    place = choose_device("cpu" if elsewhere else config.device)
    if strict:
        reject_no_effect(config.data)
    with isolated(place, reseeded=True):  # whatever the caller has set of torch
        world = open_world(config.data, seed=config.seed, device=place)
        if isinstance(world, DrawnWorld):
            world.sample(PROBED, split="tried")
    fitted = settled(fitted_to(config, world))
    out = at_home(config.out, "--out")
    if isinstance(world, StoredWorld) and world.would_read(out):
        raise ValueError(
            f"--out {out} lies in --data {config.data.data}: pictures that are written there would"
            " become pictures of a class; choose a folder outside of it"
        )
    if not elsewhere:
        if isinstance(world, StoredWorld):
            counts = {"train": world.data.num_train, "test": world.data.num_test}
            with progress_bar() as progress:
                world.read_ahead(progress=progress, **counts, validation=fitted.validation_faces)
        else:
            kept = world.data.num_test + (0 if config.train.online else world.data.num_train)
            check_memory(kept + fitted.validation_faces, size=world.data.image_size)
    fitted = replace(
        fitted,
        model=replace(config.model, model=locate(config.model.model)),
        metric=tuple(map(locate_metric, config.metric)),
        out=out,
        world_size=config.world_size if elsewhere else check_processes(fitted),
        device=place.type,  # type: ignore[arg-type]
        threads=config.threads or processors(),
    )
    spec = model_spec(fitted, world.classes)
    with noting_data_files() as noted:
        own = own_metrics(fitted, world.classes)
    if strict:
        _refuse_metrics_of_no_set(own, fitted)
    return ResolvedRun(
        config=fitted, world=world, spec=spec, device=place, own_metrics=own,
        metric_data_files=noted.files, notes=_fewer(config, fitted, world),
    )  # fmt: skip


def _fewer(asked: RunConfig, fitted: RunConfig, world: World) -> tuple[str, ...]:
    """A sentence if there are fewer validation examples than were asked for."""
    wanted, have = asked.train.num_validation, fitted.validation_faces
    if wanted is None or have == wanted:
        return ()
    return (
        f"--num-validation {wanted:,}: only {have:,} {world.noun} are left for validation, beside"
        f" {fitted.data.num_train:,} for training, and all of them are used",
    )


def own_metrics(config: RunConfig, classes: tuple[str, ...]) -> tuple[SplitMetric, ...]:
    """The user's metrics that a run's settings name, tried on random predictions; `ValueError` in
    one line if one of them cannot work, or has the name of one that is registered from Python."""
    own = load_metrics(config.metric)
    by_tag([*registered_metrics(), *own])
    try_metrics(own, classes=classes)
    return own


def with_metrics_beside(run: ResolvedRun, model: nn.Module, objective: Objective) -> ResolvedRun:
    """The run with the user's metrics loaded anew beside its network and its objective, whose
    modules they see then."""
    space = space_of(model) or objective.space
    if space is None or not run.own_metrics:
        return run
    return replace(run, own_metrics=load_metrics(run.config.metric, beside=space))


def _refuse_metrics_of_no_set(metrics: tuple[SplitMetric, ...], config: RunConfig) -> None:
    """Raise `ValueError` if a run has none of the sets that one of the user's metrics is for."""
    needed = {
        "validation": ("--num-validation", config.validation_faces > 0),
        "unbiased": ("--cues", bool(config.data.cues)),
        "conflicting": ("--cues", bool(config.data.cues)),
        "unseen_combinations": ("--unseen-combinations", bool(config.data.unseen_combinations)),
    }
    for metric in metrics:
        missing = [needed[split] for split in metric.tags if split in needed]
        if len(missing) == len(metric.tags) and not any(there for _, there in missing):
            raise ValueError(
                f"{metric.source} is measured on {' and '.join(metric.tags)} only, which this run"
                f" does not have without {missing[0][0]}: leave it out, or add that"
            )


def fitted_to(config: RunConfig, world: World) -> RunConfig:
    """The config with the numbers of examples that the world has; `ValueError` in one line for what
    the world cannot do."""
    return replace(config, data=world.data, train=_train_settings(config, world))


def _train_settings(config: RunConfig, world: World) -> TrainConfig:
    """The training settings with as many validation examples as there are, and the absolute path of
    the objective's file; `ValueError` in one line for what the world cannot do."""
    data = world.data
    if not world.endless and config.train.online:
        raise ValueError(
            f"--online needs new {world.noun} without end, and {data.data} has no others than those"
            " in it: leave it out"
        )
    if config.train.counterfactual_pairs and not config.train.online:
        raise ValueError(
            f"--counterfactual-pairs {config.train.counterfactual_pairs:g} is about new"
            f" {world.noun} at every step: add --online, or leave it out"
        )
    if data.copies and config.train.online:
        raise ValueError(
            f"--copies {data.copies:g} is about a fixed training set, and --online has none: leave"
            " one of them out"
        )
    usual = RunConfig().counterfactuals
    if not isinstance(world, DrawnWorld) and config.counterfactuals not in (0, usual):
        raise ValueError(
            f"--counterfactuals {config.counterfactuals} changes what is drawn, and the"
            f" {world.noun} of --data are not drawn: leave it out"
        )
    wanted, have = config.validation_faces, world.available("validation")
    train = replace(config.train, objective=locate_objective(config.train.objective))
    if have is None or wanted <= have:
        return train
    if have < 2:
        most, asked = data.num_train - 2 + have, data.num_train - wanted + have
        if isinstance(world, StoredWorld):
            most, asked = world.most_training(2), world.most_training(wanted)
        named = config.train.num_validation is not None and 2 <= asked < most
        raise ValueError(
            f"{have} of the {world.noun} in {data.data} are left for validation: lower"
            f" --num-train to {most} or less"
            + (f", to {asked} for --num-validation {wanted}" if named else "")
        )
    return replace(train, num_validation=have)


def check_processes(config: RunConfig, folder: Path | None = None) -> int:
    """How many processes the run has; `ValueError` if that is not what its settings (those of the
    run in `folder`, where it goes on) say."""
    wanted, have = config.world_size, world_size()
    if wanted != have and (folder or wanted > 1):
        what = f"{folder} was begun" if folder else f"--world-size {wanted} must be run"
        unset = " (unset RANK and WORLD_SIZE, by which there are several)" if have > 1 else ""
        raise ValueError(
            f"{what} by {wanted} processes, not {have}{unset}: {command(wanted, folder)}"
        )
    if min(config.train.batch_size, config.data.num_train) < have:
        raise ValueError(f"--batch-size must be {have} or more, a face for each of the processes")
    return have


def command(processes: int, folder: Path | None) -> str:
    """The command that starts a run of so many processes, or resumes the one in `folder`."""
    rest = f"--resume {quoted(folder)}" if folder else "…"
    train = from_here("train") if processes == 1 else spelled("train", processes=processes)
    return f"{train} {rest}"
