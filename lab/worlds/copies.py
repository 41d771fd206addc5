"""Near copies among pictures from disk: the same photograph saved twice, which a test set must not
share with the training set, and which two classes must not share.

A near copy of a picture differs from it by at most `CLOSE` (root mean square over all pixels and
channels, of 255) and by at most `FAINT` of its contrast: what saving as JPEG, another file format,
or scaling there and back do. Pictures that were cut, turned or mirrored are not found.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from lab.worlds.examples import Examples
from lab.worlds.folder import FolderWorld

CLOSE = 8.0
"""Root mean square of the difference, of 255. Saving drawn faces as JPEG of quality 95 makes 5 to
10, the most similar of 400 are 30 apart."""

FAINT = 0.15
"""The same as a share of the picture's standard deviation: dark or even pictures are all alike."""

MOST = 20_000
"""Pictures of a set that are compared, at most: 20,000 with as many in about 10 seconds."""

TOLD = 3
"""Pairs that a warning names."""

_COARSE = 8
"""Pixels to a side of what is compared first."""

_ROUNDING = 0.2
"""By how much `torch.cdist` may be wrong here."""

_BLOCK = 2**23
"""Numbers of pictures that are held as floats at a time: those of 2,730 of 32 px."""


def near_copies(images: Tensor, others: Tensor) -> Tensor:
    """Pairs (K, 2) int64 on the CPU, sorted: position among `images` (N, 3, S, S) uint8 and among
    `others` (M, 3, S, S) uint8 of a picture and its near copy.

    A set compared with itself has each pair twice and each picture as a copy of itself.
    """
    pairs = [torch.empty(0, 2, dtype=torch.int64)]
    coarse = _coarse(others)
    # Averages over patches differ by no more than the pixels do; where patches overlap, by less
    # than twice as much.
    bound = (CLOSE if images.shape[-1] % _COARSE == 0 else 2 * CLOSE) + _ROUNDING
    start = 0
    for part in _blocks(images):
        block = part.cpu()
        distance = torch.cdist(_coarse(block), coarse) / coarse.shape[1] ** 0.5
        close = (distance <= bound).nonzero()  # (K, 2)
        for few in _blocks(close, like=images) if len(close) else ():
            one, two = block[few[:, 0]].float(), others[few[:, 1].to(others.device)].cpu().float()
            apart = (one - two).square().mean(dim=(1, 2, 3)).sqrt()
            contrast = one.std(dim=(1, 2, 3), correction=0)
            near = apart <= torch.clamp(FAINT * contrast, max=CLOSE)
            pairs.append(few[near] + few.new_tensor([start, 0]))
        start += len(part)
    return torch.cat(pairs)


def copies_told(world: FolderWorld, train: Examples, test: Examples) -> list[str]:
    """A sentence on near copies of test pictures in the training set, and one on near copies in it
    whose labels contradict each other; exact copies count as near."""
    images = train.images[:MOST]
    said = []
    shared = near_copies(images, test.images[:MOST])
    if number := len({i for i, _ in shared.tolist()}):
        told = _pairs((world.name("train", i), world.name("test", j)) for i, j in shared.tolist())
        said.append(
            f"{number:,} of {len(train):,} training pictures are nearly test pictures, so that test"
            f" accuracy is too good: {told}."
        )
    among = near_copies(images, images)
    labels = train.clean_labels.cpu()
    other = labels[among[:, 0]] != labels[among[:, 1]]
    among = among[other & (among[:, 0] < among[:, 1])]
    if number := len(among):
        told = _pairs((world.name("train", i), world.name("train", j)) for i, j in among.tolist())
        what = "pair" if number == 1 else "pairs"
        said.append(
            f"{number:,} {what} of training pictures are nearly the same, but of different classes:"
            f" {told}."
        )
    return said


def _pairs(pairs: Iterator[tuple[str, str]]) -> str:
    named = [f"{one} and {two}" for one, two in pairs]
    more = len(named) - TOLD
    return "; ".join(named[:TOLD]) + (f"; and {more:,} more" if more > 0 else "")


def _coarse(images: Tensor) -> Tensor:
    """Averages (N, 3 * 8 * 8) float32 over 8 x 8 patches, on the CPU."""
    parts = [adaptive_avg_pool2d(part.cpu().float(), _COARSE) for part in _blocks(images)]
    return torch.cat(parts).flatten(1) if parts else torch.empty(0, 3 * _COARSE**2)


def _blocks(rows: Tensor, *, like: Tensor | None = None) -> tuple[Tensor, ...]:
    """Rows, one for each picture of the size of those in `like` (None: they are these pictures), in
    blocks that bound the memory."""
    pixels = (rows if like is None else like)[0].numel() if len(rows) else 1
    return torch.split(rows, max(1, _BLOCK // pixels)) if len(rows) else ()
