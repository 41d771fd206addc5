"""Planted reasons to memorize a training example: copies, and pictures that are hard to see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lab.core.seeds import torch_seed, uniforms

Indices = npt.NDArray[np.int64]

COPIED, HARD = "copied", "hard to see"
"""What planted examples are called: those of which there are several, copies and what they are
copies of; and those that are obscured."""

OBSCURED = ("train", "validation", "test")
"""Splits with pictures that are hard to see."""

BLUR, COVERED, NOISE = 1 / 16, 0.3, 15.0
"""Of a picture that is hard to see: sides of the blur's box and of the covered square, of the
picture's; standard deviation of the noise, of 255."""

COVER = 128
"""The gray of the covered square."""


def originals(indices: Indices, *, share: float, seed: int) -> Indices:
    """The training example that each of `indices` (N,) is a copy of; itself, if it is none. A copy
    is one of an earlier example that is no copy, each as likely (as far as copies of copies, which
    are those of the first one, allow)."""
    found = indices.copy()
    while True:
        copied = is_copy(found, share=share, seed=seed)
        if not copied.any():
            return found
        place = uniforms(found[copied], seed, "train", "copy", "of")
        found[copied] = (place * found[copied]).astype(np.int64)


def is_copy(indices: Indices, *, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which training examples are copies (N,) bool; the first is none."""
    copied: npt.NDArray[np.bool_] = uniforms(indices, seed, "train", "copy") < share
    return copied & (indices > 0)


def is_obscured(indices: Indices, *, share: float, seed: int, split: str) -> npt.NDArray[np.bool_]:
    """Which examples of a split are hard to see (N,) bool."""
    if split not in OBSCURED:
        return np.zeros(len(indices), dtype=np.bool_)
    chosen: npt.NDArray[np.bool_] = uniforms(indices, seed, split, "obscured") < share
    return chosen


def obscure(images: Tensor, indices: Indices, *, seed: int, split: str) -> Tensor:
    """Pictures (N, 3, S, S) uint8 made hard to see: blurred by a box, covered by a gray square at a
    random place, and with Gaussian noise; each a function of its address (`seed`, `split`, index).
    """
    size = images.shape[-1]
    box = max(1, round(BLUR * size / 2)) * 2 + 1
    side = round(COVERED * size)
    blurred = avg_pool2d(images.cpu().float(), box, 1, box // 2, count_include_pad=False)
    for picture, index in zip(blurred, indices.tolist(), strict=True):
        random = torch.Generator().manual_seed(torch_seed(seed, split, "obscured", index))
        y, x = torch.randint(size - side + 1, (2,), generator=random).tolist()
        picture[:, y : y + side, x : x + side] = COVER
        picture += NOISE * torch.randn(picture.shape, generator=random)
    return blurred.round().clamp(0, 255).to(torch.uint8).to(images.device)
