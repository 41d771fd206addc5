"""Occlusion maps: test pictures with the patches shaded on which their prediction depends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lab.tracking.predicted import PredictedExamples
from lab.tracking.sheets import BAD, FACES, GOOD, INK, Cell, draw_sheet

SHADE = torch.tensor([255.0, 0.0, 80.0])[:, None, None]
"""Red, green and blue of a patch without which the prediction's probability falls to 0."""

OPAQUE = 0.75
"""Share of `SHADE` in such a patch; the rest is the picture, of which the other patches keep the
luma alone."""


def occlusion_sheet(examples: PredictedExamples, drops: Tensor) -> npt.NDArray[np.uint8]:
    """The first of N examples; `drops` (N, G, G), -1 to 1, is how much the probability of the
    predicted class falls when each patch is occluded. (H, W, 3) uint8."""
    shown = examples.first(FACES)
    cells = [
        Cell(
            _shaded(image, drop),
            ((f"{examples.classes[code]}", GOOD if right else BAD),
             (f"P falls by {100 * float(drop.max().clamp(min=0)):.0f} %", INK)),
            GOOD if right else BAD,
        )
        for image, drop, code, right in zip(
            shown.images, drops, shown.predicted.tolist(), shown.right.tolist(), strict=False
        )
    ]  # fmt: skip
    return draw_sheet("Shaded: its answer needs this patch", cells)


def _shaded(image: Tensor, drop: Tensor) -> Tensor:
    """A picture (3, S, S) uint8 without color, with patches colored by `drop` (G, G)."""
    luma = image.float().mean(dim=0, keepdim=True).expand(3, -1, -1)
    size = tuple(image.shape[-2:])
    weight = OPAQUE * interpolate(drop.clamp(0, 1)[None, None].float(), size=size)[0]
    return ((1 - weight) * luma + weight * SHADE).round().to(torch.uint8)
