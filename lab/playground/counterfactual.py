"""Fool it: the search for failures on one face, and the frames from it to the misclassified one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from lab.playground.answers import as_seen, truth, watched
from lab.playground.model_cache import LoadedRun
from lab.playground.request import write_face
from lab.robustness import find_failures
from lab.worlds.faces import ATTRIBUTES, Faces, render
from lab.worlds.faces.batch import as_column

RESAMPLES, GENERATIONS = 30, 20
"""The defaults of `scripts/evaluate.py`."""

STEPS = 12
"""Frames for the change of one continuous attribute."""

PIXELS = 2**28
"""Pixels that a search may draw: it tries about 400 pictures for one face."""


def fool(run: LoadedRun, face: Faces) -> dict[str, Any]:
    """Few changes of nuisances after which the run misclassifies the face.

    `frames` are faces from the present one to the misclassified one, the change with the largest
    effect first; they end at the first error.
    """
    faces = as_seen(face, run)
    label = truth(run, faces)
    if label < 0:
        return {"outcome": "no truth"}
    said = run.ask(render(faces, size=run.size)).argmax(dim=1)
    if int(said[0]) != label:
        return {"outcome": "wrong already", "says": int(said[0]), "truth": label}
    generations = GENERATIONS if 400 * run.size**2 <= PIXELS else GENERATIONS // 4
    found = find_failures(
        run.ask,
        replace(run.world, seed=int(face.identity[0]) & 0xFFFF),
        faces,
        resamples=RESAMPLES,
        generations=generations,
    )
    tried = sum(found.shown.values())
    if not found.changed:
        return {"outcome": "withstood", "tried": tried}
    way = _way(faces, found.after, found.changed[0])
    chances = run.ask(render(way, size=run.size)).double().softmax(dim=1)
    wrong = (chances.argmax(dim=1) != label).nonzero()[:, 0]
    way = way[: int(wrong[0]) + 1]
    shown = watched(run, label)
    return {
        "outcome": "fooled",
        "tried": tried,
        "truth": label,
        "says": int(chances[len(way) - 1].argmax()),
        "chances": [round(chance, 5) for chance in chances[: len(way), shown].tolist()],
        "frames": [write_face(way, i) for i in range(len(way))],
        "changes": _changes(way),
    }


def _way(before: Faces, after: Faces, names: tuple[str, ...]) -> Faces:
    """Faces from `before` (1) to `after` (1): one attribute after the other, continuous ones in
    `STEPS` frames."""
    faces = [before]
    for name in names:
        row, now = ATTRIBUTES[name], faces[-1]
        for column in _between(row.kind == "continuous", now[name], after[name]):
            faces.append(now.redrawn({name: as_column(row, column.numpy())}))
    return Faces.cat(faces)


def _between(gradually: bool, old: Tensor, new: Tensor) -> list[Tensor]:
    if not gradually:
        return [new]
    return [new if k == STEPS else old + (new - old) * (k / STEPS) for k in range(1, STEPS + 1)]


def _changes(way: Faces) -> list[dict[str, Any]]:
    """The attributes that differ between the first and the last face."""
    old, new = write_face(way, 0), write_face(way, len(way) - 1)
    return [
        {"name": name, "old": old[name], "new": new[name]}
        for name in ATTRIBUTES
        if old[name] != new[name]
    ]
