"""The predictions of many networks for one face, which is drawn once for each kind of input."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image
from torch import Tensor

from lab.playground.model_cache import LoadedRun
from lab.playground.reasons import reasons
from lab.worlds.faces import Faces, render

SIZES = (96, 512)
"""Smallest and largest side of the picture on the page, in pixels."""


def as_seen(faces: Faces, run: LoadedRun) -> Faces:
    """The faces with the cue visibility of the run, as its network was trained on them."""
    return replace(faces, visibility=run.visibility)


def picture(faces: Faces, size: int, i: int = 0, *, exact: bool = False) -> str:
    """Face `i`, drawn at `size` px, as a `data:` address."""
    return address(render(faces[i : i + 1], size=size)[0], exact=exact)


def address(image: Tensor, *, exact: bool = True) -> str:
    """A picture (3, S, S) uint8 as a `data:` address.

    `exact`: a PNG; otherwise a JPEG, a sixth of its size and time for a large picture with noise.
    """
    file, kind = io.BytesIO(), "png" if exact else "jpeg"
    options = {"compress_level": 1} if exact else {"quality": 93, "subsampling": 0}
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode("ascii")


class Views:
    """Some faces as inputs of different runs, drawn on demand and cached, and the reasons for the
    true label of the first face."""

    def __init__(self, faces: Faces) -> None:
        self.faces = faces
        self._drawn: dict[tuple[Any, ...], Tensor] = {}
        self._reasons: dict[str, list[dict[str, Any]]] = {}

    def why(self, run: LoadedRun) -> list[dict[str, Any]]:
        """`reasons` for the task of `run`."""
        name = run.task.name
        if name not in self._reasons:
            self._reasons[name] = reasons(run.task, self.faces[:1])
        return self._reasons[name]

    def of(self, run: LoadedRun) -> Tensor:
        """The pictures (N, 3, S, S) that are the input of `run`."""
        key = (run.size, *sorted(run.visibility.items()))
        if key not in self._drawn:
            self._drawn[key] = render(as_seen(self.faces, run), size=run.size)
        return self._drawn[key]


def answer(run: LoadedRun, views: Views) -> dict[str, Any]:
    """The prediction of a run for one face: the probability of each class, the predicted class, the
    true one, and the reasons for it."""
    chances = run.ask(views.of(run)).double().softmax(dim=1)[0]
    return {
        "chances": [round(chance, 6) for chance in chances.tolist()],
        "says": int(chances.argmax()),
        "truth": truth(run, views.faces),
        "why": views.why(run),
    }


def truth(run: LoadedRun, faces: Faces, i: int = 0) -> int:
    """The true label of face `i` in the run's task; -1 if it has none."""
    return int(run.task.label(faces)[i])


def watched(run: LoadedRun, says: int) -> int:
    """The class whose probability is shown: the last of two, or the predicted one of more."""
    classes: Sequence[str] = run.task.classes
    return len(classes) - 1 if len(classes) == 2 else says
