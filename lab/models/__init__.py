"""Pixels in, logits out: architectures by name. Knows no faces and no training."""

from lab.models.inspect import check_model, count_parameters, device_of, features, untouched
from lab.models.registry import (
    ModelSpec,
    create_model,
    find_model,
    has_width,
    list_models,
    locate,
    register_model,
)

__all__ = [
    "ModelSpec", "check_model", "count_parameters", "create_model", "device_of", "features",
    "find_model", "has_width", "list_models", "locate", "register_model", "untouched",
]  # fmt: skip
