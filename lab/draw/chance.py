"""Random numbers of a picture that no attribute controls: a hash of its identity."""

import numpy as np
import torch
from torch import Tensor

from lab.core.seeds import mix


def hashed(identity: Tensor, salt: int | Tensor) -> Tensor:
    """A number in [0, 1) float64 for each identity and salt.

    `identity` (N,) int64 and `salt`, a whole number or an int64 tensor, are broadcast together.
    """
    salts = (
        salt.numpy().view(np.uint64) if isinstance(salt, Tensor) else np.array([salt], np.uint64)
    )
    counter = identity.numpy().view(np.uint64) + salts * np.uint64(0x9E3779B97F4A7C15)
    return torch.from_numpy((mix(counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53)
