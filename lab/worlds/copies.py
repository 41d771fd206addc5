"""Near copies among pictures from disk: the same photograph saved twice, which a test set must not
share with the training set, and which two classes must not share.

A near copy of a picture differs from it by at most `CLOSE` (root mean square over all pixels and
channels, of 255) and by at most `FAINT` of its contrast: what saving as JPEG, another file format,
or scaling there and back do. Pictures that were cut, turned or mirrored are not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from lab.worlds.examples import Examples
from lab.worlds.stored import StoredWorld

CLOSE = 8.0
"""Root mean square of the difference, of 255. Saving drawn faces as JPEG of quality 95 makes 5 to
10, the most similar of 400 are 30 apart."""

FAINT = 0.15
"""The same as a share of the picture's standard deviation: dark or even pictures are all alike."""

MOST = 20_000
"""Pictures of a set that are compared, at most: 20,000 with as many in about 10 seconds."""

COMPARED = (("train", "test"), ("train", "train"), ("test", "test"))
"""Sets that are compared with each other."""

TOLD = 3
"""Pairs that a warning names."""

_COARSE = 8
"""Pixels to a side of what is compared first."""

_ROUNDING = 0.2
"""By how much `torch.cdist` may be wrong here."""

_BLOCK = 2**21
"""Numbers of pictures, and distances, that are held as floats at a time: those of 682 pictures of
32 px, and of 104 to 20,000 others."""


def near_copies(images: Tensor, others: Tensor | None = None) -> Tensor:
    """Pairs (K, 2) int64 on the CPU, sorted: position among `images` (N, 3, S, S) uint8 and among
    `others` (M, 3, S, S) uint8 of a picture and its near copy. None: among later `images`."""
    within, others = others is None, images if others is None else others
    pairs = [torch.empty(0, 2, dtype=torch.int64)]
    coarse = _coarse(others)
    # Averages over patches differ by no more than the pixels do; where patches overlap, by less
    # than twice as much.
    bound = (CLOSE if images.shape[-1] % _COARSE == 0 else 2 * CLOSE) + _ROUNDING
    start = 0
    for part in _blocks(images, least=len(others)):
        block, first = part.cpu(), start if within else 0
        distance = torch.cdist(_coarse(block), coarse[first:]) / coarse.shape[1] ** 0.5
        if within:  # with itself and with earlier ones, whose pairs are known
            distance.add_(torch.full_like(distance, 9 * bound).tril_())
        close = (distance <= bound).nonzero() + torch.tensor([0, first])  # (K, 2)
        for few in _blocks(close, like=images) if len(close) else ():
            one, two = block[few[:, 0]].float(), others[few[:, 1].to(others.device)].cpu().float()
            apart = (one - two).square().mean(dim=(1, 2, 3)).sqrt()
            contrast = one.std(dim=(1, 2, 3), correction=0)
            near = apart <= torch.clamp(FAINT * contrast, max=CLOSE)
            pairs.append(few[near] + few.new_tensor([start, 0]))
        start += len(part)
    return torch.cat(pairs)


def copies_told(world: StoredWorld[Any], train: Examples, test: Examples) -> list[str]:
    """A sentence on test pictures of which there is a copy in the training set, and one on copies
    with different labels; exact copies count as near."""
    sets = {"train": train.images[:MOST], "test": test.images[:MOST]}
    counts = {split: len(some) for split, some in sets.items()}

    def found() -> list[list[int]]:
        return [
            [k, *pair]
            for k, (one, two) in enumerate(COMPARED)
            for pair in near_copies(sets[one], None if one == two else sets[two]).tolist()
        ]

    rule = f"near copies {CLOSE} {FAINT}"
    pairs = [(i, j, COMPARED[k]) for k, i, j in world.once(rule, found, **counts)]
    shared = [pair for pair in pairs if pair[2] == COMPARED[0]]
    labels = {"train": train.clean_labels.tolist(), "test": test.clean_labels.tolist()}
    torn = [(i, j, (one, two)) for i, j, (one, two) in pairs if labels[one][i] != labels[two][j]]
    said = []
    if number := len({j for _, j, _ in shared}):
        said.append(
            f"{number:,} of {len(test):,} test pictures are training pictures, too, or nearly:"
            f" {_pairs(world, shared)}. The network has studied them, so that test accuracy is too"
            " good."
        )
    if torn:
        what = "1 pair of pictures is" if len(torn) == 1 else f"{len(torn):,} pairs of pictures are"
        said.append(
            f"{what} the same, or nearly, but of different classes: {_pairs(world, torn)}. No"
            " network can be right on all of them."
        )
    return said


def _pairs(world: StoredWorld[Any], pairs: Sequence[tuple[int, int, tuple[str, str]]]) -> str:
    """The first pairs by the names of their files."""
    named = [f"{world.name(one, i)} and {world.name(two, j)}" for i, j, (one, two) in pairs[:TOLD]]
    more = len(pairs) - len(named)
    return "; ".join(named) + (f"; and {more:,} more" if more else "")


def _coarse(images: Tensor) -> Tensor:
    """Averages (N, 3 * 8 * 8) float32 over 8 x 8 patches, on the CPU."""
    averages, start = torch.empty(len(images), 3 * _COARSE**2), 0
    for part in _blocks(images):
        small = adaptive_avg_pool2d(part.cpu().float(), _COARSE)
        averages[start : start + len(part)] = small.flatten(1)
        start += len(part)
    return averages


def _blocks(rows: Tensor, *, like: Tensor | None = None, least: int = 1) -> tuple[Tensor, ...]:
    """Rows, one for each picture of the size of those in `like` (None: they are these pictures), in
    blocks that bound the memory; each row takes `least` numbers or more."""
    if not len(rows):
        return ()
    pixels = (rows if like is None else like)[0].numel()
    return torch.split(rows, max(1, _BLOCK // max(pixels, least)))
