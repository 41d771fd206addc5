"""The version of the drawn pictures: two versions that differ draw different worlds.

It is a hash of what decides the pixels and labels of a task: the recorded arithmetic of the
drawing, the attribute table with its priors, and a sample of pictures and labels, which stands for
everything between the two (sizes, places, colors, light, how classes are balanced and cues tied).
Runs that were trained on another version are not comparable, and cannot be gone on with.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache

from lab.core.config import DataConfig
from lab.worlds.examples import draw_examples
from lab.worlds.faces import ATTRIBUTES
from lab.worlds.faces.drawing import arithmetic
from lab.worlds.tasks import get_task

DIGITS = 12
"""Hexadecimal digits of a version."""

FACES, SIZE = 96, 16
"""Pictures that are sampled of a population, and their side in pixels."""

TIED = DataConfig(
    cues=("eye_color=blue/brown:0.9", "hair_length:0.8"), cue_visibility=0.5, label_noise=0.3,
    unseen_combinations=("skin_color=dark,glasses=round",), missing=("mouth", "ears"),
    variation=0.8,
)  # fmt: skip
"""A population that makes use of all that can be asked of one."""


def world_version(task: str) -> str:
    """The version of the pictures and labels of `task`, as faces-0123456789ab.

    The same on every CPU, whichever backend draws. Raises `ValueError` for an unknown task.
    """
    get_task(task)  # its error is not to be kept
    return _version(task)


@cache
def _version(task: str) -> str:
    told = hashlib.sha256(_drawing().encode())
    told.update(_sampled(DataConfig(task=task)))
    return f"faces-{told.hexdigest()[:DIGITS]}"


@cache
def _drawing() -> str:
    """The hash of what all tasks share."""
    told = hashlib.sha256(arithmetic().encode())
    for name, row in ATTRIBUTES.items():
        decisive = (name, row.kind, row.values, row.prior, row.low, row.high, row.peak, row.typical)
        told.update(repr(decisive).encode())
    told.update(_sampled(TIED))
    return told.hexdigest()


def _sampled(config: DataConfig) -> bytes:
    """The pictures and labels of the first training examples, as bytes."""
    small = replace(config, image_size=SIZE, num_train=FACES)
    examples = draw_examples(small, split="train", count=FACES, seed=0)
    return examples.images.numpy().tobytes() + examples.labels.numpy().tobytes()
