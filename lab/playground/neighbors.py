"""The nearest training faces of a face, by the network's features and by pixels, with their given
labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lab.models import features, to_input
from lab.playground.answers import address, as_seen
from lab.playground.describe_run import faces_studied
from lab.playground.model_cache import LoadedRun, ModelCache
from lab.playground.request import write_face
from lab.worlds import Examples
from lab.worlds.faces import Faces, render

MOST, MEMORY = 20_000, 2**26
"""Most training faces that are searched (the first ones), and most bytes of their pictures."""

SHOWN = 6
"""Number of nearest faces."""

THUMBNAIL = 96
"""Side of their pictures, in pixels."""

BATCH = 500
"""Pictures per batch of features."""

KEPT = "studied"


class Studied:
    """The training faces of a run with predictions and features, the input of its last layer (None:
    it has no such layer)."""

    def __init__(self, run: LoadedRun) -> None:
        count = min(faces_studied(run.config), MOST, max(2, MEMORY // (3 * run.size**2)))
        self.examples: Examples = run.world.load("train", count, online=run.config.train.online)
        self.features = _features(run, self.examples.images)
        self.says = run.ask(self.examples.images).argmax(dim=1)

    @property
    def bytes(self) -> int:
        """Its approximate memory."""
        known = self.features.numel() * 4 if self.features is not None else 0
        return self.examples.images.numel() + known + 500 * len(self.examples)


def nearest(run: LoadedRun, face: Faces, cache: ModelCache) -> dict[str, Any]:
    """The nearest training faces by the network's features and by pixels, nearest first."""
    with run.lock:
        kept = run.kept.get(KEPT)
    studied = kept[0] if kept else None
    if not isinstance(studied, Studied):
        studied = Studied(run)
        with run.lock:
            run.kept[KEPT] = (studied, studied.bytes)
        cache.fits()
    images = render(as_seen(face, run), size=run.size)
    pixels = _root_mean_square(studied.examples.images, images)
    ways = [{"way": "pixels", "faces": _entries(studied, pixels)}]
    mine = _features(run, images)
    if studied.features is not None and mine is not None:
        far = (studied.features - mine).norm(dim=1)
        typical = studied.features.norm(dim=1).mean().clamp(min=1e-9)
        ways.insert(0, {"way": "features", "faces": _entries(studied, far / typical)})
    return {
        "searched": len(studied.examples),
        "studied": faces_studied(run.config),
        "same": bool((pixels == 0).any()),
        "ways": ways,
    }


def _entries(studied: Studied, far: Tensor) -> list[dict[str, Any]]:
    order = far.topk(min(SHOWN, len(far)), largest=False).indices
    few = studied.examples.take(order)
    images = render(few.samples, size=THUMBNAIL)
    return [
        {
            "number": int(order[i]),
            "picture": address(images[i]),
            "face": write_face(few.samples, i),
            "label": int(few.labels[i]),
            "truth": int(few.clean_labels[i]),
            "says": int(studied.says[order[i]]),
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


def _features(run: LoadedRun, images: Tensor) -> Tensor | None:
    seen = []
    for some in torch.split(images, BATCH):
        with run.lock:
            found = features(run.model, to_input(some))
        if found is None:
            return None
        seen.append(found)
    return torch.cat(seen)
