"""Pictures that are mirrored or turned, sequences in reverse order, and how that is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

SMALLEST = 8
"""Rows and columns from which on an input of two axes may be a picture."""


class Turn(NamedTuple):
    """One way to mirror or turn pictures, or sequences: in words that go on with "pictures", in
    `code` that does it to a batch x, and as a function that undoes it for a batch."""

    said: str
    code: str
    undone: Callable[[Tensor], Tensor]


def turns(shape: torch.Size) -> Iterator[Turn]:
    """Those of an input of this shape (without the batch) which keep its shape; none where it is
    neither a picture nor a sequence: of numbers, or of a few at a time, (L, C) or (C, L)."""
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        down, across = -2, -1
    elif len(shape) == 3 and shape[2] in (1, 3, 4):  # channels last
        down, across = -3, -2
    elif len(shape) == 2 and min(shape) >= SMALLEST:
        down, across = -2, -1
    else:
        for time in range(1, 1 + len(shape)) if len(shape) < 3 else ():
            yield Turn("in reverse order", f"x.flip({time})", partial(torch.flip, dims=(time,)))
        return
    both = (down, across)
    yield Turn("with left and right exchanged", f"x.flip({across})", lambda x: x.flip(across))
    yield Turn("upside down", f"x.flip({down})", lambda x: x.flip(down))
    yield Turn("turned by 180 degrees", f"x.flip({both})", lambda x: x.flip(both))
    if shape[down] == shape[across]:
        code = f"x.transpose{both}"
        yield Turn("with rows and columns exchanged", code, lambda x: x.transpose(*both))
        left, right = f"x.rot90(1, {both})", f"x.rot90(-1, {both})"
        yield Turn("turned by 90 degrees to the left", left, lambda x: x.rot90(-1, both))
        yield Turn("turned by 90 degrees to the right", right, lambda x: x.rot90(1, both))
