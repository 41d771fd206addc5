"""What every picture has, whatever its subject: background, cloth, light, blur, grain."""

import functools
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from lab.core.seeds import uniforms
from lab.worlds.faces.attributes import ATTRIBUTES
from lab.worlds.faces.geometry import hashed
from lab.worlds.faces.layers import Numbers
from lab.worlds.faces.parts import over
from lab.worlds.faces.shapes import ellipse, fill, round_wave, triangle_wave


def grid(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pixel centers in picture units: x (1, 1, 1, S) and y (1, 1, S, 1) in -1..1."""
    centers = (torch.arange(size, device=device, dtype=torch.float32) * 2 + 1) / size - 1
    return centers.view(1, 1, 1, size), centers.view(1, 1, size, 1)


def background(x: Tensor, y: Tensor, pixels: Tensor, n: Numbers) -> Tensor:
    """A wall in two colors: plain, stripes, waves, checks or dots. (N, 3, S, S)"""
    s = x * n["pattern_cos"] + y * n["pattern_sin"] + n["pattern_phase"]
    t = y * n["pattern_cos"] - x * n["pattern_sin"]
    s = s + n["waves"] * round_wave(t * 0.8)
    a, b = triangle_wave(s), triangle_wave(t)
    product = a * b
    spot = 0.30 - (1 - a) * (1 - a) - (1 - b) * (1 - b)
    level = n["stripes"] * a + n["checks"] * product + n["dots"] * spot - n["plain"]
    alpha = (level * (pixels * 0.12) + 0.5).clamp(0, 1)
    return n["background_color"] + alpha * (n["pattern"] - n["background_color"])


def cloth(canvas: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Numbers) -> Tensor:
    """Shoulders under a head, or the cushion under an object, in the color of the clothes."""
    shape = ellipse(u, v - 1.20, 0.86, 0.60)
    folds = 1 + 0.10 * round_wave(u * 1.7 + 0.25) - 0.25 * (v - 0.75).clamp(0, 0.6)
    return over(canvas, fill(shape, pixels), n["clothes_color"] * folds)


def light(
    canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, x: Tensor, y: Tensor, n: Numbers
) -> Tensor:
    """Shade the picture: a ball where the subject is (Lambert's law), a soft slope elsewhere."""
    px, py = u / (n["rx"] * n["ball"]), (v + 0.08) / (n["ry"] * n["ball"])
    toward = (1 - px * px - py * py).clamp_min(0)  # a bowl for a ball, without the root
    lambert = px * n["light_x"] + py * n["light_y"]
    ball = 0.58 * lambert + 0.36 * toward - 0.20
    slope = 0.32 * (x * n["light_x"] + y * n["light_y"]) - 0.03
    return canvas * (1 + n["light"] * (slope + cover * (ball - slope)))


def blur(canvas: Tensor, weights: Tensor) -> Tensor:
    """Gaussian blur by `weights` (N, taps + 1): of a pixel, then of its neighbors to each side."""
    taps = weights.shape[1] - 1
    w = weights.t()[:, :, None, None, None].unbind(0)
    for dim in (2, 3):
        edge = (0, 0, taps, taps) if dim == 2 else (taps, taps, 0, 0)
        padded, length = pad(canvas, edge, mode="replicate"), canvas.shape[dim]
        canvas = canvas * w[0]
        for k in range(1, taps + 1):
            pair = padded.narrow(dim, taps - k, length) + padded.narrow(dim, taps + k, length)
            canvas = canvas + pair * w[k]
    return canvas


def blur_weights(radius: Tensor, size: int) -> Tensor:
    """(N, taps + 1) float32 for deviations `radius` (N,) in picture units; 2.2 deviations reach."""
    taps = math.ceil(2.2 * ATTRIBUTES["blur"].high * size / 2)
    sigma = (radius.double() * size / 2).clamp_min(1e-3).numpy()[:, None]
    raw = np.exp(-0.5 * (np.arange(taps + 1) / sigma) ** 2)
    total = raw[:, :1] + 2 * raw[:, 1:].sum(axis=1, keepdims=True)
    return torch.from_numpy((raw / total).astype(np.float32))


@functools.lru_cache(maxsize=4)
def noise_tape(length: int) -> Tensor:
    """A fixed tape of nearly normal numbers (sum of four uniforms), a picture reads a window of it.

    Windows start at one of 2^18 places, so pictures share no grain, whatever their number.
    """
    count = np.arange(length + _WINDOWS, dtype=np.int64)
    total = sum(uniforms(count, 0, "noise tape", k) for k in range(4)) - 2.0
    return torch.from_numpy((total * np.sqrt(3.0)).astype(np.float32))


_WINDOWS = 2**18


def noise_start(identity: Tensor) -> Tensor:
    """Where on the tape the window of each picture starts, (N,) int64."""
    return (hashed(identity, 7) * _WINDOWS).long()


def grain(canvas: Tensor, deviation: Tensor, start: Tensor) -> Tensor:
    """Add pixel noise of the given `deviation` (N, 1, 1, 1), read from `start` (N,) of the tape."""
    length = canvas[0].numel()
    windows = noise_tape(length).to(canvas.device).as_strided((_WINDOWS, length), (1, 1))
    return canvas + deviation * windows.index_select(0, start).view(canvas.shape)


def to_bytes(canvas: Tensor) -> Tensor:
    """Colors in 0..1 as uint8, rounded to the nearest."""
    return (canvas * 255 + 0.5).clamp(0, 255).to(torch.uint8)
