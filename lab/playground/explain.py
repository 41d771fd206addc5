"""Predictions on counterfactuals of one face: each attribute over its whole range, and the sixteen
subsets of the parts, with the true labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.evaluators.components import with_every_set
from lab.playground.answers import address, as_seen, watched
from lab.playground.model_cache import LoadedRun
from lab.playground.request import plain
from lab.worlds import subsets
from lab.worlds.faces import ATTRIBUTES, PARTS, Attribute, Faces, render
from lab.worlds.faces.batch import as_column

POINTS = 13
"""Values of a continuous attribute."""

PIXELS = 2**22
"""Pixels per batch of drawing."""

THUMBNAIL = 64
"""Side of the pictures of subsets of the parts, in pixels."""


def strips(run: LoadedRun, face: Faces) -> dict[str, Any]:
    """For each attribute the probability of the watched class at each of its values.

    `moves`: the difference of the largest and the smallest; `visible`: whether the picture changes.
    """
    rows = list(ATTRIBUTES.values())
    places = [places_of(row, face) for row in rows]
    faces = varied(face, rows, places)
    chances, same = _ask(run, faces, face)
    says = chances.argmax(dim=1)
    now = int(says[0])
    labels = run.task.label(faces)
    shown = watched(run, now)
    result, at = [], 1
    for row, values in zip(rows, places, strict=True):
        part = slice(at, at + len(values))
        at += len(values)
        column = chances[part, shown]
        result.append(
            {
                "name": row.name,
                "relevant": row.name in run.task.relevant,
                "visible": not bool(same[part].all()),
                "moves": round(float(column.max() - column.min()), 6),
                "values": [plain(row, value) for value in values.tolist()],
                "chances": [round(chance, 5) for chance in column.tolist()],
                "says": says[part].tolist(),
                "truth": labels[part].tolist(),
            }
        )
    return {"watched": shown, "says": now, "truth": int(labels[0]),
            "chance": round(float(chances[0, shown]), 6), "strips": result}  # fmt: skip


def parts(run: LoadedRun, face: Faces) -> dict[str, Any]:
    """The predictions and true labels for the face with each subset of the parts, if the run's task
    is about parts."""
    if not run.world.components:
        return {"sets": [], "parts": PARTS, "watched": watched(run, 0)}
    sets_of_parts = subsets(run.world.components)
    faces = Faces.cat(with_every_set(run.world, face))
    chances, _ = _ask(run, faces, face)
    says, labels = chances.argmax(dim=1).tolist(), run.task.label(faces).tolist()
    images = render(faces, size=THUMBNAIL)
    shown = watched(run, 0)
    sets = [
        {
            "parts": subset,
            "picture": address(images[i]),
            "chance": round(float(chances[i, shown]), 5),
            "says": says[i],
            "truth": labels[i],
        }
        for i, subset in enumerate(sets_of_parts)
    ]
    return {"sets": sets, "parts": PARTS, "watched": shown}


def places_of(row: Attribute, face: Faces, points: int = POINTS) -> Tensor:
    """The values of an attribute that are tried (K,): all, or an even grid of `points` and the
    present one."""
    if row.kind != "continuous":
        return torch.arange(len(row.values))
    grid = as_column(row, np.linspace(row.low, row.high, points))
    places = np.unique(torch.cat([grid, face[row.name]]).numpy())  # sorted
    return torch.from_numpy(places)


def varied(face: Faces, rows: list[Attribute], places: list[Tensor]) -> Faces:
    """The face itself, followed by the face with each value of each attribute."""
    count = 1 + sum(map(len, places))
    everyone = face.take(torch.zeros(count, dtype=torch.long))
    columns, at = {}, 1
    for row, values in zip(rows, places, strict=True):
        column = everyone[row.name].clone()
        column[at : at + len(values)] = values
        columns[row.name] = column
        at += len(values)
    return everyone.redrawn(columns)


def _ask(run: LoadedRun, faces: Faces, face: Faces) -> tuple[Tensor, Tensor]:
    """Probabilities (N, C), and which pictures (N,) equal that of `face`."""
    plain = render(as_seen(face, run), size=run.size)
    step = max(1, PIXELS // run.size**2)
    logits, same = [], []
    for start in range(0, len(faces), step):
        images = render(as_seen(faces[start : start + step], run), size=run.size)
        logits.append(run.ask(images))
        same.append((images == plain).flatten(1).all(dim=1))
    return torch.cat(logits).double().softmax(dim=1), torch.cat(same)
