"""Which attributes have no effect on a picture, found by drawing it with other values: the color of
absent eyes, the arrangement of a house.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lab.playground.request import start_face
from lab.worlds.faces import ATTRIBUTES, Attribute, Faces, render

SIDE = 64
"""Side of the pictures that are compared, in pixels."""

Change = Mapping[str, float]
"""Values (codes or numbers) by attribute."""


def without_effect(face: Faces) -> dict[str, str]:
    """The attributes that do not change the picture of `face` (1) at any value, and for each the
    one attribute whose present value hides it in a typical face, too; empty if no single one
    does."""
    tried = {
        row.name: [{row.name: value} for value in others(row, face)] for row in ATTRIBUTES.values()
    }
    first = look_different(face, [changes[0] for changes in tried.values()])
    doubtful = [name for name, differs in zip(tried, first, strict=True) if not differs]
    rest = [(name, change) for name in doubtful for change in tried[name][1:]]
    seen = look_different(face, [change for _, change in rest])
    shown = {name for (name, _), differs in zip(rest, seen, strict=True) if differs}
    hidden = [name for name in doubtful if name not in shown]
    reasons = dict.fromkeys(hidden, "")
    typical = start_face()
    for row in ATTRIBUTES.values():
        value = float(face[row.name][0])
        open_ = [name for name, by in reasons.items() if not by and name != row.name]
        if not open_ or value == float(typical[row.name][0]):
            continue
        base = typical.redrawn({row.name: face[row.name]})
        pairs = [each for name in open_ for each in ({name: float(face[name][0])}, tried[name][0])]
        for name, images in zip(open_, torch.split(_pictures(base, pairs), 2), strict=True):
            if bool((images[0] == images[1]).all()):
                reasons[name] = row.name
    return reasons


def others(row: Attribute, face: Faces) -> list[float]:
    """The other values of an attribute than that of `face` (1): all, or for a continuous one the
    ends of its range and the typical value, the farthest first."""
    now = float(face[row.name][0])
    if row.kind != "continuous":
        codes = [float(row.code(value)) for value in row.values]
        return [code for code in codes if code != now]
    places = sorted({row.low, row.high, float(row.typical)}, key=lambda place: -abs(place - now))
    return [place for place in places if abs(place - now) > 1e-6]


def vary(face: Faces, changes: Sequence[Change]) -> Faces:
    """Copies of `face` (1), one with each of the changes."""
    faces = face.take(torch.zeros(len(changes), dtype=torch.long))
    columns: dict[str, Tensor] = {}
    for i, change in enumerate(changes):
        for name, value in change.items():
            column = columns.setdefault(name, faces[name].clone())
            column[i] = value
    return faces.redrawn(columns)


def look_different(face: Faces, changes: Sequence[Change]) -> list[bool]:
    """Whether each change of `face` (1) changes a pixel."""
    images = _pictures(face, [{}, *changes])
    return list((images[1:] != images[0]).flatten(1).any(dim=1).tolist())


def _pictures(face: Faces, changes: Sequence[Change]) -> Tensor:
    return render(vary(face, changes), size=SIDE)
