"""Things that are no face: clock, house, mug, flower, car."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benches.pillow_drawing.parts import DARK, INSIDE, WHITE
from benches.pillow_drawing.pen import Pen, Points, box, mix, oval, rounded, tone
from benches.pillow_drawing.scene import NOTHING, SKIN

Numbers = dict[str, Any]

LEAF = (79, 143, 74)


def _bar(x0: float, y0: float, x1: float, y1: float, half: float) -> Points:
    """A thick line with round ends."""
    a, b = complex(x0, y0), complex(x1, y1)
    along = (b - a) / abs(b - a) * half
    cap = np.exp(1j * np.linspace(math.pi / 2, 3 * math.pi / 2, 6))
    return np.concatenate([a + along * cap, b - along * cap])


_FEET = [_bar(s * 0.3, 0.39, s * 0.42, 0.60, 0.05) for s in (-1, 1)]
_MARKS = [
    np.exp(1j * math.radians(30 * k)) * box(0.39, 0.0, 0.045, 0.018 if k % 3 else 0.025) - 0.06j
    for k in range(12)
]


def clock(pen: Pen, masks: Pen, cover: Pen, n: Numbers) -> None:
    """An alarm clock: rim, dial, twelve marks, two hands, two bells."""
    rim = n["hair_color"]
    for s in (-0.36, 0.36):
        pen.disc(s, -0.56, 0.17, tone(rim, 0.8))
    for foot in _FEET:
        pen.fill(foot, tone(rim, 0.8))
    pen.disc(0.0, -0.06, 0.56, rim)
    cover.disc(0.0, -0.06, 0.56, 255)
    pen.disc(0.0, -0.06, 0.47, n["skin_color"])
    masks.disc(0.0, -0.06, 0.47, SKIN)
    for mark in _MARKS:
        pen.fill(mark, DARK)
    turn = (n["chance"] * 2 - 1) * 0.9
    way = 1 / complex(1 - 0.5 * turn * turn, -turn)
    pen.fill(_bar(0.0, 0.04, 0.0, -0.22, 0.035) * way - 0.06j, DARK)
    minute = _bar(0.0, 0.04, 0.05, -0.32, 0.022)
    pen.fill((minute.imag + 1j * minute.real) * way - 0.06j, DARK)
    pen.disc(0.0, -0.06, 0.05, n["lip_color"])


_ROOF = np.array([-0.5723 - 0.12j, -0.74j, 0.5723 - 0.12j])
_WALLS, _CHIMNEY = box(0.0, 0.22, 0.46, 0.38), box(0.30, -0.48, 0.07, 0.2)
_DOOR, _BEAM = rounded(0.10, 0.17, 0.03) + 0.44j, box(0.0, -0.12, 0.46, 0.025)


def house(pen: Pen, masks: Pen, cover: Pen, n: Numbers) -> None:
    """A house: walls, roof, chimney, two lit windows, a door."""
    pen.fill(_CHIMNEY, tone(n["hair_color"], 0.7))
    for outline, color, what in (
        (_WALLS, n["skin_color"], SKIN),
        (_ROOF, n["hair_color"], NOTHING),
    ):
        flat = pen.at(outline)
        pen.solid(flat, color)
        masks.solid(flat, what)
        cover.solid(flat, 255)
    for x in (-0.25, 0.25):
        flat = pen.at(box(x, 0.08, 0.12, 0.12))
        pen.solid(flat, WHITE)
        masks.solid(flat, NOTHING)
        for dx in (-0.0535, 0.0535):
            for dy in (-0.0535, 0.0535):
                pen.fill(box(x + dx, 0.08 + dy, 0.0415, 0.0415), tone(n["eye_color"], 0.8))
    flat = pen.at(_DOOR)
    pen.solid(flat, n["lip_color"])
    masks.solid(flat, NOTHING)
    pen.disc(0.06, 0.45, 0.02, WHITE)
    pen.veil(_BEAM, DARK, 0.6)


_BODY = rounded(0.44, 0.46, 0.12) + 0.08j
_RINGS = [
    np.append(r, r[0]) for r in (oval(0.46, 0.08, 0.245, 0.295), oval(0.46, 0.08, 0.135, 0.185))
]
_HANDLE = np.concatenate([_RINGS[0], _RINGS[1][::-1]])
_FOAM = oval(0.0, -0.44, 0.42, 0.14)


def mug(pen: Pen, masks: Pen, cover: Pen, n: Numbers) -> None:
    """A mug with a crown of foam: body, handle, two bands."""
    hair = n["hair_color"]
    flat = pen.at(_HANDLE)
    pen.solid(flat, tone(n["skin_color"], 0.75))
    masks.solid(flat, SKIN)
    flat = pen.at(_BODY)
    pen.solid(flat, n["skin_color"])
    masks.solid(flat, SKIN)
    cover.solid(flat, 255)
    for y in (0.02, 0.30):
        flat = pen.at(box(0.0, y, 0.44, 0.035))
        pen.solid(flat, hair)
        masks.solid(flat, NOTHING)
    for x in (-0.2, 0.0, 0.2):
        pen.disc(x, 0.16, 0.055, n["lip_color"])
    pen.fill(oval(0.0, -0.36, 0.44, 0.13), INSIDE)
    foam, shade = pen.at(_FOAM), tone(hair, 0.97)
    pen.solid(foam, shade)
    cover.solid(foam, 255)
    for x, y, radius in ((-0.17, -0.55, 0.17), (0.18, -0.56, 0.16), (0.0, -0.68, 0.17)):
        pen.disc(x, y, radius, tone(hair, 1.06))
        cover.disc(x, y, radius, 255)
    pen.disc(0.0, -0.73, 0.11, tone(hair, 1.15))


_STEM = _bar(0.0, 0.0, 0.04, 0.75, 0.045)
_LEAF = oval(0.24, 0.58, 0.22, 0.08)
_LEAF = _LEAF + 1j * (0.4 * _LEAF.real - 0.1)
_PETALS = [
    np.exp(1j * math.radians(30 * k)) * oval(0.44, 0.0, 0.18, 0.12, 16) - 0.10j for k in range(12)
]


def flower(pen: Pen, masks: Pen, cover: Pen, n: Numbers) -> None:
    """A sunflower: twelve petals around a big heart with seeds, a stem, two leaves."""
    for outline in (_STEM, _LEAF, -_LEAF.conj()):
        pen.fill(outline, LEAF)
    for petal in _PETALS:
        flat = pen.at(petal)
        pen.solid(flat, n["hair_color"])
        cover.solid(flat, 255)
    pen.disc(0.0, -0.10, 0.40, n["hair_color"])
    cover.disc(0.0, -0.10, 0.40, 255)
    pen.disc(0.0, -0.10, 0.37, mix(n["hair_color"], DARK, 0.2))
    pen.disc(0.0, -0.10, 0.35, n["skin_color"])
    masks.disc(0.0, -0.10, 0.35, SKIN)
    seeds = ((-0.16, -0.10), (0.16, -0.10), (-0.16, 0.10), (0.16, 0.10), (0, -0.21), (0, 0.21))
    for x, y in seeds:
        pen.disc(x, y - 0.10, 0.05, n["lip_color"])
    pen.disc(0.0, -0.10, 0.055, n["eye_color"])


def _stretched(points: Points) -> Points:
    """The car is drawn 1 / 0.85 times as high as its formulas say."""
    return points.real + 1j * ((points.imag - 0.12) / 0.85 + 0.12)


_CABIN, _CAR = rounded(0.40, 0.28, 0.14) - (0.03 + 0.24j), rounded(0.60, 0.24, 0.12) + 0.12j
_PANES = [rounded(0.13, 0.13, 0.04) + (x - 0.03 - 0.20j) for x in (-0.17, 0.17)]
_GLASS = [rounded(0.11, 0.11, 0.02) + (x - 0.03 - 0.20j) for x in (-0.17, 0.17)]
_DOORS = [rounded(0.17 + d, 0.18 + d, 0.04 + d) + (-0.03 + 0.10j) for d in (0.012, -0.012)]
_SEAM = np.concatenate(
    [np.append(_DOORS[0], _DOORS[0][0]), np.append(_DOORS[1], _DOORS[1][0])[::-1]]
)


_WHEELS = [(oval(x, 0.36, 0.155, 0.155), DARK) for x in (-0.34, 0.34)]


def car(pen: Pen, masks: Pen, cover: Pen, n: Numbers) -> None:
    """A car from the side: body, cabin, windows, wheels, lamps, stripe."""
    for outline, color in ((_CABIN, n["hair_color"]), (_CAR, n["skin_color"])):
        flat = pen.at(_stretched(outline))
        pen.solid(flat, color)
        cover.solid(flat, 255)
        if outline is _CAR:
            masks.solid(flat, SKIN)
        else:
            for pane, glass, alpha in zip(_PANES, _GLASS, (0.85, 0.62), strict=True):
                pen.fill(_stretched(pane), WHITE)
                pen.veil(_stretched(glass), n["eye_color"], alpha)
    pen.veil(_stretched(_SEAM), DARK, 0.6)
    for outline, color in ((box(0.0, 0.24, 0.598, 0.03), n["lip_color"]), *_WHEELS):
        flat = pen.at(_stretched(outline))
        pen.solid(flat, color)
        masks.solid(flat, NOTHING)
    for x in (-0.34, 0.34):
        pen.fill(_stretched(oval(x, 0.36, 0.07, 0.07, 16)), tone(n["hair_color"], 0.5, 0.4))
    pen.fill(_stretched(oval(0.55, 0.10, 0.05, 0.05, 12)), WHITE)


DRAW: dict[str, Callable[[Pen, Pen, Pen, Numbers], None]] = {
    "clock": clock,
    "house": house,
    "mug": mug,
    "flower": flower,
    "car": car,
}
"""Subject -> its drawing."""
