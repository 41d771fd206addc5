"""Numbers that are given to measures: tensors, NumPy arrays or lists, all taken as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Given: TypeAlias = Tensor | npt.NDArray[Any] | Sequence[Any]
"""A tensor, or what NumPy makes an array of."""


def as_tensor(given: Given, what: str) -> Tensor:
    """A tensor as it is; an array, or lists of numbers, as a tensor of their own. `ValueError` in
    one line that begins with `what` for anything else."""
    if isinstance(given, Tensor):
        return given
    if not isinstance(given, (list, tuple)) and not hasattr(given, "__array__"):
        raise ValueError(f"{what} must be a tensor or an array, not a {type(given).__name__}")
    refuse_masked(given, what)
    try:
        array = np.array(given)
    except (TypeError, ValueError, RuntimeError):  # lists of different lengths, or of tensors
        raise ValueError(
            f"{what} must be a tensor or an array, and no array can be made of this"
            f" {type(given).__name__}"
        ) from None
    try:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
    except TypeError:
        kind = "text" if array.dtype.kind in "US" else array.dtype
        raise ValueError(f"{what} must be numbers, not {kind}") from None


def refuse_masked(given: object, what: str) -> None:
    """Raise `ValueError` for an array with masked numbers, which would count as any others."""
    if isinstance(given, np.ma.MaskedArray) and np.ma.getmaskarray(given).any():
        number = int(np.ma.getmaskarray(given).sum())
        raise ValueError(f"{what} has {number:,} masked numbers: give those that are not, alone")


def as_row(given: Given, what: str) -> Tensor:
    """Real numbers (N,) as float64; `ValueError` in one line for anything else."""
    values = as_tensor(given, what)
    if values.ndim != 1 or values.is_complex():
        raise ValueError(
            f"{what} must be numbers (N,), not {tuple(values.shape)} of {values.dtype}"
        )
    return values.double()


def as_labels(given: Given, what: str) -> Tensor:
    """Whole numbers of any shape as int64; `ValueError` in one line for anything else."""
    labels = as_tensor(given, what)
    if labels.is_floating_point() or labels.is_complex():
        if labels.numel() == 0 and not isinstance(given, Tensor):  # NumPy takes [] for floats
            return labels.long()
        raise ValueError(f"{what} must be whole numbers, not {labels.dtype}")
    return labels.long()
