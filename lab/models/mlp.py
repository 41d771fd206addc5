"""A multilayer perceptron: three hidden layers on all pixels, without any spatial structure."""

from torch import nn

from lab.models.registry import ModelSpec, register_model

HIDDEN_PER_WIDTH = 32  # width 16 gives the 3 x 512 of Zhang et al. 2017, table 1


@register_model
def mlp(spec: ModelSpec) -> nn.Module:
    """Three hidden layers of 32 x width units."""
    hidden = HIDDEN_PER_WIDTH * spec.width
    pixels = spec.in_channels * spec.image_size**2
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, hidden), nn.ReLU(),
        nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Dropout(spec.dropout),
        nn.Linear(hidden, spec.num_outputs),
    )  # fmt: skip
