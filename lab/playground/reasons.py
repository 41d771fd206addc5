"""Why a task's rule puts a picture in no class of its own right: what would have to change."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any

import torch

from lab.playground.effects import look_different, others
from lab.playground.request import plain, start_face
from lab.worlds import Task, get_task
from lab.worlds.faces import ATTRIBUTES, Attribute, Faces

MOST = 20_000
"""Combinations of what decides that are gone through."""


def reasons(task: Task, face: Faces) -> list[dict[str, Any]]:
    """The fewest attributes that would have to change for `face` (1) to be in a class of its own
    right: the name, the present value, and one that would do.

    Nothing is said of other pictures (one eye is one eye), only of what is left over: no person, or
    without an answer. What cannot be seen is left out, unless there is nothing else.
    """
    if int(task.label(face)[0]) != task.otherwise:
        return []
    now = {name: float(face[name][0]) for name in task.relevant}
    wanted = _fewest_changes(task.name, tuple(now.values()))
    told = set(wanted)
    if len(wanted) > 1:
        seen = look_different(face, [{name: value} for name, value in wanted.items()])
        told = {name for name, differs in zip(wanted, seen, strict=True) if differs} or told
    return [
        {
            "name": name,
            "now": plain(ATTRIBUTES[name], now[name]),
            "wanted": plain(ATTRIBUTES[name], value),
        }
        for name, value in wanted.items()
        if name in told
    ]


@lru_cache(maxsize=256)
def _fewest_changes(name: str, now: tuple[float, ...]) -> dict[str, float]:
    """What of the attributes that decide, at present `now`, would have to be which code or number
    for another class than what is left over; nothing where no combination is."""
    task = get_task(name)
    rows = [ATTRIBUTES[each] for each in task.relevant]
    face = start_face().redrawn(
        {row.name: torch.tensor([value]).to(start_face()[row.name].dtype)
         for row, value in zip(rows, now, strict=True)}
    )  # fmt: skip
    values = [
        _typical_first(row, value, others(row, face)) for row, value in zip(rows, now, strict=True)
    ]
    if math.prod(map(len, values)) > MOST:
        return {}
    tried = torch.tensor(list(itertools.product(*values)), dtype=torch.float64)  # (M, R)
    everyone = face.take(torch.zeros(len(tried), dtype=torch.long))
    faces = everyone.redrawn(
        {row.name: tried[:, k].to(everyone[row.name].dtype) for k, row in enumerate(rows)}
    )
    proper = task.label(faces) != task.otherwise
    if not bool(proper.any()):
        return {}
    differs = (tried != torch.tensor(now, dtype=torch.float64)).sum(dim=1)
    counts = differs.where(proper, len(rows) + 1).tolist()
    best = tried[counts.index(min(counts))].tolist()
    return {row.name: b for row, b, value in zip(rows, best, now, strict=True) if b != value}


def _typical_first(row: Attribute, now: float, rest: list[float]) -> list[float]:
    """The present value of an attribute and others that may be wanted instead."""
    typical = float(row.code(row.typical))
    return [now, *sorted(rest, key=lambda value: value != typical)]
