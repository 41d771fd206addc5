"""Pixels in, logits out: architectures by name. Knows no faces and no training."""

from lab.models.files import digest_of, only_agreed
from lab.models.inspect import check_model, count_parameters, device_of, features, untouched
from lab.models.registry import (
    ModelSpec,
    create_model,
    file_of,
    find_model,
    has_width,
    list_models,
    locate,
    register_model,
)

__all__ = [
    "ModelSpec", "check_model", "count_parameters", "create_model", "device_of", "digest_of",
    "features", "file_of", "find_model", "has_width", "list_models", "locate", "only_agreed",
    "register_model", "untouched",
]  # fmt: skip
