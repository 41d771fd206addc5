"""Why a picture is in the left-over class of its task (not a person), or in none: the attributes
that would have to change."""

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
"""Most combinations of relevant attributes that are tried."""


def reasons(task: Task, face: Faces) -> list[dict[str, Any]]:
    """The fewest relevant attributes that would have to change for `face` (1) to be in another
    class than the left-over one (`Task.otherwise`): name, present value, and a value that would do.

    Empty for a face in any other class. Attributes without an effect on the picture are left out,
    unless there are no others.
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
    """The smallest set of changes of the relevant attributes, at present `now`, that leads to
    another class than the left-over one: new values by name; empty if no combination does."""
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
    """The present value of an attribute, followed by the others, the typical one first."""
    typical = float(row.code(row.typical))
    return [now, *sorted(rest, key=lambda value: value != typical)]
