"""Probabilities in place of logits: how to tell them, by their values and by what made them."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from lab.models.inputs import to_input
from lab.models.inspect import device_of, untouched

ROUNDING = 1e-3
"""How far a sum of probabilities may be from 1, if they are not rounded further."""

STEPS = (100, 256, 1000, 10_000)
"""Steps from 0 to 1 of numbers that are rounded: to decimals, or quantized to 8 bits."""

MOST = 0.25
"""How far a sum of rounded probabilities may be from 1 at most."""

PASSED = ("Squeeze", "View", "UnsafeView", "ReshapeAlias", "Unsqueeze", "Select", "Slice", "ToCopy",
          "Clone", "Clamp", "Alias", "AsStrided", "Transpose", "Permute", "T", "Mean")  # fmt: skip
"""Operations that leave probabilities what they are."""


SQUASHED = {"Softmax": "softmax", "Sigmoid": "sigmoid", "Hardsigmoid": "sigmoid"}
"""Last operations, as autograd calls them, whose results are probabilities, and their names."""


def last_operation(outputs: Tensor) -> str:
    """What made the outputs, as autograd calls it, such as "Sigmoid", changes of shape and type
    aside; empty where that is not known."""
    node: Any = outputs.grad_fn
    while node is not None:
        name = re.sub(r"Backward\d*$", "", node.name())
        if name not in PASSED:
            return name
        node = node.next_functions[0][0]
    return ""


def are_probabilities(logits: Tensor) -> bool:
    """Whether what a network returns for logits (N, C) are probabilities, by their numbers."""
    return len(logits) > 0 and bool((logits >= 0).all()) and sum_to_one(logits)


def returns_probabilities(model: nn.Module, images: Tensor) -> bool:
    """Whether a network returns probabilities in place of logits in eval mode, asked about pictures
    (N, 3, S, S) uint8: by what it returns, or by its last operation."""
    with untouched(model), torch.enable_grad():
        outputs = model(to_input(images.to(device_of(model))))
        found = last_operation(outputs) in SQUASHED
        return found or are_probabilities(outputs.detach())


def sum_to_one(rows: Tensor) -> bool:
    """Whether each of `rows` (N, C), C from 2 on, sums to 1, but for the rounding of its numbers.

    How far they are rounded is seen from the numbers, whatever type they came in: whether all of
    them exist in float16 or bfloat16 (then the sum may be off by 4 machine epsilons), or all lie on
    a grid of `STEPS` (by half a step for each class).
    """
    if rows.shape[1] < 2:
        return False
    rows = rows.double()
    slack = ROUNDING
    for kind in (torch.float16, torch.bfloat16):
        if torch.equal(rows, rows.to(kind).double()):
            slack = max(slack, 4 * torch.finfo(kind).eps)
    for steps in STEPS:
        scaled = rows * steps
        if bool(((scaled - scaled.round()).abs() < ROUNDING).all()):
            slack = max(slack, min(0.5 / steps * rows.shape[1] + ROUNDING, MOST))
    return bool(((rows.sum(dim=1) - 1).abs() <= slack).all())
