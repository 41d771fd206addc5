"""The conversion of stored pictures to a network's input."""

import torch
from torch import Tensor


def to_stored(inputs: Tensor) -> Tensor:
    """A network's input (..., C, S, S), float from -1 to 1, as pictures uint8, 0 to 255: the
    reverse of `to_input`, rounded."""
    return ((inputs.float() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)


def to_input(images: Tensor) -> Tensor:
    """Pictures (..., C, S, S) uint8, 0 to 255, as a network's input: float32 from -1 to 1.

    `ValueError` for another dtype: floats from 0 to 1 would all become nearly black.
    """
    if images.dtype != torch.uint8:
        raise ValueError(f"pictures must be uint8, 0 to 255, not {images.dtype}")
    return images.float().div_(127.5).sub_(1)  # a new tensor: no others for each operation
