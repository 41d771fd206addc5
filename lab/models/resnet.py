"""A small residual network: the output of every block is added to its input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lab.models.registry import ModelSpec, register_model

SMALLEST = 4  # pixels: halve the picture until it is this small
GROWTH = 4  # channels double from block to block, up to this many times the width


class Block(nn.Module):
    """Two convolutions whose result is added to their input (He et al. 2016, figure 2)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, outputs, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.shortcut = (
            nn.Identity() if channels == outputs else nn.Conv2d(channels, outputs, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, outputs, H, W) of features (N, channels, H, W)."""
        return nn.functional.relu(self.shortcut(x) + self.branch(x))


@register_model
def resnet(spec: ModelSpec) -> nn.Module:
    """Residual blocks with pooling between them down to 4 x 4 positions, and their average.

    Unlike the usual one it has no batch normalization, which makes the logits of a training picture
    depend on the others in its batch, and on how a batch is split over processes. So shallow, it
    trains as well without: 1,000 faces, 1,500 steps, one seed gave test accuracy 0.863 and
    membership AUC 0.63 without, 0.855 and 0.73 with it. `torchvision:resnet18` has it.
    """
    channels, outputs, size = spec.in_channels, spec.width, spec.image_size
    layers: list[nn.Module] = [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU()]
    channels = outputs
    while size > SMALLEST:
        layers += [nn.MaxPool2d(2, ceil_mode=True), Block(channels, outputs)]
        channels, outputs = outputs, min(2 * outputs, GROWTH * spec.width)
        size = (size + 1) // 2
    network = nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(spec.dropout),
        nn.Linear(channels, spec.num_outputs),
    )
    return network.to(memory_format=torch.channels_last)
