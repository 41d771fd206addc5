"""A pen that draws in a frame of its own: points are complex numbers, and move by `z * w + t`."""

import functools
import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Points = npt.NDArray[np.complex128]
Color = tuple[int, int, int]

CIRCLES = {k: np.exp(2j * np.pi * np.arange(k) / k) for k in (12, 16, 24, 48)}
"""Corners of round polygons; the fewer, the faster."""


def oval(x: float, y: float, rx: float, ry: float, corners: int = 24) -> Points:
    """The outline of an ellipse."""
    circle = CIRCLES[corners]
    return circle.real * rx + x + 1j * (circle.imag * ry + y)


@functools.lru_cache(maxsize=16)
def _corner_angles(corners: int) -> Points:
    return np.exp(0.5j * np.pi * np.linspace(0, 1, corners))


def rounded(hx: float, hy: float, radius: float, corners: int = 4) -> Points:
    """The outline of a box with rounded corners; flatter than its radius, it becomes a lens."""
    turn = _corner_angles(corners) * radius
    x = np.maximum(turn.real + (hx - radius), 0)
    y = turn.imag + (hy - radius)
    x, y = x[y >= 0], y[y >= 0]
    if hy < radius:
        x = np.append(hx - radius + math.sqrt(radius**2 - (radius - hy) ** 2), x)
        y = np.append(0.0, y)
    quarter = x + 1j * y
    half = np.concatenate([quarter, -quarter[::-1].conj()])
    return np.concatenate([half, half[::-1].conj()])


def box(x: float, y: float, hx: float, hy: float) -> Points:
    """The corners of a box."""
    return np.array([-hx - 1j * hy, hx - 1j * hy, hx + 1j * hy, -hx + 1j * hy]) + (x + 1j * y)


@functools.lru_cache(maxsize=4096)
def tone(color: Color, factor: float, lift: float = 0.0) -> Color:
    """A lighter or darker color; `lift` in 0..1 is added to each channel."""
    r, g, b = (min(255, round(c * factor + 255 * lift)) for c in color)
    return r, g, b


@functools.lru_cache(maxsize=4096)
def mix(below: Color, above: Color, share: float) -> Color:
    """Two colors, `share` of the second: what a translucent layer on an even ground looks like."""
    r, g, b = (round(x + (y - x) * share) for x, y in zip(below, above, strict=True))
    return r, g, b


@functools.lru_cache(maxsize=16384)
def _brush(rx: float, ry: float, alpha: int, scale: int, turn: int) -> tuple[Image.Image, int, int]:
    """A soft ellipse as a mask, with half its width and height; sizes times `scale` in pixels."""
    c, s = math.cos(turn * _TURN), math.sin(turn * _TURN)
    half_x = math.ceil(scale * math.hypot(rx * c, ry * s))
    half_y = math.ceil(scale * math.hypot(rx * s, ry * c))
    x = np.arange(-half_x, half_x + 1)[None, :] / scale
    y = np.arange(-half_y, half_y + 1)[:, None] / scale
    t = (1 - ((x * c + y * s) / rx) ** 2 - ((y * c - x * s) / ry) ** 2).clip(0, 1)
    mask = t * t * (3 - 2 * t) * alpha
    return Image.fromarray((mask + 0.5).astype(np.uint8)), half_x, half_y


_TURN = math.radians(10)


class Pen:
    """Draws on a picture in the frame that `w` and `t` (pixels = z * w + t) set."""

    def __init__(self, picture: Image.Image) -> None:
        self.picture = picture
        draw = ImageDraw.Draw(picture)
        self.solid, self.round = draw.polygon, draw.ellipse
        if picture.mode == "RGB":
            self.glaze = ImageDraw.Draw(picture, "RGBA").polygon
        self.w, self.t = 1 + 0j, 0j

    def place(self, w: complex, t: complex) -> None:
        """Choose the frame."""
        self.w, self.t = w, t
        self._scale = round(abs(w))
        self._turn = round(math.atan2(w.imag, w.real) / _TURN)

    def at(self, points: Points) -> list[float]:
        """Points as Pillow wants them: x, y, x, y in pixels."""
        moved: list[float] = (points * self.w + self.t).view(np.float64).tolist()
        return moved

    def fill(self, points: Points, color: Color) -> None:
        """A polygon."""
        self.solid(self.at(points), color)

    def veil(self, points: Points, color: Color, alpha: float) -> None:
        """A translucent polygon."""
        self.glaze(self.at(points), (*color, round(alpha * 255)))

    def disc(self, x: float, y: float, radius: float, color: Color | int) -> None:
        """A full circle."""
        center, r = complex(x, y) * self.w + self.t, radius * self._scale
        self.round((center.real - r, center.imag - r, center.real + r, center.imag + r), color)

    def glow(self, x: float, y: float, rx: float, ry: float, color: Color, alpha: float) -> None:
        """A soft ellipse, `alpha` at its center and 0 at its outline."""
        mask, dx, dy = _brush(rx, ry, round(alpha * 51) * 5, self._scale, self._turn)
        center = complex(x, y) * self.w + self.t
        self.picture.paste(color, (round(center.real) - dx, round(center.imag) - dy), mask)
