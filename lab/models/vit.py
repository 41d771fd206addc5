"""A small vision transformer: attention among the patches of the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lab.models.registry import ModelSpec, register_model

PATCHES = 8  # to a side at most, whatever the size of the picture
HEADS = 4  # each of them `width` numbers wide
DEPTH = 3


class VisionTransformer(nn.Module):
    """Patches as tokens, blocks of attention and MLP, the mean of the tokens, a linear layer."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        dim = HEADS * spec.width
        patch = -(-spec.image_size // PATCHES)  # rounded up: a rim of zeros completes the last ones
        side = -(-spec.image_size // patch)
        rim = side * patch - spec.image_size
        self.patches = nn.Sequential(
            nn.ZeroPad2d((0, rim, 0, rim)),
            nn.Conv2d(spec.in_channels, dim, patch, stride=patch),
            nn.Flatten(2),
        )
        self.positions = nn.Parameter(0.02 * torch.randn(side * side, dim))
        self.blocks = nn.Sequential(*(_block(dim) for _ in range(DEPTH)))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(dim, spec.num_outputs))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_outputs) of images (N, C, S, S)."""
        tokens = self.patches(images).transpose(1, 2) + self.positions  # (N, patches, dim)
        logits: Tensor = self.head(self.norm(self.blocks(tokens)).mean(1))
        return logits


@register_model
def vit(spec: ModelSpec) -> nn.Module:
    """Up to 8 x 8 patches as tokens, three blocks of attention and MLP, a linear layer.

    After Dosovitskiy et al. 2021, with the mean of the tokens in place of a class token (Beyer et
    al. 2022, Better plain ViT baselines) and normalization before each block's two parts, which
    lets it train at the learning rate of the other networks.
    """
    return VisionTransformer(spec)


def _block(dim: int) -> nn.Module:
    return nn.TransformerEncoderLayer(
        dim, HEADS, 2 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
