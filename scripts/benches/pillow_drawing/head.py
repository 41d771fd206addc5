"""A head without its parts: hair, neck, face, cheeks, beard, brows, glasses."""

from typing import Any

import numpy as np

from benches.pillow_drawing.parts import DARK
from benches.pillow_drawing.pen import CIRCLES, Pen, Points, box, mix, oval, rounded, tone
from benches.pillow_drawing.scene import HAIR, SKIN
from lab.worlds.faces.geometry import EYE

Numbers = dict[str, Any]

_SKULL = CIRCLES[48]
_CAP = 1j * CIRCLES[48]  # clockwise from below
_ARCH = np.linspace(-0.125, 0.125, 7)
_THROAT, _COLLAR = box(0.0, 0.5, 0.17, 0.30), oval(0.0, 0.72, 0.26, 0.15)
_LIP = np.linspace(-0.214, 0.214, 9)
_STACHE = _LIP + 1j * (0.5 * _LIP**2 + 0.235)
_STACHE = np.concatenate([
    _STACHE - 1j * (0.055 - 1.2 * _LIP**2), (_STACHE + 1j * (0.055 - 1.2 * _LIP**2))[::-1]
])  # fmt: skip
_ROSY = (219, 87, 76)


def _curls(points: Points, n: Numbers) -> Points:
    """Push a closed outline, clockwise on the screen, out and in along waves."""
    along = np.concatenate([points[1:], points[:1]]) - np.concatenate([points[-1:], points[:-1]])
    return points + along * (n["hair_wave"] * _wave(points) / np.abs(along)) * 1j


def _wave(points: Points) -> Any:
    turn = 3.1 * 2 * np.pi
    return np.sin(points.real * turn) * np.sin(points.imag * turn + 0.6 * np.pi)


def _even(outline: Points, corners: int = 64) -> Points:
    """The same closed outline with its corners at equal distances."""
    closed = np.append(outline, outline[0])
    length = np.append(0.0, np.abs(np.diff(closed)).cumsum())
    return np.interp(np.linspace(0, length[-1], corners, endpoint=False), length, closed)


def head(pen: Pen, masks: Pen, cover: Pen, n: Numbers) -> None:
    """Draw a head on `pen`, note what covers what on `masks`, and its outline on `cover`."""
    skin, hair, rx, ry = n["skin_color"], n["hair_color"], n["rx"], n["ry"]
    curly = n["hair_wave"] > 0
    half = (n["hair_end"] + 0.30) * 0.5
    back = rounded(rx + n["hair_wide"], max(half, 0.05), 0.18) + 1j * (half - 0.30)
    if curly:
        back = _curls(_even(back), n)
    _both(pen, masks, back, tone(hair, 0.78), HAIR)
    _both(pen, masks, _THROAT, tone(skin, 0.94), SKIN)
    _both(pen, masks, _COLLAR, tone(skin, 0.94), SKIN)

    v = _SKULL.imag * ry - 0.08
    jaw = v.clip(0, 0.6)
    skull = _SKULL.real * rx / (1 + 0.30 * jaw * jaw) + 1j * v
    flat = pen.at(skull)
    pen.solid(flat, tone(skin, 0.84))
    masks.solid(flat, SKIN)
    cover.solid(flat, 255)
    if n["blush"] > 0.01:
        pen.glow(-0.27, 0.17, 0.20, 0.17, _ROSY, n["blush"])
        pen.glow(0.27, 0.17, 0.20, 0.17, _ROSY, n["blush"])
    if n["beard"]:
        _beard(pen, masks, skull, n)
    if n["mustache"]:
        color = mix(tone(skin, 0.84), tone(hair, 0.85), n["mustache"])
        _both(pen, masks, _STACHE, color, HAIR if n["mustache"] > 0.5 else SKIN)

    thick = n["hair_thick"]
    cap = _CAP.real * (rx + thick) + 1j * (_CAP.imag * (ry + thick) - 0.11)
    if curly:
        cap = _curls(cap, n)
    over = cap[cap.imag < _line(cap.real, n)]
    across = np.linspace(over[-1].real, over[0].real, 13)
    below = across + 1j * _line(across, n)
    if curly:
        below -= 0.5j * n["hair_wave"] * _wave(below)
    flat = pen.at(np.concatenate([over, below]))
    pen.solid(flat, tone(hair, 0.92))
    masks.solid(flat, HAIR)
    cover.solid(flat, 255)

    brow = -0.215 + 0.9 * _ARCH * (_ARCH + 0.03)
    edge = _ARCH + 1j * (brow - n["brow"])
    right = np.concatenate([edge, edge[::-1] + 2j * n["brow"]]) + n["eye_x"]
    for outline in (right, -right.conj()):
        pen.fill(outline, tone(hair, 0.72))
    if n["glasses"]:
        _glasses(pen, n)


def _line(u: Any, n: Numbers) -> Any:
    return n["hair_line"] + n["hair_slant"] * u + n["hair_drop"] * u * u - 0.08


def _both(pen: Pen, masks: Pen, outline: Points, color: Any, what: Any) -> None:
    flat = pen.at(outline)
    pen.solid(flat, color)
    masks.solid(flat, what)


def _beard(pen: Pen, masks: Pen, skull: Points, n: Numbers) -> None:
    """Everything below a parabola, its edge softened by two steps."""
    lower = skull[skull.imag > -0.05]
    height = lower.imag + 1.7 * lower.real**2 - 0.30
    skin, hair = tone(n["skin_color"], 0.84), tone(n["hair_color"], 0.9)
    for shift, share in ((-0.017, 0.4), (0.017, 1.0)):
        outline = lower[height > shift]
        across = np.linspace(outline[-1].real, outline[0].real, 13)
        flat = pen.at(np.concatenate([outline, across + 1j * (0.30 - 1.7 * across**2 + shift)]))
        pen.solid(flat, mix(skin, hair, n["beard"] * share))
    if n["beard"] > 0.5:
        masks.solid(flat, HAIR)


def _glasses(pen: Pen, n: Numbers) -> None:
    radius = EYE + 0.035
    if n["glasses_square"]:
        rims = [rounded(radius + d, 0.78 * radius + d, 0.05 + d) for d in (0.014, -0.014)]
    else:
        rims = [(radius + d) * CIRCLES[24] for d in (0.014, -0.014)]
    outer, inner = (np.append(rim, rim[0]) for rim in rims)
    ring = np.concatenate([outer, inner[::-1]]) + (n["eye_x"] - 0.035j)
    color = mix(n["skin_color"], DARK, n["glasses"])
    pen.fill(ring, color)
    pen.fill(-ring.conj(), color)
    gap, temple = n["eye_x"] - radius, (n["rx"] - n["eye_x"] - radius) / 2
    if gap > 0:
        pen.fill(box(0.0, -0.055, gap, 0.012), color)
    if temple > 0:
        pen.fill(box(temple - n["rx"], -0.055, temple, 0.012), color)
        pen.fill(box(n["rx"] - temple, -0.055, temple, 0.012), color)
