"""A head without its parts: hair, neck, skull, cheeks, beard, brows, glasses."""

import torch
from torch import Tensor

from lab.faces.anatomy import EYE
from lab.faces.palette import DARK
from lab.faces.parts import over, solid
from lab.faces.scene import Numbers
from lab.faces.shapes import disc, ellipse, fill, glow, round_wave, rounded_box, soft


def skull(u: Tensor, v: Tensor, n: Numbers) -> Tensor:
    """Distance to the outline of the head: an ellipse whose jaw tapers."""
    return ellipse(u * (1 + 0.30 * v.clamp(0, 0.6) * v.clamp(0, 0.6)), v + 0.08, n["rx"], n["ry"])


def head(canvas: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Numbers) -> tuple[Tensor, Tensor]:
    """Lay a head over the canvas; `u`, `v` (N, 1, S, S) are coordinates in the head's frame.

    Returns the canvas and the head's coverage (N, 1, S, S), which the light rounds.
    """
    skin, hair = n["skin_color"], n["hair_color"]
    across = u.abs()
    waves = n["hair_wave"] * round_wave(u * 3.1) * round_wave(v * 3.1 + 0.3)
    fall = u * (1.25 - 0.5 * v)
    strands = hair * (1 + 0.09 * round_wave(fall * 5) + 0.07 * round_wave(fall * 13 + 0.9 * v))
    top = -0.30
    half = (n["hair_end"] - top) * 0.5
    back = rounded_box(u, v - top - half, n["rx"] + n["hair_wide"], half.clamp_min(0.05), 0.18)
    canvas = over(canvas, fill(back + waves, pixels), strands * 0.78)

    throat = torch.maximum(across - 0.17, (v - 0.5).abs() - 0.30)
    collar = ellipse(u, v - 0.72, 0.26, 0.15)
    neck = fill(torch.minimum(throat, collar), pixels)
    shadow = soft(v - 0.52, 0.16)
    canvas = over(canvas, neck, skin * (0.94 - 0.34 * shadow))

    outline = skull(u, v, n)
    face = fill(outline, pixels)
    edge = soft(-outline - 0.015, 0.09)
    canvas = over(canvas, face, skin * (0.84 + 0.16 * edge))
    cheek = glow(across - 0.27, v - 0.17, 0.2, 0.17)
    rosy = solid((0.86, 0.34, 0.30), u)
    canvas = over(canvas, face * n["blush"] * cheek, rosy)

    jaw = soft(0.30 - 1.7 * u * u - v, 0.05)
    canvas = over(canvas, face * jaw * n["beard"], strands * 0.9)
    stache = (v - 0.235 - 0.5 * u * u).abs() - (0.055 - 1.2 * u * u)
    canvas = over(canvas, fill(stache, pixels) * n["mustache"], strands * 0.85)

    cap = ellipse(u, v + 0.11, n["rx"] + n["hair_thick"], n["ry"] + n["hair_thick"])
    line = n["hair_line"] + n["hair_slant"] * u + n["hair_drop"] * u * u - 0.08
    crown = torch.maximum(cap + waves, v - line + 0.5 * waves)
    canvas = over(canvas, face * 0.30 * soft(v - line - 0.02, 0.10), skin * 0.45)
    sheen = soft((cap + 0.16).abs() - 0.01, 0.07)
    canvas = over(canvas, fill(crown, pixels), strands * (0.92 + 0.34 * sheen))

    arch = v + 0.215 - 0.9 * (across - n["eye_x"]) * (across - n["eye_x"] + 0.03)
    brow = torch.maximum(arch.abs() - n["brow"], (across - n["eye_x"]).abs() - 0.125)
    canvas = over(canvas, face * fill(brow, pixels), hair * 0.72)

    gx, gy = across - n["eye_x"], v + 0.035
    radius = EYE + 0.035  # whatever the size of the eyes
    round_rim = disc(gx, gy, radius)
    square_rim = rounded_box(gx, gy, radius, radius * 0.78, 0.05)
    rim = round_rim + n["glasses_square"] * (square_rim - round_rim)
    wire = torch.maximum((gy + 0.02).abs() - 0.012, across - n["rx"])  # bridge and temples
    frame = torch.minimum(rim.abs() - 0.014, torch.maximum(wire, -rim))
    canvas = over(canvas, fill(frame, pixels) * n["glasses"], DARK)
    return canvas, torch.maximum(face, fill(crown, pixels))
