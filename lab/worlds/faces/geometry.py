"""From attribute values to the numbers of a drawing: how big everything is, and which color.

All per-face arithmetic happens here, once for a block of faces and in float64, so that the
per-pixel code is left with few and exactly rounded operations. Lengths are in picture units (half
the picture is 1, x to the right, y down); a head is drawn in its own frame: moved, turned and
scaled, its center at the origin.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lab.core.seeds import mix
from lab.worlds.faces.attributes import ATTRIBUTES
from lab.worlds.faces.batch import Faces
from lab.worlds.faces.palette import PALETTES, palette
from lab.worlds.faces.shapes import turned

HEAD_WIDTH, HEAD_HEIGHT = 0.47, 0.60
EYE, EYE_X, EYE_Y = 0.135, 0.205, -0.05
"""Half width of an eye, and where the right one sits in the frame of a typical head."""


@dataclass(frozen=True)
class Numbers:
    """The numbers of N drawings, one row each, with the names of their columns."""

    packed: Tensor  # (N, K) float32
    columns: tuple[tuple[str, int], ...]  # name and width: 1, or 3 for a color

    def named(self, rows: slice | Tensor, device: torch.device) -> dict[str, Tensor]:
        """Name -> (n, 1, 1, 1) numbers and (n, 3, 1, 1) colors of some rows, on `device`."""
        block = self.packed[rows].to(device)[:, :, None, None]
        widths = [width for _, width in self.columns]
        names = (name for name, _ in self.columns)
        return dict(zip(names, torch.split(block, widths, dim=1), strict=True))


def hashed(identity: Tensor, salt: int | Tensor) -> Tensor:
    """A number in [0, 1) float64 for each face that no attribute controls.

    `identity` (N,) and `salt`, a whole number or an int64 tensor, are broadcast together.
    """
    salts = (
        salt.numpy().view(np.uint64) if isinstance(salt, Tensor) else np.array([salt], np.uint64)
    )
    counter = identity.numpy().view(np.uint64) + salts * np.uint64(0x9E3779B97F4A7C15)
    return torch.from_numpy((mix(counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53)


_TOLD: dict[str, dict[str, dict[str, float]]] = {
    "background_pattern": {
        "stripes": {"stripes": 1, "waves": 1},
        "waves": {"waves": 0.16},
        "checks": {"checks": 1},
        "dots": {"dots": 1},
        "plain": {"plain": 1},
    },
    "hair_style": {"curly": {"curly": 1}, "fringe": {"fringe": 1}, "parted": {"parted": 1}},
    "beard": {
        "beard": {"full": 0.95, "stubble": 0.35},
        "mustache": {"full": 0.95, "mustache": 0.95, "stubble": 0.35},
    },
    "glasses": {"glasses": {"round": 0.9, "square": 0.9}, "glasses_square": {"square": 1}},
}
"""Attribute -> number -> what it is for each value, if not 0."""

_TABLES = {
    name: torch.tensor(
        [[told.get(str(value), 0.0) for value in ATTRIBUTES[name].values]
         for told in numbers.values()], dtype=torch.float64,
    )
    for name, numbers in _TOLD.items()
}  # fmt: skip


def numbers_of(faces: Faces) -> Numbers:
    """The numbers that a block of faces is drawn from."""
    measures = torch.stack([faces[name] for name in _MEASURES]).double()
    number = dict(zip(_MEASURES, measures, strict=True))
    scale = number["scale"]
    colors = {
        name: palette(name, faces.visibility).double().t()[:, faces[name]] for name in PALETTES
    }  # (3, N) each
    h = hashed(faces.identity, torch.arange(6)[:, None])
    told = {
        key: row
        for name, table in _TABLES.items()
        for key, row in zip(_TOLD[name], table[:, faces[name]], strict=True)
    }
    is_head = faces["subject"] == 0
    length, curly, fringe = number["hair_length"], told["curly"], told["fringe"]
    back = colors["background_color"]
    light_pattern = h[3] < 0.5
    second = torch.where(light_pattern, back + 0.6 * (1 - back), back * 0.62)
    angle = h[0] * 180 - 90
    frequency = 1.2 + 1.3 * h[1]
    cos, sin = turned(torch.stack([number["rotation"], angle, number["light_direction"]]))
    values = {
        "cos": cos[0] / scale,
        "sin": sin[0] / scale,
        "scale": scale,
        "x": number["position_x"],
        "y": number["position_y"],
        # light rounds things by a typical head's size: a thing has no head to be wide
        "rx": HEAD_WIDTH * torch.where(is_head, number["head_width"], 1.0),
        "ry": HEAD_HEIGHT * torch.where(is_head, number["head_height"], 1.0),
        # background
        "pattern_cos": cos[1] * frequency,
        "pattern_sin": sin[1] * frequency,
        "pattern_phase": h[2],
        **{name: told[name] for name in _TOLD["background_pattern"]},
        # hair: thickness over the skull, hairline v = line + slant u + drop u², where hair ends
        "hair_thick": 0.02 + 0.05 * length + 0.035 * curly,
        "hair_wave": 0.035 * curly,
        "hair_line": -0.34 + 0.13 * fringe + 0.02 * curly,
        "hair_slant": 0.32 * told["parted"] * torch.where(h[4] < 0.5, 1.0, -1.0),
        "hair_drop": 0.55 + 0.5 * length - 0.45 * fringe,
        "hair_end": -0.25 + 1.15 * length,
        "hair_wide": 0.02 + 0.10 * length + 0.03 * curly,
        # beard, brows, cheeks, glasses
        **{name: told[name] for name in _TOLD["beard"]},
        "brow": 0.010 + 0.030 * number["eyebrows"],
        "eye_x": EYE_X * number["eye_spacing"],
        "blush": 0.32 * number["blush"],
        "gaze": number["gaze"],
        "mouth_open": number["mouth_open"],
        "smile": number["smile"],
        **{name: told[name] for name in _TOLD["glasses"]},
        # light
        "light": number["light_strength"],
        "light_x": sin[2],
        "light_y": -cos[2],
        "ball": torch.where(is_head, 1.12, 1.7),
        "noise": number["pixel_noise"],
        # what no attribute controls
        "chance": h[5],
    }
    colors["pattern"] = second
    colors["lips"] = 0.8 * colors["lip_color"] + 0.2 * colors["skin_color"]
    rows = torch.cat([torch.stack(list(values.values())), *colors.values()])
    return Numbers(
        rows.float().t().contiguous(),
        tuple((name, 1) for name in values) + tuple((name, 3) for name in colors),
    )


_MEASURES = [name for name, row in ATTRIBUTES.items() if row.kind == "continuous"]
