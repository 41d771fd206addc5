"""Datasets that change what they store when an example of them is read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.watching.origins import Part


def changed_in_place(parts: Sequence[Part], read: Callable[[int], Any]) -> str:
    """The attribute of a dataset in which the first example becomes another one when that is read
    (by its position), as by `x = self.x[i]; x /= 255`; empty if there is none. It is afterwards
    what it was."""
    for part in parts:
        number = int(part.numbers[0])
        own: dict[str, Any] = vars(part.dataset)
        for name, stored in list(own.items()):
            one = _example(stored, number)
            if one is None:
                continue
            before = copy.deepcopy(one)
            read(int(part.positions[0]))
            if not _equal(one, before):
                _restore(one, before)
                return name
    return ""


def _example(stored: Any, number: int) -> Any:
    """What lies in memory of an example, among all that are stored; None: nothing that could be
    changed there."""
    if not isinstance(stored, (Tensor, np.ndarray, list, tuple)) or number >= len(stored):
        return None
    one = stored[number]
    if isinstance(one, (Tensor, np.ndarray)):
        return one if one.shape else None
    return one if isinstance(one, (list, MutableMapping)) else None


def _equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    with suppress(Exception):  # of objects that cannot be compared
        return bool(one == other)
    return True


def _restore(one: Any, before: Any) -> None:
    if isinstance(one, MutableMapping):
        one.clear()
        one.update(before)
    elif isinstance(one, list):
        one[:] = before
    else:
        one[...] = before
