"""A bag-of-patches network: it classifies small patches and ignores their arrangement."""

from __future__ import annotations

import torch
from torch import nn

from lab.models.registry import ModelSpec, register_model

POSITIONS = 16  # halve the picture until it has 16 to 31 positions to a side


@register_model
def bagnet(spec: ModelSpec) -> nn.Module:
    """Logits of patches of about a quarter of the picture's side, each on its own, averaged over
    all patches.

    A bag of local features (Brendel & Bethge 2019): the logits of a patch depend neither on what is
    outside it (`patch_size`) nor, as nothing is padded, on its position. So the network cannot use
    the arrangement of the parts, by which scrambled faces differ. The features are averaged before
    the last layer; since that layer is linear, this equals averaging the logits of the patches.
    """
    channels, outputs = spec.in_channels, spec.width
    layers: list[nn.Module] = []
    for halving in range(_halvings(spec.image_size) + 1):
        layers += [nn.MaxPool2d(2)] if halving else []
        layers += [nn.Conv2d(channels, outputs, 3), nn.ReLU()]
        channels, outputs = outputs, 2 * spec.width
    for outputs in (4 * spec.width, 4 * spec.width):
        layers += [nn.Conv2d(channels, outputs, 1), nn.ReLU()]
        channels = outputs
    network = nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(spec.dropout),
        nn.Linear(channels, spec.num_outputs),
    )
    return network.to(memory_format=torch.channels_last)


def patch_size(image_size: int) -> int:
    """Width and height in pixels of a patch (the receptive field): 3 at 16 px, 8 at 32, 18 at 64.

    A convolution adds two positions to it and pooling one, and each halving doubles a position.
    """
    return (5 << _halvings(image_size)) - 2


def _halvings(image_size: int) -> int:
    return (image_size // POSITIONS).bit_length() - 1
