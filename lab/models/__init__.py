"""Pixels in, logits out: architectures by name. Knows no faces and no training."""

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
    sources_of,
)
from lab.models.sources import Sources, differences, digest_of, digest_of_sources
from lab.models.space import NotAgreed, only_agreed

__all__ = [
    "ModelSpec", "NotAgreed", "Sources", "check_model", "count_parameters", "create_model",
    "device_of", "differences", "digest_of", "digest_of_sources", "features", "file_of",
    "find_model", "has_width", "list_models", "locate", "only_agreed", "register_model",
    "sources_of", "untouched",
]  # fmt: skip
