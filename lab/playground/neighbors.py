"""The nearest training faces of a face, by the network's features and by pixels, with their given
labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lab.playground.answers import as_seen
from lab.playground.describe_run import faces_studied
from lab.playground.model_cache import LoadedRun, ModelCache
from lab.playground.training_faces import THUMBNAIL, entry, training_faces
from lab.worlds import Examples
from lab.worlds.faces import Faces, render

SHOWN = 6
"""Number of nearest faces."""

BATCH = 500
"""Pictures per batch of features."""


@dataclass(frozen=True)
class Known:
    """A network's predictions (N,) and features (N, D) of its run's training faces; None: it has no
    layer with features."""

    says: Tensor
    features: Tensor | None

    @classmethod
    def of(cls, run: LoadedRun) -> Known:
        """Computed anew, which takes seconds for many faces."""
        images = training_faces(run).images
        return cls(says=run.ask(images).argmax(dim=1), features=run.features(images))

    @property
    def bytes(self) -> int:
        """Its approximate memory."""
        known = self.features.numel() * 4 if self.features is not None else 0
        return known + 8 * len(self.says)


def nearest(run: LoadedRun, face: Faces, cache: ModelCache) -> dict[str, Any]:
    """The nearest training faces by the network's features and by pixels, nearest first."""
    faces = training_faces(run)
    known = run.remember("known", lambda: Known.of(run), lambda known: known.bytes)
    cache.fits()
    images = render(as_seen(face, run), size=run.size)
    far = distances(faces.images, known.features, images, run.features(images))
    return {
        "searched": len(faces),
        "studied": faces_studied(run.config),
        "same": bool((far["pixels"] == 0).any()),
        "ways": [{"way": way, "faces": _entries(faces, known, each)} for way, each in far.items()],
    }


def distances(
    pictures: Tensor, features: Tensor | None, one: Tensor, its: Tensor | None
) -> dict[str, Tensor]:
    """The distances (N,) of pictures (N, 3, S, S) with features (N, D) from `one` (1, 3, S, S) with
    features `its` (1, D): by "features", relative to their mean length, unless there are none; and
    by "pixels", the root mean square difference as a share of the full range."""
    far = {}
    if features is not None and its is not None:
        typical = features.norm(dim=1).mean().clamp(min=1e-9)
        far["features"] = (features - its).norm(dim=1) / typical
    return {**far, "pixels": _root_mean_square(pictures, one)}


def _entries(faces: Examples, known: Known, far: Tensor) -> list[dict[str, Any]]:
    order = far.topk(min(SHOWN, len(far)), largest=False).indices
    few = faces.take(order)
    images = render(few.samples, size=THUMBNAIL)
    return [
        {
            "number": int(order[i]),
            **entry(few, i, images[i]),
            "says": int(known.says[order[i]]),
            "distance": round(float(far[order[i]]), 4),
        }
        for i in range(len(few))
    ]


def _root_mean_square(pictures: Tensor, one: Tensor) -> Tensor:
    """The root mean square difference (N,) of each picture (N, 3, S, S) from `one`, as a share of
    the full range."""
    far = [
        (some.float() - one.float()).square().flatten(1).mean(dim=1).sqrt() / 255
        for some in torch.split(pictures, BATCH)
    ]
    return torch.cat(far)
