"""Pixels in, logits out: architectures by name. Knows no faces and no training."""

from lab.models.failure import NetworkError, blamed
from lab.models.files import digest_of, only_agreed
from lab.models.inspect import (
    TRIED,
    ask,
    count_parameters,
    device_of,
    features,
    first_pass,
    random_pictures,
    seeded_model,
    untouched,
)
from lab.models.isolation import Generators, Settings, in_turn, isolated
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
    "TRIED", "Generators", "ModelSpec", "NetworkError", "Settings", "ask", "blamed",
    "count_parameters", "create_model", "device_of", "digest_of", "features", "file_of",
    "find_model", "first_pass", "has_width", "in_turn", "isolated", "list_models", "locate",
    "only_agreed", "random_pictures", "register_model", "seeded_model", "untouched",
]  # fmt: skip
