"""Checks of settings in combination, and against the memory of this machine."""

from collections.abc import Sequence
from dataclasses import fields, replace

from lab.core.config import DataConfig
from lab.core.machine import memory
from lab.worlds.population import population_of
from lab.worlds.tasks import get_task

SHARE = 0.9
"""How much of the memory pictures may take, 0 to 1; the rest is for all else."""


def reject_no_effect(config: DataConfig, *, given: frozenset[str] | None = None) -> None:
    """Raise `ValueError` for a flag that can have no effect, since its user expects one.

    `given` are the names of the settings that were asked for, their defaults or not; None: all that
    are not defaults.
    """
    usual = DataConfig()
    asked = given
    if asked is None:
        names = {entry.name for entry in fields(usual)}
        asked = frozenset(n for n in names if getattr(config, n) != getattr(usual, n))
    if "cue_visibility" in asked and not config.cues:
        raise ValueError(
            f"--cue-visibility {config.cue_visibility:g} is about cues, and there are none: leave"
            " it out, or add --cues eye_color:0.95"
        )
    if "label_noise_kind" in asked and not config.label_noise:
        raise ValueError(
            f"--label-noise-kind {config.label_noise_kind} changes no label without --label-noise:"
            " leave it out, or add --label-noise 0.2"
        )
    if "missing" in asked and _nothing_is_missing(config):
        noun = get_task(config.task).domain.noun
        raise ValueError(
            f"--missing {' '.join(config.missing)} is about {noun} that lack parts, and"
            f" --subpopulations {' '.join(config.subpopulations)} has none: leave it out, or add"
            " 'missing' to --subpopulations"
        )


def check_memory(pictures: int, *, size: int) -> None:
    """Raise `ValueError` if so many pictures of `size` px cannot be held in the memory there is."""
    _check_memory(pictures * 3 * size**2, f"{pictures:,} pictures of {size} px take")


def check_memory_of_runs(runs: Sequence[tuple[int, int]]) -> None:
    """Raise `ValueError` if the pictures of several runs, a number and a size in pixels for each,
    cannot be held at the same time."""
    needed = sum(pictures * 3 * size**2 for pictures, size in runs)
    _check_memory(needed, f"{len(runs)} runs at a time draw", "--processes, ")


def _check_memory(needed: int, told: str, knobs: str = "") -> None:
    have = memory()
    if have is not None and needed > SHARE * have:
        raise ValueError(
            f"{told} {needed / 1e9:,.1f} GB, and this machine, or the part of it that this process"
            f" is given, has {have / 1e9:,.1f} GB of memory: lower {knobs}--num-train, --num-test"
            " or --image-size"
        )


def _nothing_is_missing(config: DataConfig) -> bool:
    """Whether the task has pictures that lack parts, and `subpopulations` leaves them out."""
    every = population_of(replace(config, missing=())).task.subpopulations
    return any(kind.name == "missing" and kind.weight == 0 for kind in every)
