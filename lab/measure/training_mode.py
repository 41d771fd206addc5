"""What a network gets right in training mode, where it gets less in eval mode, in which all else is
measured: as where a normalization is made in one mode alone, or running statistics have not
settled."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lab.core.estimate import Estimate, difference, wilson
from lab.measure.predict import predict
from lab.measure.predictions import right as right_ones
from lab.models import to_input as stored_input

GOOD = 0.9
"""Accuracy from which on, if it is surely reached in eval mode, the other mode is not asked."""

MORE = 0.1
"""By how much accuracy in training mode surely exceeds that in eval mode, at least."""

TRIED = 512
"""Training examples that are tried, at most."""


def better_in_training_mode(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    right: Estimate,
    *,
    batch: int,
    to_input: Callable[[Tensor], Tensor] = stored_input,
) -> Estimate | None:
    """The share of some training examples that `model` gets right in training mode, where that is
    surely more, by `MORE`, than the share that is `right` in eval mode; else None, also where it
    cannot be asked so. `inputs` (N, …) and `labels` (N,) are of all training examples, of which it
    gets `batch` at once, in random order; nothing of it is changed. Not asked in one of several
    processes, with which a synchronized normalization would wait for the others."""
    if len(labels) < 2 or right.interval[0] >= GOOD or _are_several():
        return None
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:TRIED]
    batch = max(2, min(batch, len(order)))
    order = order[: len(order) // batch * batch]  # a rest of one may have no spread
    try:
        fed = inputs[order.to(inputs.device)]
        logits = predict(model, fed, to_input=to_input, batch_size=batch, training=True)
    except Exception:  # it may return something else in that mode, or need something else
        return None
    if logits.ndim != 2 or len(logits) != len(order):
        return None
    found = wilson(int(right_ones(logits, labels.cpu()[order]).sum()), len(order))
    return found if difference(found, right).interval[0] > MORE else None


def _are_several() -> bool:
    """Whether this is one of several processes of a distributed program."""
    together = torch.distributed
    return together.is_available() and together.is_initialized() and together.get_world_size() > 1
