"""Simple statistics of a picture's colors and edges, without any shapes."""

import torch
import torch.nn.functional as nn
from torch import Tensor

BINS = 16
"""Bins of the brightness histogram."""
SCALES = (1, 2, 4)
"""Pixels that are averaged before the edges are measured."""
THUMBNAIL = 4
"""Width and height of the color thumbnail."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601

_COLORS = ("red", "green", "blue")

MEAN_COLOR = tuple(f"mean {color}" for color in _COLORS)
"""Names of the first three statistics."""

NAMES = (
    *MEAN_COLOR,
    *(f"deviation {color}" for color in _COLORS),
    *(f"darkest {color}" for color in _COLORS),
    *(f"brightest {color}" for color in _COLORS),
    *(f"brightness {k / BINS:.2f}-{(k + 1) / BINS:.2f}" for k in range(BINS)),
    *(f"{way} edges, {s} px" for s in SCALES for way in ("vertical", "horizontal")),
    *(
        f"thumbnail {color}, row {row + 1}, column {column + 1}"
        for color in _COLORS
        for row in range(THUMBNAIL)
        for column in range(THUMBNAIL)
    ),
)
"""The name of every statistic, in the order of the columns."""


def cheap_statistics(images: Tensor, *, batch: int | None = None) -> Tensor:
    """The statistics `NAMES` of pictures (N, 3, S, S) uint8 as float32 (N, 82), colors 0 to 1.

    `batch` bounds the memory: pictures taken at a time; None: as many as have a million pixels.
    """
    batch = batch or max(1, 2**20 // images[0, 0].numel())
    starts = range(0, len(images), batch)
    return torch.cat([_statistics(images[i : i + batch].float() / 255) for i in starts])


def _statistics(x: Tensor) -> Tensor:
    brightness = torch.einsum("nchw,c->nhw", x, torch.tensor(_LUMA, device=x.device))
    columns = [
        x.mean((2, 3)),
        x.std((2, 3)),
        x.amin((2, 3)),
        x.amax((2, 3)),
        _histogram(brightness),
    ]
    for scale in SCALES:
        coarse = nn.avg_pool2d(brightness[:, None], scale)[:, 0]
        columns += [
            (coarse[:, :, 1:] - coarse[:, :, :-1]).square().mean((1, 2))[:, None],
            (coarse[:, 1:, :] - coarse[:, :-1, :]).square().mean((1, 2))[:, None],
        ]
    columns.append(nn.adaptive_avg_pool2d(x, THUMBNAIL).flatten(1))
    return torch.cat(columns, dim=1)


def _histogram(brightness: Tensor) -> Tensor:
    """Share of each picture's pixels (N, BINS) in bins of equal width."""
    bins = (brightness * BINS).long().clamp(0, BINS - 1).flatten(1)
    ones = torch.ones_like(bins, dtype=torch.float32)
    counts = torch.zeros(len(bins), BINS, device=bins.device).scatter_add_(1, bins, ones)
    return counts / bins.shape[1]
