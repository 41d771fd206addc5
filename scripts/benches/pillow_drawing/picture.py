"""From faces to pictures, one at a time."""

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benches.pillow_drawing import objects
from benches.pillow_drawing.head import head
from benches.pillow_drawing.parts import DRAW
from benches.pillow_drawing.pen import Pen
from benches.pillow_drawing.scene import NOTHING, cloth, finish, wall
from lab.draw.finish import noise_start
from lab.worlds.faces import Faces
from lab.worlds.faces.geometry import inputs_of
from lab.worlds.faces.objects import DROP, STRETCH
from lab.worlds.faces.parts import ORDER
from lab.worlds.faces.placement import placements_of

SUPERSAMPLING = 4
_ABOVE_CLOTH = np.array([-1 - 1j, 1 - 1j, 1 + 0.6j, -1 + 0.6j])


def draw(faces: Faces, *, size: int) -> npt.NDArray[np.uint8]:
    """The pictures of `lab.worlds.faces.render`, as near as Pillow gets: (N, S, S, 3)."""
    half = size * SUPERSAMPLING / 2
    placed = _placed(faces, size)
    subjects = faces.names("subject")
    out = np.empty((len(faces), size, size, 3), np.uint8)
    for i, n in enumerate(_rows(faces)):
        out[i] = _picture(n, subjects[i], placed[i], size, half)
    return out


def _picture(
    n: dict[str, Any], subject: str, parts: list[tuple[str, complex, complex, bool]], size: int,
    half: float,
) -> npt.NDArray[np.uint8]:  # fmt: skip
    side = size * SUPERSAMPLING
    pen = Pen(wall(side, n))
    masks, cover = Pen(Image.new("RGB", (side, side))), Pen(Image.new("L", (side, side)))
    w = half / complex(n["cos"], -n["sin"])
    t = complex(n["x"] + 1, n["y"] + 1) * half - (0.5 + 0.5j)
    for one in (pen, masks, cover):
        one.place(w, t)
    cloth(pen, masks, n)
    n["is_head"] = subject == "head"
    if n["is_head"]:
        head(pen, masks, cover, n)
    else:
        masks.fill(_ABOVE_CLOTH, NOTHING)
        for one in (pen, masks, cover):
            one.place(w / STRETCH, t + 1j * DROP * w)
        objects.DRAW[subject](pen, masks, cover, n)
    for part, w, t, mirror in parts:
        pen.place(w, t)
        DRAW[part](pen, masks, mirror, n)
    return finish(pen.picture, masks.picture, cover.picture, size, n)


def _rows(faces: Faces) -> list[dict[str, Any]]:
    """Each face's numbers by name; colors as whole numbers from 0 to 255."""
    numbers = inputs_of(faces)
    names = [name for name, _ in numbers.columns]
    blocks = numbers.packed.split([width for _, width in numbers.columns], dim=1)
    columns: list[list[Any]] = [
        block[:, 0].tolist()
        if block.shape[1] == 1
        else [tuple(color) for color in (block * 255 + 0.5).int().tolist()]
        for block in blocks
    ]
    names += ["blur", "grain"]
    columns += [faces["blur"].tolist(), noise_start(faces.identity).tolist()]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _placed(faces: Faces, size: int) -> dict[int, list[tuple[str, complex, complex, bool]]]:
    """For each face its parts, in order, with the numbers that move their outlines into place."""
    placed: dict[int, list[tuple[str, complex, complex, bool]]] = defaultdict(list)
    half = size * SUPERSAMPLING / 2
    placements = placements_of(faces, size)
    for part in DRAW:
        marks = placements.of(ORDER.index(part))
        x, y, cos, sin, side, _ = marks.place.unbind(1)
        x, y = (x + 1) * (size / 2), (y + 1) * (size / 2)  # centers, in pixels of the picture
        columns = (marks.picture, x, y, cos, sin, side)
        for face, x, y, cos, sin, side in zip(*(c.tolist() for c in columns), strict=True):
            t = complex(x, y) * SUPERSAMPLING - (0.5 + 0.5j)
            placed[face].append((part, half / complex(cos, -sin), t, side < 0))
    return placed
