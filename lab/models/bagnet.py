"""A network that sees small patches only, and never how they lie to each other."""

from __future__ import annotations

import torch
from torch import nn

from lab.models.registry import ModelSpec, register_model

POSITIONS = 16  # halve the picture until it has 16 to 31 positions to a side


@register_model
def bagnet(spec: ModelSpec) -> nn.Module:
    """Patches of about a quarter of the picture's side vote alone, and the votes are averaged.

    A bag of local features (Brendel & Bethge 2019): a vote knows neither what is outside its patch
    (`patch_size`) nor, as nothing is padded, where the patch lies. What only the arrangement of the
    parts tells, such as a scrambled face, is beyond it. A vote is the last layer's answer to one
    position; averaging before that layer is the same, since the layer is linear.
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
    """Width and height in pixels of the patch behind a vote: 3 at 16 px, 8 at 32, 18 at 64.

    A convolution adds two positions to it and pooling one, and each halving doubles a position.
    """
    return (5 << _halvings(image_size)) - 2


def _halvings(image_size: int) -> int:
    return (image_size // POSITIONS).bit_length() - 1
