"""The last linear layer of a network: its inputs, the features, and whether the logits are its
outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lab.measure.attribution.case import Unsuitable
from lab.measure.label_doubts import features_of


@dataclass(frozen=True, kw_only=True)
class Features:
    """The features of the training examples (N, D) and of the others (M, D), float64, divided by
    the root mean square length of the former."""

    train: Tensor
    others: Tensor


def features_of_both(
    model: nn.Module, train: Tensor, others: Tensor, *, to_input: Callable[[Tensor], Tensor]
) -> Features:
    """The features of two sets of images; raises `Unsuitable` for a network without any."""
    seen = [features_of(model, images, to_input=to_input) for images in (train, others)]
    if seen[0] is None or seen[1] is None:
        raise Unsuitable("the network has no linear layer at its end")
    one, other = (each.double() for each in seen if each is not None)
    length = one.square().sum(dim=1).mean().sqrt().clamp(min=torch.finfo(one.dtype).tiny)
    return Features(train=one / length, others=other / length)
