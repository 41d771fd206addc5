"""Pictures that are mirrored or turned, sequences in reverse order, inputs with their axes in
another order, and how that is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations
from typing import NamedTuple

import torch
from torch import Tensor

SMALLEST = 8
"""Rows and columns from which on an input of two axes may be a picture."""


AXES = 4
"""Axes of an input, without the batch, of which other orders are looked for, at most."""


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


def orders(shape: torch.Size, fed: torch.Size) -> Iterator[Turn]:
    """The orders of axes in which an input of this `shape` may be fed as one of the shape `fed`, of
    as many numbers: of its own axes (channels first or last), or, where it is one row of numbers,
    of those of `fed`. Each is one that no other one, and none of `turns`, is."""
    place = torch.arange(shape.numel()).reshape(1, *shape)
    seen = {_bits(place), *(_bits(turn.undone(place)) for turn in turns(shape))}
    bases = [(shape, way) for way in _ways(shape)]
    bases += [(torch.Size(fed[i] for i in _back(way)), way) for way in _ways(fed)]
    for base, way in bases:
        turn = _ordered(base, way, shape, fed)
        if (bits := _bits(turn.undone(place))) not in seen:
            seen.add(bits)
            yield turn


def _ordered(base: torch.Size, way: tuple[int, ...], shape: torch.Size, fed: torch.Size) -> Turn:
    """The axes of inputs of this `shape`, taken as ones of the shape `base`, in the order `way`,
    taken as ones of the shape `fed`."""
    made = [base[i] for i in way]
    axes = ", ".join(str(1 + i) for i in way)
    code = f"x{_taken_as(base, shape)}.permute(0, {axes}){_taken_as(fed, torch.Size(made))}"

    def undone(rows: Tensor) -> Tensor:
        moved = rows.reshape(len(rows), *made).permute(0, *(1 + i for i in _back(way)))
        return moved.reshape(len(rows), *shape)

    return Turn(f"with their axes in another order ({code})", code, undone)


def _taken_as(shape: torch.Size, before: torch.Size) -> str:
    """The code that makes a batch of inputs of this `shape` of one of another."""
    if shape == before:
        return ""
    return ".flatten(1)" if len(shape) == 1 else f".reshape(-1, {', '.join(map(str, shape))})"


def _ways(shape: torch.Size) -> list[tuple[int, ...]]:
    """All orders of the axes of an input but the one that they have; of more than `AXES` none."""
    axes = range(len(shape))
    return list(permutations(axes))[1:] if 1 < len(shape) <= AXES else []


def _back(way: tuple[int, ...]) -> tuple[int, ...]:
    """The order that undoes another."""
    return tuple(way.index(i) for i in range(len(way)))


def _bits(places: Tensor) -> bytes:
    return places.contiguous().numpy().tobytes()
