"""Weights that a network uses and that are no parameters of it, such as those of layers in a list.

`nn.Module` knows the layers and parameters that are its attributes, not those in a plain list or
dictionary, and not plain tensors: the optimizer does not get them and checkpoints do not hold them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lab.models import untouched


def unregistered_weights(model: nn.Module, pictures: Tensor) -> list[Tensor]:
    """The tensors that take a gradient from the logits of `pictures`, in training mode, and are no
    parameters of `model`. Tensors that each forward pass makes anew do not count."""
    known = {id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False)}
    first, again = (leaves_of(_logits(model, pictures)) for _ in range(2))
    return [leaf for key, leaf in first.items() if key in again and key not in known]


def leaves_of(result: Tensor) -> dict[int, Tensor]:
    """The tensors, by identity, whose `grad` a backward pass from `result` would change."""
    nodes, seen = [result.grad_fn], set()
    leaves = {}
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor):
            leaves[id(leaf)] = leaf
        nodes += [following for following, _ in node.next_functions]
    return leaves


def _logits(model: nn.Module, pictures: Tensor) -> Tensor:
    with untouched(model, training=True), torch.enable_grad():
        logits: Tensor = model(pictures.clone())
    return logits
