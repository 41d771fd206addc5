"""Whether the loop changes the weights of the network that is watched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Buffers that a normalization fills in every forward pass, also where nothing is learned."""

WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Types of whole numbers by their bytes."""

DEPTH = 3
"""Lists in lists in which tensors are looked for, at most."""


class Weights:
    """Whether the weights of `network` have changed since this was made: `look` sees it, and
    `changed` tells what was seen; `learned`: some that take gradients have, and not buffers alone;
    `others`: numbers in plain attributes have, which may be weights that a loop changes by hand.
    Kept are sums of their bits, no copies. Weights that cannot be read count as changed."""

    def __init__(self, network: nn.Module) -> None:
        self._before, self._others = _sums(weights_of(network)), _sums(plain_numbers(network))
        self.changed = self.learned = self._before is None
        self.others = False

    def look(self, network: nn.Module) -> bool:
        """Whether they have changed, now or when it was looked at before."""
        self.others = self.others or _sums(plain_numbers(network)) != self._others
        if self._before is None:
            return self.changed
        now = _sums(weights_of(network))
        if now is None or len(now) != len(self._before):
            self.changed = self.learned = True
            return True
        others = [mine for mine, other in zip(now, self._before, strict=True) if mine != other]
        self.changed = self.changed or bool(others)
        self.learned = self.learned or any(each.learns for each in others)
        return self.changed


@dataclass(frozen=True)
class _Sum:
    """The sum of the bits of a weight as whole numbers, and whether it takes gradients now, which
    makes it no other one."""

    bits: int
    learns: bool = field(compare=False)


def weights_of(network: nn.Module) -> Iterator[Tensor]:
    """What training may change in a network: its parameters, its buffers but for the running
    statistics of normalizations, and tensors with gradients that are no parameters, in attributes
    of its modules and in lists, tuples and dictionaries there (`self.W = torch.zeros(64, 10,
    requires_grad=True)`, as in networks that are written without `nn.Parameter`)."""
    yield from network.parameters()
    for name, tensor in network.named_buffers():
        if name.rpartition(".")[2] not in STATISTICS:
            yield tensor
    for tensor in _plain(network):
        if tensor.requires_grad and tensor.is_leaf:
            yield tensor


def has_statistics(network: nn.Module) -> bool:
    """Whether forward passes may change its answers though nothing trains it, as normalizations
    fill their running statistics."""
    return any(name.rpartition(".")[2] in STATISTICS for name, _ in network.named_buffers())


def plain_numbers(network: nn.Module) -> Iterator[Tensor]:
    """The tensors of floating-point numbers without gradients in attributes of its modules."""
    for tensor in _plain(network):
        if tensor.is_floating_point() and not tensor.requires_grad:
            yield tensor


def _plain(network: nn.Module) -> Iterator[Tensor]:
    """The tensors, but no parameters, in plain attributes of its modules, and in lists there."""
    for module in network.modules():
        for name, value in vars(module).items():
            if not name.startswith("_"):
                yield from _tensors(value, DEPTH)


def _tensors(value: object, depth: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if not isinstance(value, nn.Parameter):
            yield value
    elif isinstance(value, (list, tuple, dict)) and depth:
        for each in value.values() if isinstance(value, dict) else value:
            yield from _tensors(each, depth - 1)


def _sums(tensors: Iterable[Tensor]) -> list[_Sum] | None:
    """That of each tensor; None if one cannot be read."""
    try:
        return [_Sum(_sum(tensor), tensor.requires_grad) for tensor in tensors]
    except (RuntimeError, TypeError, KeyError, NotImplementedError):  # sparse, quantized, …
        return None


def _sum(tensor: Tensor) -> int:
    plain = tensor.detach().as_subclass(Tensor)
    plain = torch.view_as_real(plain.resolve_conj()) if plain.is_complex() else plain
    bits = plain.contiguous().view(WHOLE[plain.element_size()])
    return int(bits.sum(dtype=torch.int64))
