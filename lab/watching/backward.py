"""Whether a loop trains a network on what it gets in a call."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from lab.watching.trees import leaves

NODES = 20_000
"""Operations of one call that are gone through, at most."""


class Backward:
    """Whether a backward pass `came` through a call of a network to one of its weights, from its
    outputs or from anything in between; True, too, where that cannot be seen.

    It asks the operations of the graph that take a weight. It changes nothing, keeps no graph and
    never fails.
    """

    def __init__(self) -> None:
        self.came = True

    def follow(self, outputs: Any) -> None:
        """Begin with the graph of the outputs of the call."""
        with suppress(Exception):  # of a graph that is none of torch's own
            found = leaves(outputs)
            if not found or any(map(_is_wrapped, found)):
                return
            taking = _taking_weights([each.grad_fn for each in found])
            if taking is None:
                return
            for node in taking:
                node.register_hook(self._come)
            self.came = False

    def _come(self, *gradients: Any) -> None:
        self.came = True


def _is_wrapped(tensor: Tensor) -> bool:
    """Whether torch.func takes its derivatives."""
    return torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def _taking_weights(roots: list[Any]) -> list[Any] | None:
    """The nodes of the graph from `roots` on that have leaves of it as inputs; None where there are
    too many nodes."""
    found, waiting = [], [node for node in roots if node is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        further = [each for each, _ in node.next_functions if each is not None]
        if any(hasattr(each, "variable") for each in further):
            found.append(node)
        new = {each for each in further if not hasattr(each, "variable")} - seen
        seen |= new
        waiting += new
        if len(seen) > NODES:
            return None
    return found
