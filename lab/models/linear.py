"""Logistic regression: one weight for every pixel channel and class."""

from torch import nn

from lab.models.registry import ModelSpec, register_model


@register_model
def linear(spec: ModelSpec) -> nn.Module:
    """Logistic regression on the pixels; it has no hidden features, so no width and no dropout."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(spec.in_channels * spec.image_size**2, spec.num_outputs)
    )
