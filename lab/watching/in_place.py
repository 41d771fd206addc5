"""Datasets that change what they store when an example of them is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.watching.origins import Part


def changed_in_place(parts: Sequence[Part], read: Callable[[int], Any]) -> str:
    """The attribute of a dataset in which the numbers of its first example become others when that
    is read (by its position), as by `x = self.x[i]; x /= 255`; empty if there is none. They are
    afterwards what they were."""
    for part in parts:
        number = int(part.numbers[0])
        own: dict[str, Any] = vars(part.dataset)
        for name, stored in list(own.items()):
            kept = _numbers(stored, number)
            if kept is None:
                continue
            before = kept.clone() if isinstance(kept, Tensor) else kept.copy()
            read(int(part.positions[0]))
            if not _equal(kept, before):
                kept[...] = before
                return name
    return ""


def _numbers(stored: Any, number: int) -> Any:
    """The tensor or array of an example among all that are stored, as it lies in memory; None:
    there is none."""
    if not isinstance(stored, (Tensor, np.ndarray, list, tuple)) or number >= len(stored):
        return None
    one = stored[number]
    is_stored = isinstance(one, (Tensor, np.ndarray)) and one.shape
    return one if is_stored else None


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one.nan_to_num(), other.nan_to_num())
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))
