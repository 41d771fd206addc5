"""The positions of all parts of a picture: those on heads, in right or wrong places, and strays."""

import torch
from torch import Tensor

from lab.draw import Placements
from lab.draw.chance import hashed
from lab.draw.shapes import turned
from lab.worlds.faces.attributes import ATTRIBUTES, PARTS, SHUFFLES, STRAYS
from lab.worlds.faces.batch import Faces
from lab.worlds.faces.geometry import EYE_X, EYE_Y
from lab.worlds.faces.parts import HALF_WIDTHS, ORDER, SIZES, STRAY_TURN

REGIONS = (*PARTS, *(STRAYS[part] for part in PARTS))
"""What masks tell apart: parts on heads and beside them."""

_FIRST_DRAW = {"eyes": 0, "nose": 3, "mouth": 5, "ears": 7}
"""Position of a part's first stray in a face's random permutation of `STRAY_PLACES`."""

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


def placements_of(faces: Faces, size: int) -> Placements:
    """Every part of a batch of faces at `size` pixels."""
    cos, sin = turned(faces.values["rotation"])
    count, width = len(faces), len(_COLUMNS)
    shown = torch.empty(count, width, dtype=torch.bool)
    places = torch.empty(5, count, width, dtype=torch.float64)
    shown[:, _HEAD], places[:, :, _HEAD] = _on_head(faces, cos, sin)
    strays = torch.stack([faces.values[STRAYS[part]] for part in ORDER], dim=1)[:, _PART[_STRAY]]
    shown[:, _STRAY] = stray = strays > _RANK
    face, rank = stray.nonzero().unbind(1)
    at = face * width + _STRAY[rank]
    places.view(5, -1)[:, at] = _strays(faces.identity[face], faces.values["rotation"][face], rank)

    at = shown.view(-1).nonzero()[:, 0]
    face = torch.div(at, width, rounding_mode="floor")
    column = at - face * width
    part = _PART[column]
    half = torch.stack([_half_widths(faces, name) for name in ORDER], dim=1)
    half = half.view(-1)[face * len(ORDER) + part]
    x, y, cos, sin, side = places.view(5, -1)[:, at]
    place = torch.stack([x, y, cos / half, sin / half, side, half * (size / 2)], dim=1)
    return Placements(picture=face, kind=part, slot=_SLOT[column], region=_REGION[column],
                      place=place.float())  # fmt: skip


def _half_widths(faces: Faces, part: str) -> Tensor:
    half = HALF_WIDTHS[part] * faces.values["scale"].double()
    return half * faces.values[SIZES[part]].double() if part in SIZES else half


_COLUMNS = tuple(
    (part, slot)
    for part in ORDER
    for slot in range(len(_NATURAL[part]) + len(ATTRIBUTES[STRAYS[part]].values) - 1)
)
"""All sprites that a picture may have, bottom to top: (part, slot). The first slots of a part are
on the head, the others stray."""

_PART = torch.tensor([ORDER.index(part) for part, _ in _COLUMNS])
_SLOT = torch.tensor([slot for _, slot in _COLUMNS])
_LOOSE = torch.tensor([slot >= len(_NATURAL[part]) for part, slot in _COLUMNS])
_HEAD, _STRAY = (~_LOOSE).nonzero()[:, 0], _LOOSE.nonzero()[:, 0]
_REGION = torch.tensor([REGIONS.index(STRAYS[part] if slot >= len(_NATURAL[part]) else part)
                        for part, slot in _COLUMNS])  # fmt: skip
_RANK = torch.tensor([_COLUMNS[k][1] - len(_NATURAL[_COLUMNS[k][0]]) for k in _STRAY])
_DRAWS = torch.tensor([_FIRST_DRAW[_COLUMNS[k][0]] for k in _STRAY]) + _RANK
_PAIRED = torch.tensor([len(_NATURAL[_COLUMNS[k][0]]) == 2 for k in _HEAD])
_SIDES = torch.where(_PAIRED & (_SLOT[_HEAD] == 0), -1.0, 1.0).double()
_PLACES = torch.tensor(
    [[table[part][slot] for part, slot in (_COLUMNS[k] for k in _HEAD)]
     for table in (_NATURAL, *(_SHUFFLED[name] for name in SHUFFLES))],
    dtype=torch.float64,
).permute(2, 0, 1).contiguous()  # fmt: skip
"""x and y of the parts of a head in each arrangement, in the frame of the head: (2, A, K)."""
_EYES = _PART[_HEAD] == ORDER.index("eyes")


def _on_head(faces: Faces, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Parts on heads: which of K places are taken (N, K); their x, y, cos, sin, side (5, N, K)."""
    count = torch.stack([faces.values[part] for part in ORDER], dim=1)[:, _PART[_HEAD]]
    lone = (hashed(faces.identity, 20) < 0.5).long()  # which eye or ear a lone one is
    alone = (count == 1) & ((lone[:, None] == _SLOT[_HEAD]) | ~_PAIRED)
    shown = ((count == 2) | alone) & (faces.values["subject"] == 0)[:, None]
    hx, hy = _PLACES[:, faces.values["arrangement"]]
    hx = hx * faces.values["head_width"].double()[:, None]
    hx = torch.where(_EYES, hx * faces.values["eye_spacing"].double()[:, None], hx)
    hy = hy * faces.values["head_height"].double()[:, None]
    cos, sin, scale = cos[:, None], sin[:, None], faces.values["scale"].double()[:, None]
    x = faces.values["position_x"][:, None] + (hx * cos - hy * sin) * scale
    y = faces.values["position_y"][:, None] + (hx * sin + hy * cos) * scale
    return shown, torch.stack(torch.broadcast_tensors(x, y, cos, sin, _SIDES))  # type: ignore[no-untyped-call]


def _strays(identity: Tensor, rotation: Tensor, which: Tensor) -> Tensor:
    """x, y, cos, sin and side (5, M) of M stray parts, given the identity and rotation of the face.

    `which` (M,) is the part's index among all the stray parts that a picture may have.
    """
    draw = _DRAWS[which]
    order = hashed(identity[:, None], 40 + torch.arange(len(STRAY_PLACES))).argsort(dim=1)
    spot = _STRAY_PLACES[:, order.gather(1, draw[:, None])[:, 0]]  # sampled without replacement
    jitter = hashed(identity, 100 + 4 * draw + torch.arange(4)[:, None]) - 0.5
    x, y = spot + 0.10 * jitter[:2]
    cos, sin = turned(rotation.double() + 2 * STRAY_TURN * jitter[2])
    return torch.stack([x, y, cos, sin, torch.where(jitter[3] < 0, -1.0, 1.0).double()])
