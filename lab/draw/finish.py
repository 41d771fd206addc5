"""The ends of a picture: the grid of pixel centers it starts from; blur, grain and bytes."""

import functools
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from lab.core.seeds import uniforms
from lab.draw.chance import hashed


def grid(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pixel centers in picture units: x (1, 1, 1, S) and y (1, 1, S, 1) in -1..1."""
    centers = (torch.arange(size, device=device, dtype=torch.float32) * 2 + 1) / size - 1
    return centers.view(1, 1, 1, size), centers.view(1, 1, size, 1)


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


def blur_weights(radius: Tensor, size: int, *, most: float) -> Tensor:
    """(N, taps + 1) float32 weights of Gaussians with deviations `radius` (N,) in picture units.

    They are cut off at 2.2 deviations of the largest radius, `most`, so that all have equal length.
    """
    taps = math.ceil(2.2 * most * size / 2)
    sigma = (radius.double() * size / 2).clamp_min(1e-3).numpy()[:, None]
    raw = np.exp(-0.5 * (np.arange(taps + 1) / sigma) ** 2)
    total = raw[:, :1] + 2 * raw[:, 1:].sum(axis=1, keepdims=True)
    return torch.from_numpy((raw / total).astype(np.float32))


@functools.lru_cache(maxsize=4)
def noise_tape(length: int) -> Tensor:
    """A fixed tape of nearly normal numbers (sums of four uniforms), (length + 2^18,) float32.

    A picture's grain is a window of `length` numbers that starts at one of 2^18 places, so that
    pictures share no grain, whatever their number.
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
