"""The training faces of a run: drawn once, looked up by their pictures, and listed for the page."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lab.playground.answers import address
from lab.playground.describe_run import faces_studied
from lab.playground.model_cache import LoadedRun
from lab.playground.request import write_face
from lab.worlds import Examples
from lab.worlds.faces import render

MOST, MEMORY = 20_000, 2**26
"""Most training faces that are drawn (the first ones), and most bytes of their pictures."""

THUMBNAIL = 96
"""Side of their pictures on the page, in pixels."""

PAGE = 12
"""Training faces in one part of the list."""


def training_faces(run: LoadedRun) -> Examples:
    """The first training faces of a run, up to `MOST`, kept with it."""
    whole = run.whole

    def draw() -> Examples:
        count = min(faces_studied(whole.config), MOST, max(2, MEMORY // (3 * whole.size**2)))
        return whole.world.load("train", count, online=whole.config.train.online)

    return whole.remember("training faces", draw, lambda faces: 500 * len(faces) + _bytes(faces))


def number_of(run: LoadedRun, image: Tensor) -> int | None:
    """The number of the training face with this very picture (3, S, S); None: there is none."""
    same = (training_faces(run).images == image).flatten(1).all(dim=1).nonzero()
    return int(same[0]) if len(same) else None


def entry(examples: Examples, i: int, picture: Tensor) -> dict[str, Any]:
    """What the page shows of example `i`; `picture` (3, S, S) is its thumbnail."""
    return {
        "picture": address(picture),
        "face": write_face(examples.samples, i),
        "label": int(examples.labels[i]),
        "truth": int(examples.clean_labels[i]),
    }


def listed(run: LoadedRun, start: int) -> dict[str, Any]:
    """`PAGE` training faces from place `start` on, those with a wrong label first."""
    faces = training_faces(run)
    wrong = faces.labels != faces.clean_labels
    order = torch.argsort((~wrong).long(), stable=True)[start : start + PAGE]
    few = faces.take(order)
    images = render(few.samples, size=THUMBNAIL)
    return {
        "count": len(faces),
        "mislabeled": int(wrong.sum()),
        "faces": [{"number": int(order[i]), **entry(few, i, images[i])} for i in range(len(few))],
    }


def _bytes(examples: Examples) -> int:
    return examples.images.numel() * examples.images.element_size()
