"""Networks by name: from pictures to logits. Independent of faces and of training."""

from lab.models.data_files import (
    DataFiles,
    changed_files,
    data_files_now,
    digest_of_file,
    noting_data_files,
)
from lab.models.failure import NetworkError, blame, blamed, place_of
from lab.models.inputs import to_input
from lab.models.inspect import (
    NOT_REACHED,
    TRIED,
    ask,
    count_parameters,
    device_of,
    features,
    first_pass,
    parameters_told,
    random_pictures,
    real_numbers,
    seeded_model,
    size_of,
    untouched,
    weights_reached,
)
from lab.models.isolation import TURN, Generators, Settings, isolated, settings_kept
from lab.models.known import is_known, treats_examples_alone
from lab.models.probabilities import (
    SQUASHED,
    are_probabilities,
    last_operation,
    returns_probabilities,
    sum_to_one,
)
from lab.models.registry import (
    ModelSpec,
    create_model,
    file_of,
    find_model,
    has_width,
    list_models,
    locate,
    own_builder,
    register_model,
    sources_of,
    space_of,
)
from lab.models.sources import Sources, differences, digest_of, digest_of_sources
from lab.models.space import NotAgreed, Space, only_agreed
from lab.models.tensors import deep_copy, same_tensor

__all__ = [
    "NOT_REACHED", "SQUASHED", "TRIED", "TURN", "DataFiles", "Generators", "ModelSpec",
    "NetworkError", "NotAgreed", "Settings", "Sources", "Space", "are_probabilities", "ask",
    "blame", "blamed",
    "changed_files", "count_parameters", "create_model", "data_files_now", "deep_copy",
    "device_of", "differences",
    "digest_of", "digest_of_file", "digest_of_sources", "features", "file_of", "find_model",
    "first_pass", "has_width", "is_known", "isolated", "last_operation", "list_models", "locate",
    "noting_data_files", "only_agreed", "own_builder", "parameters_told", "place_of",
    "random_pictures", "real_numbers", "register_model", "returns_probabilities", "same_tensor",
    "seeded_model",
    "settings_kept", "size_of", "sources_of", "space_of", "sum_to_one", "to_input",
    "treats_examples_alone", "untouched", "weights_reached",
]  # fmt: skip
