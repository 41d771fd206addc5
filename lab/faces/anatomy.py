"""From attribute values to the numbers of a drawing: how big everything is, and which color.

All per-face arithmetic happens here, once for a block of faces and in float64, so that the
per-pixel code is left with few and exactly rounded operations. Lengths are in picture units (half
the picture is 1, x to the right, y down); a head is drawn in its own frame: moved, turned and
scaled, its centre at the origin.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lab.faces.attributes import ATTRIBUTES
from lab.faces.batch import Faces
from lab.faces.palette import PALETTES, palette
from lab.faces.shapes import cosine, sine
from lab.seeds import mix

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


def hashed(identity: Tensor, salt: int) -> Tensor:
    """A number in [0, 1) (N,) float64 for each face that no attribute controls."""
    counter = identity.numpy().view(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) % 2**64)
    return torch.from_numpy((mix(counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def numbers_of(faces: Faces) -> Numbers:
    """The numbers that a block of faces is drawn from."""
    number = {name: faces[name].double() for name in ATTRIBUTES}
    turn, scale = number["rotation"], number["scale"]
    lean = number["light_direction"]
    colors = {name: palette(name, faces.vividness)[faces[name]].double() for name in PALETTES}
    h = [hashed(faces.identity, salt) for salt in range(6)]

    def one_of(name: str, *values: str) -> Tensor:
        codes = [ATTRIBUTES[name].values.index(v) for v in values]
        return torch.isin(faces[name], torch.tensor(codes)).double()

    length = number["hair_length"]
    curly, fringe = one_of("hair_style", "curly"), one_of("hair_style", "fringe")
    parted = one_of("hair_style", "parted")
    back = colors["background_color"]
    light_pattern = h[3][:, None] < 0.5
    second = torch.where(light_pattern, back + 0.6 * (1 - back), back * 0.62)
    angle = h[0] * 180 - 90
    frequency = 1.2 + 1.3 * h[1]
    values = {
        "cos": cosine(turn) / scale,
        "sin": sine(turn) / scale,
        "scale": scale,
        "x": number["position_x"],
        "y": number["position_y"],
        # light rounds things by a typical head's size: a thing has no head to be wide
        "rx": HEAD_WIDTH * torch.where(faces["subject"] == 0, number["head_width"], 1.0),
        "ry": HEAD_HEIGHT * torch.where(faces["subject"] == 0, number["head_height"], 1.0),
        # background
        "pattern_cos": cosine(angle) * frequency,
        "pattern_sin": sine(angle) * frequency,
        "pattern_phase": h[2],
        "stripes": one_of("background_pattern", "stripes", "waves"),
        "waves": one_of("background_pattern", "waves") * 0.16,
        "checks": one_of("background_pattern", "checks"),
        "dots": one_of("background_pattern", "dots"),
        "plain": one_of("background_pattern", "plain"),
        # hair: thickness over the skull, hairline v = line + slant u + drop u², where hair ends
        "hair_thick": 0.02 + 0.05 * length + 0.035 * curly,
        "hair_wave": 0.035 * curly,
        "hair_line": -0.34 + 0.13 * fringe + 0.02 * curly,
        "hair_slant": 0.32 * parted * torch.where(h[4] < 0.5, 1.0, -1.0),
        "hair_drop": 0.55 + 0.5 * length - 0.45 * fringe,
        "hair_end": -0.25 + 1.15 * length,
        "hair_wide": 0.02 + 0.10 * length + 0.03 * curly,
        # beard, brows, cheeks, glasses
        "beard": one_of("beard", "full") * 0.95 + one_of("beard", "stubble") * 0.35,
        "mustache": one_of("beard", "full", "mustache") * 0.95 + one_of("beard", "stubble") * 0.35,
        "brow": 0.010 + 0.030 * number["eyebrows"],
        "eye_x": EYE_X * number["eye_spacing"],
        "blush": 0.32 * number["blush"],
        "gaze": number["gaze"],
        "mouth_open": number["mouth_open"],
        "smile": number["smile"],
        "glasses": one_of("glasses", "round", "square") * 0.9,
        "glasses_square": one_of("glasses", "square"),
        # light
        "light": number["light_strength"],
        "light_x": sine(lean),
        "light_y": -cosine(lean),
        "ball": torch.where(faces["subject"] == 0, 1.12, 1.7),
        "noise": number["pixel_noise"],
        # what no attribute controls
        "chance": h[5],
    }
    colors["pattern"] = second
    colors["lips"] = 0.8 * colors["lip_color"] + 0.2 * colors["skin_color"]
    columns = [value.reshape(len(faces), -1) for value in (values | colors).values()]
    return Numbers(
        torch.cat(columns, dim=1).float(),
        tuple((name, 1) for name in values) + tuple((name, 3) for name in colors),
    )
