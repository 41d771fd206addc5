"""Inputs of any form: a tensor, or a dictionary, list or tuple of such, with a row per example."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.measure.given import refuse_masked

Tree = Any
"""A tensor (N, …), or a mapping, list or tuple of trees."""


def mapped(tree: Tree, function: Callable[[Tensor], Tensor]) -> Tree:
    """The same with each tensor replaced."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Mapping):
        return {name: mapped(each, function) for name, each in tree.items()}
    if isinstance(tree, (list, tuple)):
        return like(tree, [mapped(each, function) for each in tree])
    return tree


def like(sequence: Any, parts: list[Any]) -> Any:
    """The parts as a list, tuple or named tuple, whatever `sequence` is."""
    kind = type(sequence)
    return kind(*parts) if hasattr(sequence, "_fields") else kind(parts)


def leaves(tree: Tree) -> list[Tensor]:
    """Its tensors, in order."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    mapped(tree, keep)
    return found


def as_tree(given: Tree, what: str) -> Tree:
    """`given` with NumPy arrays as tensors; `ValueError` in one line for what is neither."""
    if isinstance(given, np.ndarray):
        return as_tensor(given, what)
    if isinstance(given, Tensor):
        return given.detach()
    if isinstance(given, Mapping):
        return {name: as_tree(each, what) for name, each in given.items()}
    if isinstance(given, (list, tuple)):
        return like(given, [as_tree(each, what) for each in given])
    raise ValueError(
        f"{what}: inputs must be tensors or arrays (or dictionaries or lists of them), not"
        f" {type(given).__name__}"
    )


def as_tensor(array: np.ndarray, what: str) -> Tensor:
    """A NumPy array, of any strides and byte order, as a tensor; `ValueError` in one line if torch
    has no such numbers."""
    refuse_masked(array, what)
    try:
        with warnings.catch_warnings():  # of arrays that cannot be written, which nobody does here
            warnings.filterwarnings("ignore", "The given NumPy array is not writ", UserWarning)
            return torch.as_tensor(np.ascontiguousarray(array, array.dtype.newbyteorder("=")))
    except TypeError:
        raise ValueError(f"{what}: torch has no numbers of the kind {array.dtype}") from None


def cat(trees: Sequence[Tree]) -> Tree:
    """Several trees of one form, one after the other; `ValueError` if their rows differ."""
    first = trees[0]
    if isinstance(first, Tensor):
        try:
            return torch.cat(list(trees))
        except RuntimeError:
            shapes = sorted({str(tuple(each.shape[1:])) for each in trees})
            raise ValueError(f"examples differ in their shapes: {', '.join(shapes[:3])}") from None
    if isinstance(first, Mapping):
        return {name: cat([tree[name] for tree in trees]) for name in first}
    return like(first, [cat(list(parts)) for parts in zip(*trees, strict=True)])


def rows(tree: Tree, positions: Tensor) -> Tree:
    """The rows at `positions` (M,), in memory of their own."""
    return mapped(tree, lambda tensor: tensor.index_select(0, positions.to(tensor.device)))


def form(tree: Tree) -> tuple[tuple[int, ...], ...]:
    """The shape of a row of each of its tensors."""
    return tuple(tuple(leaf.shape[1:]) for leaf in leaves(tree))


def size(tree: Tree) -> int:
    """Its bytes."""
    return sum(leaf.numel() * leaf.element_size() for leaf in leaves(tree))


def row_digests(tree: Tree) -> list[bytes]:
    """32 bytes for each row, which are the same for rows of the same bits."""
    parts = [_as_bytes(leaf) for leaf in leaves(tree)]
    found = []
    for row in zip(*parts, strict=True):
        told = hashlib.sha256()
        for part in row:
            told.update(part)
        found.append(told.digest())
    return found


def _as_bytes(tensor: Tensor) -> np.ndarray:
    """The rows of a tensor (N, …) as uint8 (N, B)."""
    flat = tensor.detach().cpu().contiguous()
    flat = torch.view_as_real(flat.resolve_conj()) if flat.is_complex() else flat
    flat = flat.flatten(1) if flat.ndim > 1 else flat[:, None]
    return flat.contiguous().view(torch.uint8).numpy()
