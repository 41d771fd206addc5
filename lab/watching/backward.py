"""Whether a loop trains a network on what it gets in a call."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lab.watching.trees import leaves

NODES = 20_000
"""Operations of one call that are gone through, at most."""


class Backward:
    """Whether a network learns from a call: `was_seen` says whether a backward pass came through it
    to one of its weights, from its outputs or from anything in between, and `came` is True, too,
    where that cannot be seen, or where it `learns` something without one, as running statistics.

    It asks the operations of the graph that take a weight. It changes nothing, keeps no graph and
    never fails.

    Args: shape: that of the inputs (N, …), whose own gradients say nothing.
    """

    def __init__(self, shape: torch.Size, *, learns: bool = False) -> None:
        self.was_seen = False
        self._unknown, self._learns = True, learns
        self._shape = shape

    @property
    def came(self) -> bool:
        """Whether it learns from it, as far as is known."""
        return self.was_seen or self._unknown or self._learns

    def follow(self, outputs: Any) -> None:
        """Begin with the graph of the outputs of the call."""
        with suppress(Exception):  # of a graph that is none of torch's own
            found = leaves(outputs)
            if not found or any(map(_is_wrapped, found)):
                return
            taking = _taking_weights([each.grad_fn for each in found], self._shape)
            if taking is None:
                return
            for node, places in taking:
                node.register_hook(partial(self._come, places))
            self._unknown = False

    def _come(self, places: list[int], gradients: Any, *more: Any) -> None:
        """One came to a node of which the inputs at these places are weights: not if it goes on to
        the others alone, as for the gradients of pictures."""
        unknown = max(places) >= len(gradients)
        if unknown or any(gradients[place] is not None for place in places):
            self.was_seen = True


def _is_wrapped(tensor: Tensor) -> bool:
    """Whether torch.func takes its derivatives."""
    return torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def _is_weight(node: Any, shape: torch.Size) -> bool:
    """Whether a node of the graph is a weight, and no input of this `shape` (N, …) that somebody
    wants gradients of."""
    leaf = getattr(node, "variable", None)
    return leaf is not None and (isinstance(leaf, nn.Parameter) or leaf.shape != shape)


def _taking_weights(roots: list[Any], shape: torch.Size) -> list[tuple[Any, list[int]]] | None:
    """The nodes of the graph from `roots` on that have weights as inputs, and the places of these;
    None where there are too many nodes."""
    found, waiting = [], [node for node in roots if node is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        further = [each for each, _ in node.next_functions]
        if places := [k for k, each in enumerate(further) if _is_weight(each, shape)]:
            found.append((node, places))
        further = [each for each in further if each is not None]
        new = {each for each in further if not hasattr(each, "variable")} - seen
        seen |= new
        waiting += new
        if len(seen) > NODES:
            return None
    return found
