"""Equal cues: several nuisances that each determine the label, one at a time and all at once."""

from __future__ import annotations

from collections.abc import Sequence

from lab.core.config import RunConfig
from lab.experiments.plan import Plan
from lab.worlds import get_task
from lab.worlds.cues import choices

CUES = ("background_color", "skin_color", "hair_length", "eye_color")
"""The nuisances: three colors and a shape."""

COLORS, SHAPE = CUES[:2], "hair_length"
"""Those that a lesson compares: two colors of large areas, and a shape."""


def cues_of(task: str) -> tuple[str, ...]:
    """The nuisances of `CUES` that the task has, and that have a value for each of its classes."""
    found = get_task(task)
    return tuple(
        cue
        for cue in CUES
        if cue in found.nuisances and len(choices(found.domain.schema[cue])) >= len(found.classes)
    )


def alone(task: str) -> tuple[tuple[str, ...], ...]:
    """The values of --cues with one cue each, in the order of `cues_of`."""
    return tuple((f"{cue}:1",) for cue in cues_of(task))


def together(task: str) -> tuple[str, ...]:
    """The value of --cues with all cues at once."""
    return tuple(f"{cue}:1" for cue in cues_of(task))


def plan(base: RunConfig, models: Sequence[str]) -> Plan:
    """Each cue alone and all together, for each network."""
    worlds = dict.fromkeys((*alone(base.data.task), together(base.data.task)))
    return Plan(base, {"model": tuple(models), "cues": tuple(worlds)}, "cues")


def plan_together(base: RunConfig, models: Sequence[str]) -> Plan:
    """All cues at once, for each network."""
    return Plan(base, {"model": tuple(models), "cues": (together(base.data.task),)}, "equal cues")
