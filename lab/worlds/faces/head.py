"""The layers of a head without its parts: hair, neck, skull, cheeks, beard, brows, glasses.

Each layer is a function that draws it and, next to it, its box: see `lab.draw.layers`.
"""

import torch
from torch import Tensor

from lab.draw import Box, Inputs, Layer, greatest, grown
from lab.draw.shapes import (
    disc,
    ellipse,
    fill,
    glow,
    over,
    root,
    round_wave,
    rounded_box,
    soft,
    solid,
)
from lab.worlds.faces.geometry import EYE
from lab.worlds.faces.palette import DARK

Pair = tuple[Tensor, Tensor]  # canvas (n, 3, h, w) and the head's coverage (n, 1, h, w)

TOP = -0.30
"""Where the hair behind the head begins."""


def skull(u: Tensor, v: Tensor, n: Inputs) -> Tensor:
    """Distance to the outline of the head: an ellipse whose jaw tapers."""
    return ellipse(u * (1 + 0.30 * v.clamp(0, 0.6) * v.clamp(0, 0.6)), v + 0.08, n["rx"], n["ry"])


def strands(u: Tensor, v: Tensor, n: Inputs) -> Tensor:
    """The color of hair, falling from the top of the head."""
    fall = u * (1.25 - 0.5 * v)
    light = 1 + 0.09 * round_wave(fall * 5) + 0.07 * round_wave(fall * 13 + 0.9 * v)
    return n["hair_color"] * light


def curls(u: Tensor, v: Tensor, n: Inputs) -> Tensor:
    """Displacement of the outline of curly hair."""
    return n["hair_wave"] * round_wave(u * 3.1) * round_wave(v * 3.1 + 0.3)


def hair_behind(
    canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs
) -> Pair:
    """Hair behind the head."""
    half = (n["hair_end"] - TOP) * 0.5
    back = rounded_box(u, v - TOP - half, n["rx"] + n["hair_wide"], half.clamp_min(0.05), 0.18)
    color = strands(u, v, n) * 0.78
    return over(canvas, fill(back + curls(u, v, n), pixels), color), cover


def _box_behind(pixels: Tensor, n: Inputs) -> Box:
    half = (n["hair_end"] - TOP) * 0.5
    more = 0.5 * (1 / pixels) + n["hair_wave"]
    wide, high = n["rx"] + n["hair_wide"] + more, half.clamp_min(0.05) + more
    return -wide, wide, half + TOP - high, half + TOP + high


def neck(canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Pair:
    """A throat and a collar in the shadow of the chin."""
    throat = torch.maximum(u.abs() - 0.17, (v - 0.5).abs() - 0.30)
    collar = ellipse(u, v - 0.72, 0.26, 0.15)
    shadow = soft(v - 0.52, 0.16)
    alpha = fill(torch.minimum(throat, collar), pixels)
    return over(canvas, alpha, n["skin_color"] * (0.94 - 0.34 * shadow)), cover


def _box_neck(pixels: Tensor, n: Inputs) -> Box:
    edge = 0.5 * (1 / pixels)
    times = grown(0.26, 0.15, edge)
    wide = greatest(edge + 0.17, times * 0.26)
    return -wide, wide, -greatest(edge - 0.20, times * 0.15 - 0.72), times * 0.15 + 0.80


def face(canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Pair:
    """The skull in its skin. It sets the coverage of the subject."""
    outline = skull(u, v, n)
    alpha = fill(outline, pixels)
    edge = soft(-outline - 0.015, 0.09)
    return over(canvas, alpha, n["skin_color"] * (0.84 + 0.16 * edge)), alpha


def _box_face(pixels: Tensor, n: Inputs) -> Box:
    times = grown(n["rx"], n["ry"], 0.5 * (1 / pixels))
    wide, high = times * n["rx"], times * n["ry"]
    return -wide, wide, -high - 0.08, high - 0.08


def cheeks(canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Pair:
    """A blush on both cheeks."""
    cheek = glow(u.abs() - 0.27, v - 0.17, 0.2, 0.17)
    return over(canvas, cover * n["blush"] * cheek, solid((0.86, 0.34, 0.30), u)), cover


def _box_cheeks(pixels: Tensor, n: Inputs) -> Box:
    return -0.47, 0.47, 0.0, 0.34


def beard(canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Pair:
    """A beard along the jaw."""
    jaw = soft(0.30 - 1.7 * u * u - v, 0.05)
    return over(canvas, cover * jaw * n["beard"], strands(u, v, n) * 0.9), cover


def _box_beard(pixels: Tensor, n: Inputs) -> Box:
    left, right, _, bottom = _box_face(pixels, n)
    return left, right, 0.25 - right * right * 1.7, bottom


def mustache(
    canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs
) -> Pair:
    """A mustache under the nose."""
    stache = (v - 0.235 - 0.5 * u * u).abs() - (0.055 - 1.2 * u * u)
    return over(canvas, fill(stache, pixels) * n["mustache"], strands(u, v, n) * 0.85), cover


def _box_mustache(pixels: Tensor, n: Inputs) -> Box:
    high = 0.5 * (1 / pixels) + 0.055
    square = high * (1 / 1.2)
    wide = root(square)
    return -wide, wide, 0.235 - high, 0.235 + square * 0.5 + high


def hair(canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Pair:
    """Hair over the skull down to the hairline, with its shadow; adds to the coverage."""
    waves = curls(u, v, n)
    cap = ellipse(u, v + 0.11, n["rx"] + n["hair_thick"], n["ry"] + n["hair_thick"])
    line = n["hair_line"] + n["hair_slant"] * u + n["hair_drop"] * u * u - 0.08
    crown = torch.maximum(cap + waves, v - line + 0.5 * waves)
    canvas = over(canvas, cover * 0.30 * soft(v - line - 0.02, 0.10), n["skin_color"] * 0.45)
    sheen = soft((cap + 0.16).abs() - 0.01, 0.07)
    alpha = fill(crown, pixels)
    canvas = over(canvas, alpha, strands(u, v, n) * (0.92 + 0.34 * sheen))
    return canvas, torch.maximum(cover, alpha)


def _box_hair(pixels: Tensor, n: Inputs) -> Box:
    edge = 0.5 * (1 / pixels)
    rx, ry = n["rx"] + n["hair_thick"], n["ry"] + n["hair_thick"]
    times = grown(rx, ry, edge + n["hair_wave"])
    wide, high = times * rx, times * ry
    lowest = n["hair_line"] - 0.08 + n["hair_slant"].abs() * wide + n["hair_drop"] * wide * wide
    bottom = lowest + greatest(edge + n["hair_wave"], 0.12)
    return -wide, wide, -high - 0.11, torch.minimum(bottom, high - 0.08)


def brows(canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Pair:
    """Eyebrows, on the skin alone."""
    away = u.abs() - n["eye_x"]
    arch = v + 0.215 - 0.9 * away * (away + 0.03)
    brow = torch.maximum(arch.abs() - n["brow"], away.abs() - 0.125)
    alpha = fill(skull(u, v, n), pixels) * fill(brow, pixels)
    return over(canvas, alpha, n["hair_color"] * 0.72), cover


def _box_brows(pixels: Tensor, n: Inputs) -> Box:
    edge = 0.5 * (1 / pixels)
    away = edge + 0.125
    wide, high = n["eye_x"] + away, n["brow"] + edge
    return -wide, wide, -0.22 - high, 0.9 * away * (away + 0.03) - 0.215 + high


def glasses(canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Pair:
    """Round or square glasses, with bridge and temples."""
    gx, gy = u.abs() - n["eye_x"], v + 0.035
    radius = EYE + 0.035  # whatever the size of the eyes
    round_rim = disc(gx, gy, radius)
    square_rim = rounded_box(gx, gy, radius, radius * 0.78, 0.05)
    rim = round_rim + n["glasses_square"] * (square_rim - round_rim)
    wire = torch.maximum((gy + 0.02).abs() - 0.012, u.abs() - n["rx"])  # bridge and temples
    frame = torch.minimum(rim.abs() - 0.014, torch.maximum(wire, -rim))
    return over(canvas, fill(frame, pixels) * n["glasses"], DARK), cover


def _box_glasses(pixels: Tensor, n: Inputs) -> Box:
    reach = 0.5 * (1 / pixels) + (EYE + 0.035 + 0.014)
    wide = torch.maximum(n["eye_x"] + reach, n["rx"] + reach)
    return -wide, wide, -0.035 - reach, reach - 0.035


_STRAIGHT = ({"hair_wave": 0.0},)

HEAD = (
    Layer(name="hair_behind", draw=hair_behind, box=_box_behind, cases=_STRAIGHT),
    Layer(name="neck", draw=neck, box=_box_neck),
    Layer(name="face", draw=face, box=_box_face),
    Layer(name="cheeks", draw=cheeks, box=_box_cheeks, cases=({"blush": 0.0},)),
    Layer(name="beard", draw=beard, box=_box_beard, cases=({"beard": 0.0},)),
    Layer(name="mustache", draw=mustache, box=_box_mustache, cases=({"mustache": 0.0},)),
    Layer(name="hair", draw=hair, box=_box_hair, cases=_STRAIGHT),
    Layer(name="brows", draw=brows, box=_box_brows),
    Layer(
        name="glasses",
        draw=glasses,
        box=_box_glasses,
        cases=({"glasses": 0.0}, {"glasses_square": 0.0}),
    ),
)
"""The layers from back to front."""
