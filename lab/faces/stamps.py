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
from lab.faces.shapes import cosine, sine

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


@dataclass(frozen=True)
class _Row:
    """One slot of the faces that have it: (M,) each, turn in degrees."""

    face: Tensor
    slot: int
    stray: bool
    x: Tensor
    y: Tensor
    turn: Tensor
    side: Tensor


def stamps_of(faces: Faces, part: str, *, size: int) -> Stamps:
    """Every `part` of a block of faces at `size` pixels: those of the head, then the stray ones."""
    scale = faces["scale"].double()
    half = HALF_WIDTHS[part] * scale
    if part in _SIZES:
        half = half * faces[_SIZES[part]].double()
    rows = _on_head(faces, part)
    rows += _strays(faces, part, first_slot=len(rows))
    face = torch.cat([row.face for row in rows])
    order = torch.argsort(face, stable=True)
    face = face[order]
    lengths = torch.tensor([len(row.face) for row in rows])

    def column(values: list[Tensor]) -> Tensor:
        return torch.cat(values)[order]

    def constant(values: list[int]) -> Tensor:
        return torch.tensor(values).repeat_interleave(lengths)[order]

    half = half[face]
    turn = column([row.turn for row in rows])
    return Stamps(
        face=face,
        slot=constant([row.slot for row in rows]),
        stray=constant([row.stray for row in rows]).bool(),
        x=column([row.x for row in rows]).float(),
        y=column([row.y for row in rows]).float(),
        cos=(cosine(turn) / half).float(),
        sin=(sine(turn) / half).float(),
        side=column([row.side for row in rows]).float(),
        sharp=(half * (size / 2)).float(),
    )


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


def _on_head(faces: Faces, part: str) -> list[_Row]:
    turn, scale = faces["rotation"].double(), faces["scale"].double()
    cos, sin = cosine(turn), sine(turn)
    places = _head_places(faces, part)
    count = torch.where(faces["subject"] == 0, faces[part], 0)
    lone = (hashed(faces.identity, 20) < 0.5).long()  # which eye or ear a lone one is
    rows = []
    for slot, (hx, hy) in enumerate(places):
        alone = (count == 1) & (lone == slot) if len(places) == 2 else count == 1
        face = ((count == len(places)) | alone).nonzero()[:, 0]
        x = faces["position_x"] + (hx * cos - hy * sin) * scale
        y = faces["position_y"] + (hx * sin + hy * cos) * scale
        left = slot == 0 and len(places) == 2
        rows.append(
            _Row(
                face=face,
                slot=slot,
                stray=False,
                x=x[face],
                y=y[face],
                turn=turn[face],
                side=torch.full((len(face),), -1.0 if left else 1.0),
            )
        )
    return rows


def _head_places(faces: Faces, part: str) -> list[tuple[Tensor, Tensor]]:
    """Where the head's parts sit, in its frame: a list over left/right of (x (N,), y (N,))."""
    tables = [_NATURAL, *(_SHUFFLED[name] for name in SHUFFLES)]
    spots = torch.tensor([table[part] for table in tables], dtype=torch.float64)  # (A, k, 2)
    chosen = spots[faces["arrangement"]]  # (N, k, 2)
    wide = faces["head_width"].double()
    x = chosen[..., 0] * wide[:, None]
    if part == "eyes":
        x = x * faces["eye_spacing"].double()[:, None]
    y = chosen[..., 1] * faces["head_height"].double()[:, None]
    return [(x[:, k], y[:, k]) for k in range(x.shape[1])]


def _strays(faces: Faces, part: str, *, first_slot: int) -> list[_Row]:
    most = len(ATTRIBUTES[STRAYS[part]].values) - 1
    before = {"eyes": 0, "nose": 3, "mouth": 5, "ears": 7}[part]
    places = torch.tensor(STRAY_PLACES, dtype=torch.float64)
    rows = []
    for k in range(most):
        face = (faces[STRAYS[part]] > k).nonzero()[:, 0]
        identity = faces.identity[face]
        ranks = torch.stack([hashed(identity, 40 + place) for place in range(len(places))], dim=1)
        spot = places[ranks.argsort(dim=1)[:, before + k]]  # of a random order of the places
        salt = 100 + 4 * (before + k)
        jitter = [hashed(identity, salt + j) - 0.5 for j in range(4)]
        rows.append(
            _Row(
                face=face,
                slot=first_slot + k,
                stray=True,
                x=spot[:, 0] + 0.10 * jitter[0],
                y=spot[:, 1] + 0.10 * jitter[1],
                turn=faces["rotation"][face].double() + 2 * STRAY_TURN * jitter[2],
                side=torch.where(jitter[3] < 0, -1.0, 1.0),
            )
        )
    return rows
