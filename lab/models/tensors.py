"""Comparing and copying tensors of every layout, sparse, quantized and nested ones included."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

_BY_ROWS = (torch.sparse_csr, torch.sparse_bsr)
_BY_COLUMNS = (torch.sparse_csc, torch.sparse_bsc)


def same_tensor(one: Tensor, other: Tensor, *, rounding: bool = False) -> bool:
    """Whether two tensors have the same layout, type, shape and numbers; with `rounding`, floating
    numbers may differ by 1e-4 of themselves or 1e-6, and NaN equals NaN (without, it does not).

    `torch.equal` and `torch.allclose` refuse all layouts but the dense one; of the others the dense
    parts are compared: indices and values of sparse tensors (of COO ones coalesced), numbers and
    scales of quantized ones, the members of nested ones. Two of the device meta, without numbers,
    are the same. What cannot be compared at all counts as different.
    """
    if one is other and one.layout != torch.strided:
        return True
    if one.layout != other.layout or one.dtype != other.dtype or one.is_meta != other.is_meta:
        return False
    try:
        with torch.no_grad():
            if one.is_nested or other.is_nested:
                mine, others = one.unbind(), other.unbind()
                return len(mine) == len(others) and all(
                    same_tensor(*pair, rounding=rounding) for pair in zip(mine, others, strict=True)
                )
            if one.shape != other.shape or one.is_meta:
                return one.shape == other.shape
            other = other.to(one.device)
            if one.layout != torch.strided:
                return all(
                    same_tensor(*pair, rounding=rounding)
                    for pair in zip(_parts(one), _parts(other), strict=True)
                )
            if not rounding or not (one.is_floating_point() or one.is_complex()):
                return torch.equal(one, other)
            if one.is_floating_point() and one.itemsize == 1:  # float8, which knows no arithmetic
                one, other = one.float(), other.float()
            return torch.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True)
    except (RuntimeError, TypeError, ValueError):  # a layout or type that torch knows little of
        return False


def deep_copy(value: Any) -> Any:
    """A copy of a network, or of a state of it, as `copy.deepcopy` makes it, which cannot copy
    sparse tensors in compressed rows or columns by itself."""
    memo: dict[int, Any] = {}
    for tensor in _tensors(value):
        if tensor.layout in _BY_ROWS or tensor.layout in _BY_COLUMNS:
            made: Tensor = tensor.detach().clone().requires_grad_(tensor.requires_grad)
            if isinstance(tensor, nn.Parameter):
                made = nn.Parameter(made, requires_grad=tensor.requires_grad)
            memo[id(tensor)] = made
    return copy.deepcopy(value, memo)


def _parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that one of another layout consists of."""
    tensor = tensor.detach()
    if tensor.layout == torch.sparse_coo:
        tensor = tensor.coalesce()
        return tensor.indices(), tensor.values()
    if tensor.layout in _BY_ROWS:
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    if tensor.layout in _BY_COLUMNS:
        return tensor.ccol_indices(), tensor.row_indices(), tensor.values()
    return (tensor.to_dense(),)


def _tensors(value: Any) -> list[Tensor]:
    """The tensors of a network, those in its plain attributes included, or of a mapping."""
    if isinstance(value, nn.Module):
        held = [vars(module) for module in value.modules()]
        each = [item for own in held for item in (own, own["_parameters"], own["_buffers"])]
        return [tensor for item in each for tensor in _tensors(item)]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [item for item in value if isinstance(item, Tensor)]
    return []
