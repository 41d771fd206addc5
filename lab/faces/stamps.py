"""Where every part of a picture lies: those on heads, in the right or wrong places, and strays.

A part is drawn in its own frame, on a window of pixels around it, and laid over the picture.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.faces.anatomy import EYE, EYE_X, EYE_Y, hashed
from lab.faces.attributes import ATTRIBUTES, SHUFFLES, STRAYS
from lab.faces.batch import Faces
from lab.faces.shapes import turned

HALF_WIDTHS = {"eyes": EYE, "nose": 0.14, "mouth": 0.225, "ears": 0.12}
"""Half widths of the parts at size 1, in picture units."""

EXTENTS = {"eyes": (1.3, 1.0), "nose": (1.1, 1.75), "mouth": (1.12, 1.05), "ears": (1.1, 1.75)}
"""Half sizes of a part's own frame, in its half widths: nothing of it is drawn outside."""

STRAY_TURN = 20.0
"""How far stray parts are turned against the head, in degrees to either side."""

_SIZES = {"eyes": "eye_size", "nose": "nose_size", "ears": "ear_size"}

_NATURAL = {
    "eyes": ((-EYE_X, EYE_Y), (EYE_X, EYE_Y)),
    "nose": ((0.0, 0.085),),
    "mouth": ((0.0, 0.35),),
    "ears": ((-0.525, 0.0), (0.525, 0.0)),
}
_SHUFFLED: dict[str, dict[str, tuple[tuple[float, float], ...]]] = {
    "flipped": {
        "eyes": ((-EYE_X, 0.30), (EYE_X, 0.30)),
        "nose": ((0.0, 0.10),),
        "mouth": ((0.0, -0.10),),
        "ears": ((-0.525, 0.0), (0.525, 0.0)),
    },
    "ears_inside": {
        "eyes": ((-0.50, 0.0), (0.50, 0.0)),
        "nose": ((0.0, 0.085),),
        "mouth": ((0.0, 0.35),),
        "ears": ((-EYE_X, EYE_Y), (EYE_X, EYE_Y)),
    },
    "rotated": {
        "eyes": ((-0.20, 0.28), (0.0, 0.02)),
        "nose": ((0.22, 0.25),),
        "mouth": ((-0.12, -0.12),),
        "ears": ((-0.525, 0.0), (0.525, 0.0)),
    },
    "column": {
        "eyes": ((0.0, -0.12), (0.0, 0.36)),
        "nose": ((-0.22, 0.08),),
        "mouth": ((0.17, 0.14),),
        "ears": ((-0.525, 0.0), (0.525, 0.0)),
    },
    "traded": {
        "eyes": ((-EYE_X, EYE_Y), (0.0, 0.33)),
        "nose": ((0.22, 0.0),),
        "mouth": ((0.0, 0.13),),
        "ears": ((-0.525, 0.0), (0.525, 0.0)),
    },
}

STRAY_PLACES = (
    (-0.80, -0.78), (0.80, -0.78), (-0.82, -0.38), (0.82, -0.38), (-0.80, 0.06), (0.80, 0.06),
    (-0.80, 0.50), (0.80, 0.50), (-0.52, 0.84), (0.52, 0.84),
)  # fmt: skip
"""Where stray parts may lie, in picture units."""
_STRAY_PLACES = torch.tensor(STRAY_PLACES, dtype=torch.float64)


@dataclass(frozen=True)
class Stamps:
    """All parts of one sort in a block of faces, sorted by face and slot; M rows, on the CPU.

    `slot` numbers the stamps of a face: stamps of one slot never share a picture.
    """

    face: Tensor  # (M,) int64, row of the block
    slot: Tensor  # (M,) int64
    stray: Tensor  # (M,) bool
    x: Tensor  # (M,) float32, where its centre lies, in picture units
    y: Tensor
    cos: Tensor  # (M,) of the turn, over the half width: picture units -> the part's own frame
    sin: Tensor
    side: Tensor  # (M,) -1 left, 1 right
    sharp: Tensor  # (M,) pixels per unit of the part's own frame

    def take(self, rows: slice | Tensor) -> "Stamps":
        """Some of the rows."""
        return Stamps(**{name: value[rows] for name, value in vars(self).items()})


def stamps_of(faces: Faces, *, size: int) -> dict[str, Stamps]:
    """Every part of a block of faces at `size` pixels: those of the head, then the stray ones."""
    cos, sin = turned(faces["rotation"])
    shown, x, y = _on_head(faces, cos, sin)
    side = torch.tensor([*_SIDES, *[0.0] * len(_STRAY)]).expand(len(faces), -1).clone()
    shown = torch.cat([shown, *(faces[STRAYS[part]][:, None] > rank for part, rank in _STRAY)], 1)
    x, y, cos, sin = (
        torch.cat([value, value.new_zeros(len(faces), len(_STRAY))], dim=1)
        for value in (x, y, *(v[:, None].expand(-1, len(_HEAD)) for v in (cos, sin)))
    )
    face, rank = shown[:, len(_HEAD) :].nonzero().unbind(1)
    stray = _strays(faces.take(face), rank)
    for column, value in zip((x, y, cos, sin, side), stray, strict=True):
        column[face, len(_HEAD) + rank] = value
    scale = faces["scale"].double()
    marks = {}
    for part, columns in _COLUMNS.items():
        half = HALF_WIDTHS[part] * scale
        if part in _SIZES:
            half = half * faces[_SIZES[part]].double()
        face, slot = shown[:, columns].nonzero().unbind(1)
        at = face * shown.shape[1] + columns[slot]
        half = half[face]
        marks[part] = Stamps(
            face=face,
            slot=slot,
            stray=columns[slot] >= len(_HEAD),
            x=x.view(-1)[at].float(),
            y=y.view(-1)[at].float(),
            cos=(cos.view(-1)[at] / half).float(),
            sin=(sin.view(-1)[at] / half).float(),
            side=side.view(-1)[at],
            sharp=(half * (size / 2)).float(),
        )
    return marks


_HEAD = tuple((part, slot) for part in _NATURAL for slot in range(len(_NATURAL[part])))
"""The places of parts on a head: part and slot."""

_STRAY = tuple(
    (part, rank) for part in _NATURAL for rank in range(len(ATTRIBUTES[STRAYS[part]].values) - 1)
)
"""The stray parts that a picture may have, each with a place of its own."""

_COLUMNS = {
    part: torch.tensor([k for k, (name, _) in enumerate((*_HEAD, *_STRAY)) if name == part])
    for part in _NATURAL
}
_PAIRED = torch.tensor([len(_NATURAL[part]) == 2 for part, _ in _HEAD])
_SLOT = torch.tensor([slot for _, slot in _HEAD])
_SIDES = [1.0 if slot or len(_NATURAL[part]) == 1 else -1.0 for part, slot in _HEAD]
_PLACES = torch.tensor(
    [[table[part][slot] for part, slot in _HEAD]
     for table in (_NATURAL, *(_SHUFFLED[name] for name in SHUFFLES))],
    dtype=torch.float64,
)  # fmt: skip
"""Where each arrangement has the parts of a head, in its frame: (A, places, 2)."""
_EYES = torch.tensor([part == "eyes" for part, _ in _HEAD])


def _on_head(faces: Faces, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which places on the heads are taken, and where those lie: (N, places) each."""
    count = torch.stack([faces[part] for part, _ in _HEAD], dim=1)
    lone = (hashed(faces.identity, 20) < 0.5).long()  # which eye or ear a lone one is
    alone = (count == 1) & ((lone[:, None] == _SLOT) | ~_PAIRED)
    shown = ((count == 2) | alone) & (faces["subject"] == 0)[:, None]
    hx, hy = _PLACES[faces["arrangement"]].unbind(2)
    hx = hx * faces["head_width"].double()[:, None]
    hx = torch.where(_EYES, hx * faces["eye_spacing"].double()[:, None], hx)
    hy = hy * faces["head_height"].double()[:, None]
    cos, sin, scale = cos[:, None], sin[:, None], faces["scale"].double()[:, None]
    x = faces["position_x"][:, None] + (hx * cos - hy * sin) * scale
    y = faces["position_y"][:, None] + (hx * sin + hy * cos) * scale
    return shown, x, y


def _strays(faces: Faces, rank: Tensor) -> tuple[Tensor, ...]:
    """Where a stray part of each of M faces lies, and how it is turned: x, y, cos, sin, side.

    `rank` (M,) is its position among all that a picture may have.
    """
    identity = faces.identity[:, None]
    order = hashed(identity, 40 + torch.arange(len(STRAY_PLACES))).argsort(dim=1)
    spot = _STRAY_PLACES[order.gather(1, rank[:, None])[:, 0]]  # of a random order of the places
    jitter = (hashed(identity, 100 + 4 * rank[:, None] + torch.arange(4)) - 0.5).unbind(1)
    cos, sin = turned(faces["rotation"].double() + 2 * STRAY_TURN * jitter[2])
    side = torch.where(jitter[3] < 0, -1.0, 1.0)
    return spot[:, 0] + 0.10 * jitter[0], spot[:, 1] + 0.10 * jitter[1], cos, sin, side


@dataclass(frozen=True)
class Windows:
    """The pixels around each of M stamps, as many for each."""

    left: Tensor  # (M,) int64, first column
    top: Tensor
    dx: Tensor  # (M, w) float32, pixel centres relative to the part, in picture units
    dy: Tensor  # (M, h)


def windows_of(marks: Stamps, part: str, size: int) -> Windows:
    """The windows of some stamps of one part."""
    tall, wide = window(part, size)
    pixels, x, y = size / 2, marks.x, marks.y
    left = ((x + 1) * pixels - wide / 2).round().clamp(0, size - wide).long()
    top = ((y + 1) * pixels - tall / 2).round().clamp(0, size - tall).long()
    return Windows(
        left=left,
        top=top,
        dx=(left[:, None] + torch.arange(wide) + 0.5) / pixels - 1 - x[:, None],
        dy=(top[:, None] + torch.arange(tall) + 0.5) / pixels - 1 - y[:, None],
    )


def window(part: str, size: int) -> tuple[int, int]:
    """Height and width in pixels of a window that holds the part however big and turned it is."""
    biggest = ATTRIBUTES[_SIZES[part]].high if part in _SIZES else 1.0
    reach = HALF_WIDTHS[part] * biggest * ATTRIBUTES["scale"].high * size / 2
    wide, high = (extent * reach for extent in EXTENTS[part])
    most = int(ATTRIBUTES["rotation"].high + STRAY_TURN)
    turns = [(math.cos(math.radians(t)), math.sin(math.radians(t))) for t in range(most + 1)]
    tall = max(wide * s + high * c for c, s in turns)
    broad = max(wide * c + high * s for c, s in turns)
    return min(size, math.ceil(2 * tall) + 2), min(size, math.ceil(2 * broad) + 2)
