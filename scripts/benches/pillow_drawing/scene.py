"""What every picture has: wall and cloth; shading, blur and grain once it has its size."""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from benches.pillow_drawing.pen import Pen, oval
from lab.worlds.faces.objects import DROP, STRETCH

Numbers = dict[str, Any]
Pixels = npt.NDArray[np.float32]

_CLOTH = oval(0.0, 1.20, 0.86, 0.60, 48)
_BYTE = np.float32(1 / 255)
_WAVE = np.linspace(-1.6, 1.6, 49)


def wall(side: int, n: Numbers) -> Image.Image:
    """A new picture with the background: plain, stripes, waves, checks or dots."""
    back, front = n["background_color"], n["pattern"]
    picture = Image.new("RGB", (side, side), back)
    if n["plain"]:
        return picture
    half = side / 2
    turn = complex(n["pattern_cos"], n["pattern_sin"])  # a period is 1 / |turn| of a picture half
    w = half * turn / abs(turn) ** 2
    t = complex(half - 0.5, half - 0.5) - n["pattern_phase"] * w
    reach = 1.45 * abs(turn)
    first, last = int(n["pattern_phase"] - reach) - 1, int(n["pattern_phase"] + reach) + 2
    if n["dots"]:
        draw = ImageDraw.Draw(picture)
        radius = 0.1375 * abs(w)
        for i in range(first, last):
            for j in range(int(-reach) - 1, int(reach) + 2):
                z = complex(i, j) * w + t
                if -radius < z.real < side + radius and -radius < z.imag < side + radius:
                    spot = (z.real - radius, z.imag - radius, z.real + radius, z.imag + radius)
                    draw.ellipse(spot, front)
    elif n["checks"]:
        mask = ImageChops.difference(
            _bands(side, range(first, last), w, t, reach),
            _bands(
                side,
                range(int(-reach) - 1, int(reach) + 2),
                w * 1j,
                t + w * n["pattern_phase"],
                reach,
            ),
        )
        picture.paste(front, (0, 0), ImageChops.invert(mask))
    else:
        draw = ImageDraw.Draw(picture)
        if n["waves"]:
            along = _WAVE * abs(turn)
            edge = 1j * along - n["waves"] * np.sin(along * (0.8 * 2 * np.pi))
            strip = np.concatenate([edge - 0.25, edge[::-1] + 0.25]) * w + t
        else:
            ends = 1j * reach * np.array([-1, 1])
            strip = np.concatenate([ends - 0.25, ends[::-1] + 0.25]) * w + t
        for i in range(first, last):
            draw.polygon((strip + i * w).view(np.float64).tolist(), front)
    return picture


def _bands(side: int, numbers: range, w: complex, t: complex, reach: float) -> Image.Image:
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    far = 2 * reach * 1j
    strip = np.array([-far - 0.25, far - 0.25, far + 0.25, -far + 0.25]) * w + t
    for i in numbers:
        draw.polygon((strip + i * w).view(np.float64).tolist(), 255)
    return mask


def cloth(pen: Pen, masks: Pen, n: Numbers) -> None:
    """Shoulders or cushion; the folds come with the shading."""
    flat = pen.at(_CLOTH)
    pen.solid(flat, n["clothes_color"])
    masks.solid(flat, CLOTH)


HAIR, SKIN, CLOTH, NOTHING = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)
"""What covers a pixel, as colors of the masks' picture: each has a shading of its own."""


@functools.lru_cache(maxsize=8)
def _grid(size: int) -> tuple[Pixels, Pixels]:
    centers = (np.arange(size, dtype=np.float32) * 2 + 1) / size - 1
    return centers[None, :], centers[:, None]


@functools.lru_cache(maxsize=8)
def _tape(size: int) -> Pixels:
    generator = np.random.default_rng(0)
    return generator.standard_normal(size * size * 3 + 2**18, dtype=np.float32) * np.float32(255)


def _wave(t: Pixels) -> Pixels:
    wave: Pixels = np.sin(t * np.float32(2 * np.pi))
    return wave


def _soft(distance: Pixels, reach: float) -> Pixels:
    t = (0.5 - distance * (0.5 / reach)).clip(0, 1)
    return t * t * (3 - 2 * t)


def finish(
    picture: Image.Image, masks: Image.Image, cover: Image.Image, size: int, n: Numbers
) -> npt.NDArray[np.uint8]:
    """The picture at its size, shaded, blurred and grained: (S, S, 3)."""
    x, y = _grid(size)
    dx, dy = x - np.float32(n["x"]), y - np.float32(n["y"])
    cos, sin = np.float32(n["cos"]), np.float32(n["sin"])
    u, v = dx * cos + dy * sin, dy * cos - dx * sin
    mask, over = np.asarray(masks.reduce(4)), np.asarray(cover.reduce(4))  # uint8
    px, py = u * (1 / n["rx"]), (v + 0.08) * (1 / n["ry"])
    square = px * px + py * py

    folds = 0.10 * _wave(u * 1.7 + 0.25) - 0.25 * (v - 0.75).clip(0, 0.6)
    shade = 1 + mask[:, :, 2] * (folds * _BYTE)
    if n["is_head"]:
        jaw = v.clip(0, 0.6)
        taper = px * (1 + 0.30 * jaw * jaw)  # below, a distance to the head's outline
        inward = (np.sqrt(taper * taper + py * py) - 1) * ((n["rx"] + n["ry"]) / 2)
        line = (n["hair_drop"] * u + n["hair_slant"]) * u + (n["hair_line"] - 0.08)
        fall = u * (1.25 - 0.5 * v)
        strands = 0.09 * _wave(fall * 5) + 0.07 * _wave(fall * 13 + 0.9 * v)
        strands += (
            0.34 * _soft(np.abs(inward + (0.16 - n["hair_thick"])) - 0.01, 0.07) * (v < 0.1)
        )  # sheen
        shade += mask[:, :, 0] * (strands * _BYTE)
        face = 0.16 * (_soft(-inward - 0.015, 0.09) - _soft(v - line - 0.02, 0.10))
        neck = -0.34 * _soft(v - 0.52, 0.16)
        shade += mask[:, :, 1] * (np.where((inward > 0) & (v > 0.42), neck, face) * _BYTE)
    else:
        foot = ((v - DROP) * STRETCH - 0.2).clip(0, 0.5)
        shade += mask[:, :, 1] * ((0.4 * foot - 0.15) * _BYTE)

    square *= np.float32(n["ball"] ** -2)
    toward = np.maximum(1 - square, 0)
    lambert = px * (n["light_x"] / n["ball"]) + py * (n["light_y"] / n["ball"])
    ball = 0.58 * lambert + 0.36 * toward - 0.20
    slope = 0.32 * (x * n["light_x"] + y * n["light_y"]) - 0.03
    shade *= 1 + n["light"] * (slope + over * ((ball - slope) * _BYTE))

    pixels = np.asarray(picture.reduce(4)) * shade[:, :, None]
    radius = n["blur"] * size / 2
    if radius > 0.15:  # less is not to be seen
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(radius)))
    start = n["grain"]
    grain = _tape(size)[start : start + pixels.size].reshape(pixels.shape)
    done: npt.NDArray[np.uint8] = (pixels + grain * n["noise"] + 0.5).clip(0, 255).astype(np.uint8)
    return done
