"""The default network: a few strided convolutions along one capacity dial, and five named sizes."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from lab.models.registry import ModelSpec, register_model

KERNEL = 3
SMALLEST = 4  # pixels: halve the picture until it is this small
GROWTH = 4  # channels double from layer to layer, up to this many times the width


@register_model
def cnn(spec: ModelSpec) -> nn.Module:
    """A convolution at full size, then stride 2 down to 4 x 4 positions, then one linear layer.

    The full-size layer sees fine parts, which strided ones miss. Stride instead of pooling is
    several times faster on a CPU; normalization costs test accuracy here.
    """
    channels, size, growth = spec.width, spec.image_size, 2
    first = nn.Conv2d(spec.in_channels, channels, KERNEL, padding=KERNEL // 2)
    layers: list[nn.Module] = [first, nn.ReLU()]
    while size > SMALLEST:
        outputs = spec.width * growth
        layers += [nn.Conv2d(channels, outputs, KERNEL, stride=2, padding=KERNEL // 2), nn.ReLU()]
        channels, size, growth = outputs, (size + 1) // 2, min(2 * growth, GROWTH)
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Dropout(spec.dropout),
        nn.Linear(channels * size * size, spec.num_outputs),
    )


@register_model
def cnn_xs(spec: ModelSpec) -> nn.Module:
    """`cnn` at width 2, whatever `width` says (600 parameters at 32 px)."""
    return cnn(replace(spec, width=2))


@register_model
def cnn_s(spec: ModelSpec) -> nn.Module:
    """`cnn` at width 8, whatever `width` says (7 thousand parameters at 32 px)."""
    return cnn(replace(spec, width=8))


@register_model
def cnn_m(spec: ModelSpec) -> nn.Module:
    """`cnn` at width 24, whatever `width` says (60 thousand parameters at 32 px)."""
    return cnn(replace(spec, width=24))


@register_model
def cnn_l(spec: ModelSpec) -> nn.Module:
    """`cnn` at width 72, whatever `width` says (half a million parameters at 32 px)."""
    return cnn(replace(spec, width=72))


@register_model
def cnn_xl(spec: ModelSpec) -> nn.Module:
    """`cnn` at width 216, whatever `width` says (4 million parameters at 32 px)."""
    return cnn(replace(spec, width=216))
