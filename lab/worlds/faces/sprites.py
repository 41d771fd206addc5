"""Where every part of a picture lies: those on heads, in the right or wrong places, and strays.

A part is drawn in its own frame, on a window of pixels around it, and laid over the picture.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.worlds.faces.attributes import ATTRIBUTES, SHUFFLES, STRAYS
from lab.worlds.faces.batch import Faces
from lab.worlds.faces.geometry import EYE, EYE_X, EYE_Y, hashed
from lab.worlds.faces.shapes import turned

HALF_WIDTHS = {"eyes": EYE, "nose": 0.14, "mouth": 0.225, "ears": 0.12}
"""Half widths of the parts at size 1, in picture units."""

EXTENTS = {"eyes": (1.3, 1.0), "nose": (1.1, 1.75), "mouth": (1.12, 1.05), "ears": (1.1, 1.75)}
"""Half sizes of a part's own frame, in its half widths: nothing of it is drawn outside."""

STRAY_TURN = 20.0
"""How far stray parts are turned against the head, in degrees to either side."""

_SIZES = {"eyes": "eye_size", "nose": "nose_size", "ears": "ear_size"}

ORDER = ("ears", "nose", "mouth", "eyes")
"""The parts, in the order in which they are laid over a head."""

_FIRST_DRAW = {"eyes": 0, "nose": 3, "mouth": 5, "ears": 7}
"""Where in a face's random order of places those of its stray parts begin."""

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
_STRAY_PLACES = torch.tensor(STRAY_PLACES, dtype=torch.float64).t()


@dataclass(frozen=True)
class Stamps:
    """All parts in a block of faces, those of a face in the order in which they are laid; on the
    CPU."""

    face: Tensor  # (M,) int64, row of the block
    part: Tensor  # (M,) int64, position in `ORDER`
    slot: Tensor  # (M,) int64: stamps of one part and slot never share a picture
    stray: Tensor  # (M,) bool
    place: Tensor
    """(M, 6) float32: x and y of its center in picture units; cos and sin of its turn, over its
    half width, which lead from picture units to the part's own frame; side, -1 left or 1 right;
    pixels per unit of the part's own frame."""

    def take(self, rows: slice | Tensor) -> "Stamps":
        """Some of the rows."""
        return Stamps(**{name: value[rows] for name, value in vars(self).items()})

    def of(self, part: str) -> "Stamps":
        """Those of one part."""
        return self.take((self.part == ORDER.index(part)).nonzero()[:, 0])


def stamps_of(faces: Faces, *, size: int) -> Stamps:
    """Every part of a block of faces at `size` pixels."""
    cos, sin = turned(faces["rotation"])
    count, width = len(faces), len(_COLUMNS)
    shown = torch.empty(count, width, dtype=torch.bool)
    places = torch.empty(5, count, width, dtype=torch.float64)
    shown[:, _HEAD], places[:, :, _HEAD] = _on_head(faces, cos, sin)
    strays = torch.stack([faces[STRAYS[part]] for part in ORDER], dim=1)[:, _PART[_STRAY]]
    shown[:, _STRAY] = stray = strays > _RANK
    face, rank = stray.nonzero().unbind(1)
    at = face * width + _STRAY[rank]
    places.view(5, -1)[:, at] = _strays(faces.identity[face], faces["rotation"][face], rank)

    at = shown.view(-1).nonzero()[:, 0]
    face = torch.div(at, width, rounding_mode="floor")
    column = at - face * width
    part = _PART[column]
    half = torch.stack([_half_widths(faces, name) for name in ORDER], dim=1)
    half = half.view(-1)[face * len(ORDER) + part]
    x, y, cos, sin, side = places.view(5, -1)[:, at]
    place = torch.stack([x, y, cos / half, sin / half, side, half * (size / 2)], dim=1)
    return Stamps(face=face, part=part, slot=_SLOT[column], stray=_LOOSE[column],
                  place=place.float())  # fmt: skip


def _half_widths(faces: Faces, part: str) -> Tensor:
    half = HALF_WIDTHS[part] * faces["scale"].double()
    return half * faces[_SIZES[part]].double() if part in _SIZES else half


_COLUMNS = tuple(
    (part, slot)
    for part in ORDER
    for slot in range(len(_NATURAL[part]) + len(ATTRIBUTES[STRAYS[part]].values) - 1)
)
"""All that a picture may have, in the order in which it is laid: part and slot. The first slots of
a part are on the head, the others stray."""

_PART = torch.tensor([ORDER.index(part) for part, _ in _COLUMNS])
_SLOT = torch.tensor([slot for _, slot in _COLUMNS])
_LOOSE = torch.tensor([slot >= len(_NATURAL[part]) for part, slot in _COLUMNS])
_HEAD, _STRAY = (~_LOOSE).nonzero()[:, 0], _LOOSE.nonzero()[:, 0]
_RANK = torch.tensor([_COLUMNS[k][1] - len(_NATURAL[_COLUMNS[k][0]]) for k in _STRAY])
_DRAWS = torch.tensor([_FIRST_DRAW[_COLUMNS[k][0]] for k in _STRAY]) + _RANK
_PAIRED = torch.tensor([len(_NATURAL[_COLUMNS[k][0]]) == 2 for k in _HEAD])
_SIDES = torch.where(_PAIRED & (_SLOT[_HEAD] == 0), -1.0, 1.0).double()
_PLACES = torch.tensor(
    [[table[part][slot] for part, slot in (_COLUMNS[k] for k in _HEAD)]
     for table in (_NATURAL, *(_SHUFFLED[name] for name in SHUFFLES))],
    dtype=torch.float64,
).permute(2, 0, 1).contiguous()  # fmt: skip
"""Where each arrangement has the parts of a head, in its frame: (2, A, places)."""
_EYES = _PART[_HEAD] == ORDER.index("eyes")


def _on_head(faces: Faces, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Which places on the heads are taken (N, K), and x, y, cos, sin, side of each (5, N, K)."""
    count = torch.stack([faces[part] for part in ORDER], dim=1)[:, _PART[_HEAD]]
    lone = (hashed(faces.identity, 20) < 0.5).long()  # which eye or ear a lone one is
    alone = (count == 1) & ((lone[:, None] == _SLOT[_HEAD]) | ~_PAIRED)
    shown = ((count == 2) | alone) & (faces["subject"] == 0)[:, None]
    hx, hy = _PLACES[:, faces["arrangement"]]
    hx = hx * faces["head_width"].double()[:, None]
    hx = torch.where(_EYES, hx * faces["eye_spacing"].double()[:, None], hx)
    hy = hy * faces["head_height"].double()[:, None]
    cos, sin, scale = cos[:, None], sin[:, None], faces["scale"].double()[:, None]
    x = faces["position_x"][:, None] + (hx * cos - hy * sin) * scale
    y = faces["position_y"][:, None] + (hx * sin + hy * cos) * scale
    return shown, torch.stack(torch.broadcast_tensors(x, y, cos, sin, _SIDES))  # type: ignore[no-untyped-call]


def _strays(identity: Tensor, rotation: Tensor, which: Tensor) -> Tensor:
    """x, y, cos, sin and side (5, M) of stray parts, one for each of the M faces given.

    `which` (M,) of all the stray parts that a picture may have it is.
    """
    draw = _DRAWS[which]
    order = hashed(identity[:, None], 40 + torch.arange(len(STRAY_PLACES))).argsort(dim=1)
    spot = _STRAY_PLACES[:, order.gather(1, draw[:, None])[:, 0]]  # of a random order of the places
    jitter = hashed(identity, 100 + 4 * draw + torch.arange(4)[:, None]) - 0.5
    x, y = spot + 0.10 * jitter[:2]
    cos, sin = turned(rotation.double() + 2 * STRAY_TURN * jitter[2])
    return torch.stack([x, y, cos, sin, torch.where(jitter[3] < 0, -1.0, 1.0).double()])


@dataclass(frozen=True)
class Windows:
    """The pixels around each of M stamps, as many for each."""

    left: Tensor  # (M,) int64, first column
    top: Tensor
    dx: Tensor  # (M, w) float32, pixel centers relative to the part, in picture units
    dy: Tensor  # (M, h)


def windows_of(marks: Stamps, part: str, size: int) -> Windows:
    """The windows of some stamps of one part."""
    tall, wide = window(part, size)
    pixels, (x, y) = size / 2, marks.place.t()[:2]
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
