"""What the loop does with the network that is watched: whether it changes its weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Buffers that a normalization fills in every forward pass, also where nothing is learned."""

WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Types of whole numbers by their bytes."""


class Weights:
    """Whether the weights of `network` (its parameters, and its buffers but for the running
    statistics of normalizations) have changed since this was made: `look` sees it, and `changed`
    tells what was seen. Kept are sums of their bits, no copies. Weights that cannot be read count
    as changed."""

    def __init__(self, network: nn.Module) -> None:
        self._before = _sums(network)
        self.changed = self._before is None

    def look(self, network: nn.Module) -> bool:
        """Whether they have changed, now or when it was looked at before."""
        self.changed = self.changed or _sums(network) != self._before
        return self.changed


def _sums(network: nn.Module) -> list[int] | None:
    """The sum of the bits of each weight as whole numbers; None if one cannot be read."""
    buffers = [
        tensor
        for name, tensor in network.named_buffers()
        if name.rpartition(".")[2] not in STATISTICS
    ]
    try:
        return [_sum(tensor) for tensor in (*network.parameters(), *buffers)]
    except (RuntimeError, TypeError, KeyError, NotImplementedError):  # sparse, quantized, …
        return None


def _sum(tensor: Tensor) -> int:
    plain = tensor.detach().as_subclass(Tensor)
    plain = torch.view_as_real(plain.resolve_conj()) if plain.is_complex() else plain
    bits = plain.contiguous().view(WHOLE[plain.element_size()])
    return int(bits.sum(dtype=torch.int64))
