"""What a network keeps beside its state: numbers, texts and tensors in plain attributes and in
buffers that are not saved. A checkpoint does not have them, unless get_extra_state gives them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

MOST = 1000
"""Entries of a container, and letters of a text, that are looked at, at most."""

LARGEST = 2**22
"""Numbers of a tensor that are looked at, at most."""

DEEP = 3
"""Containers within containers."""

_OWN = frozenset(vars(nn.Module()))
_NONE = object()


def plain_state(model: nn.Module) -> dict[str, Any]:
    """A copy of it by name, as 'layer.attribute'; what is of another kind, or large, is left out,
    and so is what belongs to every module (its hooks, whether it is in training mode)."""
    found = {}
    for prefix, module in model.named_modules():
        kept = {key: value for key, value in vars(module).items() if key not in _OWN}
        kept |= {key: module._buffers.get(key) for key in module._non_persistent_buffers_set}
        for key, value in kept.items():
            copy = _copied(value, DEEP)
            if copy is not _NONE:
                found[f"{prefix}.{key}" if prefix else key] = copy
    return found


def lost(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    restored: Mapping[str, Any],
    *,
    counts_only: bool = False,
) -> list[str]:
    """The names of what steps changed, from `before` to `after`, and what differs in the
    `restored` network after the same steps. `counts_only`: leave out what rounding may change:
    tensors and numbers that are not whole. What only grows at its end, as a list of all losses
    does, is a record that the network makes, and is left out."""
    return [
        name
        for name, value in after.items()
        if not (counts_only and _rounded(value))
        and not _equal(before.get(name, _NONE), value)
        and not _equal(restored.get(name, _NONE), value)
        and not _is_record(before.get(name), value)
    ]


def _copied(value: Any, deep: int) -> Any:
    """A copy of a value; `_NONE` if it is of another kind."""
    if value is None or type(value) in (bool, int, float, complex):
        return value
    if isinstance(value, str):
        return value if len(value) <= MOST else _NONE
    if type(value) in (Tensor, nn.Parameter):
        return value.detach().clone() if value.numel() <= LARGEST else _NONE
    if isinstance(value, (list, tuple, deque, dict)) and deep and len(value) <= MOST:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        copies = {key: _copied(each, deep - 1) for key, each in items}
        return _NONE if any(each is _NONE for each in copies.values()) else copies
    return _NONE


def _is_record(before: Any, after: Any) -> bool:
    """Whether copies of containers differ by what was added at the end alone."""
    if not (isinstance(before, dict) and isinstance(after, dict) and len(before) < len(after)):
        return False
    return all(key in after and _equal(value, after[key]) for key, value in before.items())


def _rounded(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_rounded, value.values()))
    return isinstance(value, (float, complex, Tensor))


def _equal(one: Any, other: Any) -> bool:
    """Whether two copies are equal up to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        if not (one.is_floating_point() or one.is_complex()):
            return torch.equal(one, other.to(one.device))
        return torch.allclose(one, other.to(one.device), rtol=1e-4, atol=1e-6, equal_nan=True)
    if isinstance(one, (float, complex)) and isinstance(other, (float, complex)):
        return one == other or one != one != other or abs(one - other) <= 1e-6 + 1e-4 * abs(one)
    return type(one) is type(other) and bool(one == other)
