"""The version of drawn pictures: a hash of everything that determines pixels and labels.

It is a hash of what decides the pixels and labels of a task: the recorded arithmetic of the
drawing, the schema with its priors, and a sample of pictures and labels, which stands for
everything between the two (sizes, places, colors, light, how classes are balanced and cues tied).
Runs that were trained on another version are not comparable, and cannot be gone on with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from lab.core.config import DataConfig
from lab.worlds.domain import Domain
from lab.worlds.examples import Examples
from lab.worlds.tasks import get_task

DIGITS = 12
"""Hexadecimal digits of a version."""

COUNT, SIZE = 96, 16
"""Pictures that are sampled of a population, and their side in pixels."""

Load = Callable[[DataConfig], Examples]
"""The training examples that data settings describe, of seed 0."""


@cache
def drawing_version(task: str, load: Load) -> str:
    """The version of the pictures and labels of `task`, as shapes-0123456789ab.

    The same on every CPU, whichever backend draws.
    """
    domain = get_task(task).domain
    told = hashlib.sha256(_drawing(domain, load).encode())
    told.update(_sampled(DataConfig(task=task), load))
    return f"{domain.name}-{told.hexdigest()[:DIGITS]}"


@cache
def _drawing(domain: Domain, load: Load) -> str:
    """The hash of what all tasks of a domain share."""
    told = hashlib.sha256(domain.arithmetic().encode())
    for name, row in domain.schema.items():
        decisive = (name, row.kind, row.values, row.prior, row.low, row.high, row.peak, row.typical)
        told.update(repr(decisive).encode())
    told.update(_sampled(domain.tied, load))
    return told.hexdigest()


def _sampled(data: DataConfig, load: Load) -> bytes:
    """The pictures and labels of the first training examples, as bytes."""
    examples = load(replace(data, image_size=SIZE, num_train=COUNT))
    return examples.images.numpy().tobytes() + examples.labels.numpy().tobytes()
