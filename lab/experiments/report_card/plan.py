"""What a report card asks of every network: three grids of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lab.core.config import RunConfig
from lab.experiments.sweep.grid import setting
from lab.worlds import get_task
from lab.worlds.cues import choices

SIZES = (100, 300, 1000, 3000, 10_000)
"""Training faces of the learning curve."""

RANDOM_SIZES = (100, 300, 1000, 3000)
"""Training faces with random labels."""

CUES = ("background_color", "skin_color", "hair_length", "eye_color")
"""Nuisances that tell the label without fail, one at a time and all at once."""

CUE_FACES = 1000
"""Training faces in a world with cues."""

TWINS = 100
"""Faces redrawn for the reliance."""

SET_HERE = {
    "num_train": "--sizes and --random-sizes",
    "label_noise": "the report card",
    "label_noise_kind": "the report card",
    "cues": "the report card",
    "cue_visibility": "the report card",
    "online": "the report card",
    "eval_every": "the report card",
    "name": "the report card",
}
"""Settings of a run that the grids vary or rely on, and what sets them."""


@dataclass(frozen=True)
class Plan:
    """One grid: what it is about, the run that it varies, and the values."""

    title: str
    base: RunConfig
    grid: Mapping[str, Sequence[Any]]


def plans(
    base: RunConfig,
    models: Sequence[str],
    *,
    sizes: Sequence[int] = SIZES,
    random_sizes: Sequence[int] = RANDOM_SIZES,
) -> dict[str, Plan]:
    """The grids by name: `learning`, `random`, `cues`.

    Runs are evaluated at their ends only; the base sets how many steps they take.
    """
    base = replace(base, train=replace(base.train, eval_every=max(1, base.train.steps)))
    silent = replace(base, counterfactuals=0)
    noise = replace(silent, data=replace(base.data, label_noise=1.0))
    tied = replace(base, data=replace(base.data, num_train=CUE_FACES))
    return {
        "learning": Plan(
            "learning curve", base, {"model": tuple(models), "num_train": tuple(sizes)}
        ),
        "random": Plan(
            "random labels", noise, {"model": tuple(models), "num_train": tuple(random_sizes)}
        ),
        "cues": Plan("cues", tied, {"model": tuple(models), "cues": worlds(base)}),
    }


def cues_of(base: RunConfig) -> tuple[str, ...]:
    """The nuisances of `CUES` that the task has, and that have a value for each of its classes."""
    task = get_task(setting(base, "task"))
    return tuple(
        cue
        for cue in CUES
        if cue in task.nuisances and len(choices(task.domain.schema[cue])) >= len(task.classes)
    )


def worlds(base: RunConfig) -> tuple[tuple[str, ...], ...]:
    """The values of --cues: each cue alone, and all together."""
    each = tuple(f"{cue}:1" for cue in cues_of(base))
    return tuple(dict.fromkeys((*((cue,) for cue in each), each)))
