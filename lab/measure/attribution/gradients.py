"""Gradients of single examples with respect to all weights of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from lab.measure.attribution.case import Unsuitable
from lab.models import device_of, untouched

BLOCK = 2**25
"""Numbers of gradients that are held at a time, about: 128 MB."""

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
    """For some examples at a time, which they are, and the gradients (B, P), float32, of their loss
    (cross-entropy) or of the log odds of their labels, with respect to the P trained weights.

    In eval mode; nothing of the network changes. Raises `Unsuitable` for a network whose code
    `torch.func.vmap` cannot take.
    """
    device = device_of(model)
    weights = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    count = sum(weight.numel() for weight in weights.values())
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
                except RuntimeError as error:
                    first_line = str(error).strip().splitlines()[0]
                    raise Unsuitable(f"no gradients of single examples: {first_line}") from error
                parts.append(torch.cat([found[name].flatten(1) for name in weights], dim=1))
        yield here, torch.cat(parts)


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits.float(), labels)


def _log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    logits = logits.float()
    own = labels[:, None] == torch.arange(logits.shape[1], device=logits.device)
    others = logits.masked_fill(own, -torch.inf).logsumexp(dim=1)
    return (logits.masked_fill(~own, 0.0).sum(dim=1) - others)[0]
