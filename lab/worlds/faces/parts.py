"""The four parts of a face as sprites: eyes, nose, mouth, ears.

The same sprite serves a part in its place, one in the wrong place and a stray one. Each part is a
function that draws it in its own frame (half width 1, origin at the center, y down) and its box:
see `lab.draw.sprites`.
"""

import torch
from torch import Tensor

from lab.draw import Box, Ink, Inputs, Sprite, greatest, grown
from lab.draw.shapes import disc, ellipse, fill, glow, soft, solid
from lab.worlds.faces.attributes import ATTRIBUTES
from lab.worlds.faces.geometry import EYE
from lab.worlds.faces.palette import DARK, EYE_WHITE, MOUTH_INSIDE, WHITE

HALF_WIDTHS = {"eyes": EYE, "nose": 0.14, "mouth": 0.225, "ears": 0.12}
"""Half widths of the parts at size 1, in picture units."""

SIZES = {"eyes": "eye_size", "nose": "nose_size", "ears": "ear_size"}
"""Part -> the attribute that its half width is multiplied by."""

STRAY_TURN = 20.0
"""How far stray parts are turned against the head, in degrees to either side."""


def eye(u: Tensor, v: Tensor, side: Tensor, pixels: Tensor, n: Inputs) -> Ink:
    """Socket shadow, white, iris, pupil, catch light and upper lid."""
    warm = n["skin_color"] * solid((0.78, 0.46, 0.36), u)  # shadow of the color of blood
    lid = ellipse(u, v, 1.0, 0.66)
    ball = fill(lid, pixels)
    ink = Ink.first(0.4 * glow(u, v + 0.04, 1.28, 0.95), warm)
    shade = (0.98 + 0.35 * (v + 0.15)).clamp(0.8, 1.0)
    ink.lay(ball, solid(EYE_WHITE, u) * shade)
    x, y = u - 0.36 * n["gaze"], v + 0.02
    radius = disc(x, y, 0.0)
    rays = (0.62 + 0.55 * radius * (1 + 0.6 * y)).clamp(0.55, 1.15)
    rim = 1 - 0.55 * soft(0.50 - radius, 0.16)
    ink.lay(ball * fill(radius - 0.54, pixels), n["eye_color"] * (rays * rim))
    ink.lay(ball * fill(radius - 0.23, pixels), DARK)
    ink.lay(ball * 0.95 * fill(disc(x + 0.18, y + 0.20, 0.14), pixels), (1.0, 1.0, 1.0))
    upper = (0.5 - (v + 0.02) * 2.5).clamp(0, 1)
    ink.lay(fill(lid.abs() - 0.10, pixels) * upper, warm * 0.45)
    lower = (0.5 + (v - 0.1) * 2.5).clamp(0, 1)
    ink.lay(0.45 * fill(lid.abs() - 0.05, pixels) * lower, warm)
    return ink


def nose(u: Tensor, v: Tensor, side: Tensor, pixels: Tensor, n: Inputs) -> Ink:
    """A bridge that widens into a ball with wings, nostrils, a lit tip and a shadow below."""
    skin = n["skin_color"]
    taper = 0.22 + 0.16 * (v + 1.5).clamp(0, 2)
    bridge = torch.maximum(u.abs() - taper, torch.maximum(v - 0.5, -1.55 - v))
    ball = ellipse(u, v - 0.50, 0.62, 0.52)
    wings = ellipse(u.abs() - 0.55, v - 0.62, 0.34, 0.36)
    body = torch.minimum(torch.minimum(bridge, ball), wings)
    fade = ((v + 1.6) * 0.9).clamp(0, 1)
    ink = Ink.first(0.85 * glow(u, v - 0.84, 1.08, 0.75), skin * 0.42)
    ink.lay(fill(body, pixels) * fade, skin * 1.05)
    ink.lay(
        0.75 * fill(body.abs() - 0.08, pixels) * fade * (0.7 + 0.45 * u).clamp(0, 1), skin * 0.45
    )
    ink.tint(0.55 * soft(0.75 - v - 0.2 * u.abs(), 0.28) * fill(body, pixels), skin * 0.62)
    ink.lay(0.9 * fill(ellipse(u.abs() - 0.42, v - 0.80, 0.20, 0.13), pixels), skin * 0.25)
    ink.lay(0.7 * glow(u + 0.08, v - 0.30, 0.42, 0.42), (1.0, 0.98, 0.94))
    ink.lay(0.35 * glow(u + 0.05, v + 0.55, 0.2, 0.75) * fade, (1.0, 0.98, 0.94))
    return ink


def mouth(u: Tensor, v: Tensor, side: Tensor, pixels: Tensor, n: Inputs) -> Ink:
    """Lips along a curve, with teeth and a dark inside as far as it is open."""
    square = u * u
    w = v + n["smile"] * 0.34 * (square - 0.45)
    lips, gap = n["lips"], n["mouth_open"]
    # beside a thin ellipse the estimate is far too short: without an end, tails grow from corners
    outer = torch.maximum(ellipse(u, w - 0.06 * gap, 1.0, 0.24 + 0.30 * gap), u.abs() - 1.0)
    bow = fill(outer, pixels)
    ink = Ink.first(0.35 * glow(u, w - 0.36 - 0.30 * gap, 0.7, 0.2), n["skin_color"] * 0.5)
    shade = (0.93 + 0.55 * w).clamp(0.72, 1.18)
    ink.lay(bow, lips * shade)
    inner = torch.maximum(ellipse(u, w - 0.05 * gap, 0.80, 0.045 + 0.27 * gap), u.abs() - 0.80)
    hole = fill(inner, pixels)
    ink.lay(hole, MOUTH_INSIDE)
    teeth = fill(ellipse(u, w + 0.20 * gap, 0.66, 0.02 + 0.22 * gap), pixels)
    ink.lay(hole * teeth * (gap * 6 - 0.2).clamp(0, 1), EYE_WHITE)
    ink.lay(0.8 * glow(u + 0.1, w - 0.18 - 0.30 * gap, 0.5, 0.1) * bow, WHITE)
    return ink


def ear(u: Tensor, v: Tensor, side: Tensor, pixels: Tensor, n: Inputs) -> Ink:
    """An outer rim, a darker bowl and a lobe; mirrored by `side`, open towards the head."""
    skin = n["skin_color"]
    x = u * side
    shape = torch.minimum(
        ellipse(x - 0.06, v + 0.30, 0.92, 1.12), ellipse(x + 0.16, v - 0.85, 0.55, 0.62)
    )
    body = fill(shape, pixels)
    ink = Ink.first(body, skin * 1.06)
    ink.tint(0.75 * fill(shape.abs() - 0.11, pixels) * (0.5 + x).clamp(0, 1), skin * 0.55)
    ink.tint(glow(x - 0.05, v + 0.22, 0.8, 1.0), skin * 0.5)
    ink.tint(0.6 * glow(x + 0.10, v + 0.05, 0.45, 0.6), skin * 0.4)
    return ink


def _box_eye(pixels: Tensor, n: Inputs) -> Box:
    times = grown(1.0, 0.66, 0.5 * (1 / pixels) + 0.10)
    wide, high = greatest(times, 1.28), times * 0.66
    return -wide, wide, -greatest(high, 0.99), greatest(high, 0.91)


def _box_nose(pixels: Tensor, n: Inputs) -> Box:
    edge = 0.5 * (1 / pixels)
    line = edge + 0.08
    ball, wings, nostrils = grown(0.62, 0.52, line), grown(0.34, 0.36, line), grown(0.2, 0.13, edge)
    wide = greatest(1.08, line + 0.54, ball * 0.62, wings * 0.34 + 0.55, nostrils * 0.2 + 0.42)
    bottom = greatest(1.59, line + 0.5, ball * 0.52 + 0.5, wings * 0.36 + 0.62,
                      nostrils * 0.13 + 0.8)  # fmt: skip
    return -wide, wide, -1.6, bottom


def _box_mouth(pixels: Tensor, n: Inputs) -> Box:
    edge, gap = 0.5 * (1 / pixels), n["mouth_open"]
    outer, inner = 0.24 + 0.30 * gap, 0.045 + 0.27 * gap
    lips, hole = outer * grown(1.0, outer, edge), inner * grown(0.80, inner, edge)
    wide = edge + 1.0
    bend = n["smile"] * 0.34
    up, down = (wide * wide - 0.45) * bend, bend * 0.45
    top = greatest(lips - 0.06 * gap, hole - 0.05 * gap) + greatest(up, -down)
    bottom = greatest(lips + 0.06 * gap, hole + 0.05 * gap, 0.56 + 0.30 * gap)
    return -wide, wide, -top, bottom + greatest(-up, down)


def _box_ear(pixels: Tensor, n: Inputs) -> Box:
    edge = 0.5 * (1 / pixels)
    rim, lobe = grown(0.92, 1.12, edge), grown(0.55, 0.62, edge)
    wide = greatest(rim * 0.92 + 0.06, lobe * 0.55 + 0.16)
    return -wide, wide, rim * -1.12 - 0.30, lobe * 0.62 + 0.85


def _largest(part: str) -> float:
    """The greatest half width of a part, in picture units."""
    biggest = ATTRIBUTES[SIZES[part]].high if part in SIZES else 1.0
    return HALF_WIDTHS[part] * biggest * ATTRIBUTES["scale"].high


SPRITES = tuple(
    Sprite(
        name=name,
        draw=draw,
        box=box,
        half_width=_largest(name),
        extent=extent,
        turn=ATTRIBUTES["rotation"].high + STRAY_TURN,
    )
    for name, draw, box, extent in (
        ("ears", ear, _box_ear, (1.1, 1.75)),
        ("nose", nose, _box_nose, (1.1, 1.75)),
        ("mouth", mouth, _box_mouth, (1.12, 1.05)),
        ("eyes", eye, _box_eye, (1.3, 1.0)),
    )
)
"""The parts in the order in which they are laid over a head."""

ORDER = tuple(sprite.name for sprite in SPRITES)
