"""Probes: some numbers of each input of a network, by which inputs are compared."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lab.watching.trees import leaves

PROBED = 768
"""Numbers of an input that are compared, at most: the same ones of each."""

COUNTED = 16
"""Numbers of a channel below which two inputs are correlated by chance."""


def first_of(inputs: Any, shape: torch.Size | None) -> Tensor:
    """The tensor of the inputs of a call that is compared: of those in floating point (without any:
    of all) the first one with rows of this shape, or else with as many axes, or else the first.
    Complex numbers are two each, along a last axis."""
    found = [
        torch.view_as_real(each.resolve_conj()) if each.is_complex() else each
        for each in leaves(inputs)
    ]
    floats = [each for each in found if each.is_floating_point()] or found
    if shape is not None:
        fitting = [each for each in floats if each.ndim == len(shape) + 1]
        same = [each for each in fitting if each.shape[1:] == shape]
        floats = same or fitting or floats
    return floats[0]


def probed(rows: Tensor) -> Tensor:
    """Some numbers of each row (N, …), by channel: (N, C, S) on the CPU, float32, or int64 of whole
    numbers. Which ones they are depends on the shape of a row alone."""
    split = _by_channel(rows)
    channels, numbers = split.shape[1:]
    most = max(1, PROBED // channels)
    if numbers > most:
        drawn = torch.randperm(numbers, generator=torch.Generator().manual_seed(0))[:most].sort()[0]
        split = split.index_select(2, drawn.to(split.device))
    kind = torch.float32 if split.is_floating_point() else torch.int64
    return split.detach().to(kind).cpu().clone()


def channel_axis(shape: torch.Size) -> int | None:
    """Which axis of an input of this shape is that of its channels, of which there are few, with
    many numbers each: of a picture, or of a record of several signals, (C, L) or (L, C). None: its
    numbers are taken as one channel."""
    if len(shape) < 2:
        return None
    last = len(shape) - 1
    if len(shape) == 2:
        first_is, last_is = shape[0] < shape[1], shape[1] < shape[0]
    else:
        last_is = len(shape) == 3 and shape[0] not in (1, 3, 4)
        last_is = last_is and (shape[2] in (1, 3, 4) or shape[2] <= COUNTED < shape[0])
        first_is = not last_is
    axis = 0 if first_is else last if last_is else None
    if axis is None or not shape[axis] <= COUNTED <= shape.numel() // max(1, shape[axis]):
        return None
    return axis


def _by_channel(rows: Tensor) -> Tensor:
    """Rows (N, …) as (N, C, P): by channel, where inputs have few with many numbers each; of others
    all as one."""
    axis = channel_axis(rows.shape[1:])
    if axis is None:
        return rows.reshape(len(rows), 1, -1)
    return rows.movedim(1 + axis, 1).reshape(len(rows), rows.shape[1 + axis], -1)
