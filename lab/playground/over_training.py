"""One face over a run's training: the prediction for it after the steps of the snapshots, how far
each attribute alone moves it, and the run's accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from lab.playground.answers import as_seen, truth, watched
from lab.playground.errors import RequestError
from lab.playground.explain import PIXELS, places_of, varied
from lab.playground.logdir import evaluations, snapshots_of
from lab.playground.model_cache import LoadedRun, ModelCache
from lab.playground.request import plain
from lab.playground.training_faces import number_of, training_faces
from lab.worlds.faces import ATTRIBUTES, Faces, render

POINTS = 5
"""Values of a continuous attribute."""

WORK = 2**22
"""Pixels that all networks together see at most to tell how far each attribute moves them; beyond,
fewer snapshots are asked."""

COUNTERPARTS = 3
"""Most faces with a nuisance changed whose predictions are shown beside those of the face."""

ACCURACIES = ("accuracy/train", "accuracy/test")


def over_training(run: LoadedRun, face: Faces, cache: ModelCache) -> dict[str, Any]:
    """The probability of the watched class for the face at each of `steps`, the last of which is
    the trained network's, and there the probabilities of all classes.

    `counterparts` are the face with one attribute changed, each with its probabilities: for each
    relevant attribute a value that changes the label, and for the nuisances that move the
    prediction most the value that moves it most. `moves` holds for each attribute the difference
    between the largest and the smallest probability over its values at each of `asked`, which are
    places in `steps`. `trained_on`: the number and the labels of the training face that this is.
    """
    frames = [*_snapshots(run.whole), run.whole]
    rows = list(ATTRIBUTES.values())
    places = [places_of(row, face, POINTS) for row in rows]
    faces = varied(face, rows, places)
    labels = run.task.label(faces)
    asked = _asked(len(frames), len(faces) * run.size**2)
    step = max(1, PIXELS // run.size**2)
    seen: list[list[Tensor]] = [[] for _ in frames]
    for start in range(0, len(faces), step):
        images = render(as_seen(faces[start : start + step], run), size=run.size)
        for i, frame in enumerate(frames):
            if i in asked:
                seen[i].append(frame.ask(images))
            elif start == 0:
                seen[i].append(frame.ask(images[:1]))
    cache.fits()
    chances = [torch.cat(some).double().softmax(dim=1) for some in seen]
    says = [int(some[0].argmax()) for some in chances]
    shown = watched(run, says[-1])
    table = torch.stack([chances[i][:, shown] for i in asked])  # (frames asked, faces)
    parts = _parts([len(each) for each in places])
    moves = {
        row.name: table[:, part].amax(dim=1) - table[:, part].amin(dim=1)
        for row, part in zip(rows, parts, strict=True)
    }
    counterparts = _counterparts(run, table, labels, moves, rows, places, parts)
    return {
        "steps": [frame.step for frame in frames],
        "watched": shown,
        "says": says,
        "truth": truth(run, face),
        "chances": [round(float(some[0, shown]), 5) for some in chances],
        "probabilities": [_rounded(some[0]) for some in chances],
        "asked": asked,
        "moves": {name: _rounded(moved) for name, moved in moves.items()},
        "counterparts": counterparts,
        "accuracies": _accuracies(run),
        "trained_on": _trained_on(run, render(as_seen(face, run), size=run.size)[0]),
    }


def _snapshots(run: LoadedRun) -> list[LoadedRun]:
    """The run at each of its snapshots before its last step; without those that cannot be read."""
    found = []
    for step in snapshots_of(run.entry):
        with suppress(RequestError):
            frame = run.at(step)
            if frame.trained is not None and frame.step < run.step:
                found.append(frame)
    return found


def _asked(frames: int, pixels: int) -> list[int]:
    """Places of the networks, the last among them, that are asked about faces of so many pixels in
    all."""
    most = max(2, min(frames, WORK // pixels))
    return sorted({round(i * (frames - 1) / (most - 1)) for i in range(most)})


def _parts(lengths: Sequence[int]) -> list[slice]:
    """Where each attribute's faces stand: behind the face itself, one after the other."""
    found, at = [], 1
    for length in lengths:
        found.append(slice(at, at + length))
        at += length
    return found


def _counterparts(
    run: LoadedRun,
    table: Tensor,
    labels: Tensor,
    moves: Mapping[str, Tensor],
    rows: Sequence[Any],
    places: Sequence[Tensor],
    parts: Sequence[slice],
) -> list[dict[str, Any]]:
    relevant, nuisances = [], []
    for row, values, part in zip(rows, places, parts, strict=True):
        of_part = table[:, part]
        if row.name in run.task.relevant:
            other = ((labels[part] != labels[0]) & (labels[part] >= 0)).nonzero()[:, 0]
            if len(other) and int(labels[0]) >= 0:
                relevant.append((row, values, part, int(other[0])))
        elif float(moves[row.name].max()) > 0:
            far = (of_part - table[:, :1]).abs().amax(dim=0)
            nuisances.append((row, values, part, int(far.argmax())))
    nuisances.sort(key=lambda each: -float(moves[each[0].name].max()))
    return [
        {
            "name": row.name,
            "value": plain(row, float(values[i])),
            "relevant": row.name in run.task.relevant,
            "truth": int(labels[part][i]),
            "chances": _rounded(table[:, part][:, i]),
        }
        for row, values, part, i in (*relevant, *nuisances[:COUNTERPARTS])
    ]


def _accuracies(run: LoadedRun) -> dict[str, list[list[float]]]:
    """Step and accuracy at each evaluation, on the training and on the test set."""
    found: dict[str, list[list[float]]] = {}
    for line in evaluations(run.entry):
        for tag in ACCURACIES:
            step, value = line.get("step"), line.get(tag)
            if isinstance(step, int) and isinstance(value, (int, float)) and 0 <= value <= 1:
                found.setdefault(tag, []).append([step, round(value, 4)])
    return found


def _trained_on(run: LoadedRun, image: Tensor) -> dict[str, Any] | None:
    number = number_of(run, image)
    if number is None:
        return None
    faces = training_faces(run)
    given, clean = int(faces.labels[number]), int(faces.clean_labels[number])
    return {"number": number, "label": given, "truth": clean}


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 5) for value in values.tolist()]
