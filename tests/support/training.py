"""Fifty labelled pictures of noise, and a small network to train on them."""

import torch
from torch import nn

from lab.training import EpochBatches

IMAGES = torch.randint(0, 256, (50, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()
LABELS = torch.arange(50) % 2
EPOCHS = EpochBatches(IMAGES, LABELS, batch_size=16, seed=3)


def network(*, dropout: float = 0.0) -> nn.Module:
    """A small one that has all that is hard to resume: dropout and running statistics."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.Dropout(dropout), nn.Linear(64, 2),
    )  # fmt: skip
