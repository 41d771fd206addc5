"""The inputs of the drawing, from attribute values: sizes, positions, strengths and colors.

All arithmetic per face happens here, once for a batch and in float64, so that the arithmetic per
pixel consists of few and exactly rounded operations. Lengths are in picture units (half the picture
is 1, x to the right, y down); a head is drawn in its own frame: moved, turned and scaled, with its
center at the origin. An input that no layer reads, or that a layer misspells, is an error.
"""

import torch
from torch import Tensor

from lab.draw.chance import hashed
from lab.draw.inputs import InputTable
from lab.draw.shapes import turned
from lab.worlds.faces.attributes import ATTRIBUTES, attribute
from lab.worlds.faces.batch import Faces
from lab.worlds.faces.palette import PALETTES, palette

HEAD_WIDTH, HEAD_HEIGHT = 0.47, 0.60
EYE, EYE_X, EYE_Y = 0.135, 0.205, -0.05
"""Half width of an eye, and where the right one sits in the frame of a typical head."""


def by_value(faces: Faces, name: str, **numbers: float) -> Tensor:
    """A number (N,) float64 for each face by its value of the categorical attribute `name`.

    Values that are not named have 0. Raises `ValueError` for a name that is no value.
    """
    row = attribute(name)
    table = torch.zeros(len(row.values), dtype=torch.float64)
    for value, number in numbers.items():
        table[int(row.code(value))] = number
    return table[faces.values[name]]


def inputs_of(faces: Faces) -> InputTable:
    """The inputs that a batch of faces is drawn from."""
    measures = torch.stack([faces.values[name] for name in _MEASURES]).double()
    number = dict(zip(_MEASURES, measures, strict=True))
    scale = number["scale"]
    colors = {
        name: palette(name, faces.visibility).double().t()[:, faces.values[name]]
        for name in PALETTES
    }  # (3, N) each
    h = hashed(faces.identity, torch.arange(6)[:, None])
    is_head = faces.values["subject"] == 0
    length = number["hair_length"]
    curly = by_value(faces, "hair_style", curly=1)
    parted = by_value(faces, "hair_style", parted=1)
    fringe = by_value(faces, "hair_style", fringe=1)
    back = colors["background_color"]
    light_pattern = h[3] < 0.5
    second = torch.where(light_pattern, back + 0.6 * (1 - back), back * 0.62)
    angle = h[0] * 180 - 90
    frequency = 1.2 + 1.3 * h[1]
    cos, sin = turned(torch.stack([number["rotation"], angle, number["light_direction"]]))
    numbers = {
        "cos": cos[0] / scale,
        "sin": sin[0] / scale,
        "scale": scale,
        "x": number["position_x"],
        "y": number["position_y"],
        # light rounds objects by the size of a typical head: they have no head to be wide
        "rx": HEAD_WIDTH * torch.where(is_head, number["head_width"], 1.0),
        "ry": HEAD_HEIGHT * torch.where(is_head, number["head_height"], 1.0),
        # background
        "pattern_cos": cos[1] * frequency,
        "pattern_sin": sin[1] * frequency,
        "pattern_phase": h[2],
        "stripes": by_value(faces, "background_pattern", stripes=1, waves=1),
        "waves": by_value(faces, "background_pattern", waves=0.16),
        "checks": by_value(faces, "background_pattern", checks=1),
        "dots": by_value(faces, "background_pattern", dots=1),
        "plain": by_value(faces, "background_pattern", plain=1),
        # hair: thickness over the skull, hairline v = line + slant u + drop u², where hair ends
        "hair_thick": 0.02 + 0.05 * length + 0.035 * curly,
        "hair_wave": 0.035 * curly,
        "hair_line": -0.34 + 0.13 * fringe + 0.02 * curly,
        "hair_slant": 0.32 * parted * torch.where(h[4] < 0.5, 1.0, -1.0),
        "hair_drop": 0.55 + 0.5 * length - 0.45 * fringe,
        "hair_end": -0.25 + 1.15 * length,
        "hair_wide": 0.02 + 0.10 * length + 0.03 * curly,
        # beard, brows, cheeks, glasses
        "beard": by_value(faces, "beard", full=0.95, stubble=0.35),
        "mustache": by_value(faces, "beard", full=0.95, mustache=0.95, stubble=0.35),
        "brow": 0.010 + 0.030 * number["eyebrows"],
        "eye_x": EYE_X * number["eye_spacing"],
        "blush": 0.32 * number["blush"],
        "gaze": number["gaze"],
        "mouth_open": number["mouth_open"],
        "smile": number["smile"],
        "glasses": by_value(faces, "glasses", round=0.9, square=0.9),
        "glasses_square": by_value(faces, "glasses", square=1),
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
    return InputTable.of(numbers, colors)


_MEASURES = [name for name, row in ATTRIBUTES.items() if row.kind == "continuous"]
