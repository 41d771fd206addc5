"""A run on a pool's whole training set, which TensorBoard's tab Faces can ask, and whose answers
the pool explains by the training faces that cause them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab.core.text import escape
from lab.experiments.runner.former import refuse_former_networks
from lab.experiments.runner.jobs import Job, finished, key_of
from lab.experiments.runner.worker import do
from lab.pool.run import PoolResult
from lab.worlds import DrawnWorld

PICTURES = "faces"
"""The drawn pictures that the tab has sliders for."""

NAME = "run"
"""Its folder, in the pool's."""


def own_run(result: PoolResult, *, say: Callable[[str], None] = lambda line: None) -> str:
    """Do the run with the pool's settings, but for measures that take as long as its training, if
    it is not there yet. Returns what went wrong in a line; empty: nothing, or the pool is not of
    faces."""
    world = result.run.world
    if not isinstance(world, DrawnWorld) or world.domain.name != PICTURES:
        return ""
    config = replace(
        result.run.config, name=NAME, out=result.folder, counterfactuals=0, pictures=False
    )
    job = Job(config=config, settings={}, key=key_of(config))
    try:
        if finished(job):
            refuse_former_networks([job])
            return ""
    except ValueError as error:
        return str(error)
    where = escape(job.folder)
    say(f"1 network on all {len(result.train):,} {world.noun}, for the tab Faces: {where}")
    return do(job).error
