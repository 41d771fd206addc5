"""Gradients of single examples with respect to all weights of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from lab.core.text import memory_ran_out, plain
from lab.measure.attribution.case import Unsuitable
from lab.models import NOT_REACHED, device_of, real_numbers, untouched, weights_reached

BLOCK = 2**25
"""Numbers of gradients that are held at a time, about: 128 MB in float32."""

TOGETHER = 64
"""Examples whose gradients are computed at once."""

Of = Literal["loss", "log odds"]


def gradient_blocks(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    of: Of,
    *,
    to_input: Callable[[Tensor], Tensor],
) -> Iterator[tuple[slice, Tensor]]:
    """For some examples at a time, which they are, and the gradients (B, P) of their loss
    (cross-entropy) or of the log odds of their labels, with respect to the P trained weights:
    float32, or float64 if any weight is. A complex weight counts as two, its real and its imaginary
    part, so that products of gradients are what they are for a network of such parts.

    In eval mode; nothing of the network changes. Raises `Unsuitable` for a network whose code
    `torch.func.vmap` cannot take, or none of whose trained weights decide what it answers in eval
    mode.
    """
    device = device_of(model)
    weights = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    count = sum(real_numbers(weight).numel() for weight in weights.values())
    if len(images) and not weights_reached(model, to_input(images[:1].to(device))):
        raise Unsuitable(NOT_REACHED)
    objective = _loss if of == "loss" else _log_odds

    def of_one(weights: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        return objective(functional_call(model, weights, (image[None],)), label[None])

    each = vmap(grad(of_one), in_dims=(None, 0, 0))
    step = max(1, BLOCK // max(1, count))
    for start in range(0, len(images), step):
        here = slice(start, min(start + step, len(images)))
        parts = []
        for first in range(here.start, here.stop, TOGETHER):
            some = slice(first, min(first + TOGETHER, here.stop))
            with untouched(model):
                try:
                    found = each(
                        weights, to_input(images[some].to(device)), labels[some].to(device)
                    )
                except Exception as error:
                    if memory_ran_out(error):
                        raise
                    said = str(error).strip().splitlines() or [type(error).__name__]
                    raise Unsuitable(
                        f"no gradients of single examples: {plain(said[0])}"
                    ) from error
                flat = [real_numbers(found[name]).flatten(1) for name in weights]
                parts.append(torch.cat([_at_least_single(each) for each in flat], dim=1))
        yield here, torch.cat(parts)


def _at_least_single(numbers: Tensor) -> Tensor:
    """Numbers as float64 if they are, as float32 if they are anything else."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(_at_least_single(logits), labels)


def _log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    logits = _at_least_single(logits)
    own = labels[:, None] == torch.arange(logits.shape[1], device=logits.device)
    others = logits.masked_fill(own, -torch.inf).logsumexp(dim=1)
    return (logits.masked_fill(~own, 0.0).sum(dim=1) - others)[0]
