"""A model's logits on pictures, computed without any effect on the model or the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from lab.core.text import memory_ran_out
from lab.models import (
    Settings,
    blamed,
    device_of,
    is_known,
    treats_examples_alone,
    untouched,
)
from lab.models import to_input as stored_input
from lab.models.threads import ALONE, given_threads

BATCH = 100
"""Pictures at once. At 32 px the default network does 11,900 a second with 64 to 125 of them, whose
layers stay in cache, and 8,000 with 1,000."""

ON_GPU = 2_048 * 32 * 32
"""Pixels of the pictures at once on a GPU, if that is more than `BATCH` pictures: smaller batches
would leave it idle between kernels."""


def predict(
    model: nn.Module,
    images: Tensor,
    *,
    to_input: Callable[[Tensor], Tensor] = stored_input,
    batch_size: int | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    seed: int = 0,
    training: bool = False,
) -> Tensor:
    """The logits (N, C), float32 on the CPU, of uint8 pictures (N, 3, S, S) wherever they live.

    Runs where the model lives, in eval mode (or in `training` mode) and without gradients;
    parameters, buffers, the training flag of every submodule, random states and torch's settings
    stay as they were. `batch_size` None: `BATCH` pictures at once; known networks on a GPU get
    those of `ON_GPU` pixels; where the memory is not enough, half as many until it is. `to_input`
    makes uint8 what the model is fed. `precision` 'bfloat16' computes in autocast. Batches are
    divided among the threads that are lent (`lab.models.threads`), if the network treats each
    example alone: the logits are the same. A network that draws random numbers in eval mode draws
    them from `seed`.
    Raises `NetworkError` if its code fails, and `ValueError` for pictures of another kind.
    """
    if to_input is stored_input:
        _check(images)
    device = device_of(model)
    if batch_size is None:
        batch_size = _batch_size(model, images) if to_input is stored_input else BATCH
        batch_size = min(batch_size, max(1, len(images)))
        while batch_size > 1:
            try:
                return predict(
                    model, images, to_input=to_input, batch_size=batch_size, precision=precision,
                    seed=seed, training=training,
                )  # fmt: skip
            except Exception as error:
                if not memory_ran_out(error):
                    raise
            batch_size = BATCH if batch_size > BATCH else batch_size // 2
    threads = given_threads()
    on_cpu = device.type == "cpu"
    if threads is not ALONE and (training or not on_cpu or not treats_examples_alone(model)):
        threads = ALONE  # the network may do in Python what it wants
    with blamed("the network"), untouched(model, training=training, seed=seed):
        settings = Settings.now()

        def answers(start: int) -> Tensor:
            shown = images[start : start + batch_size].to(device)
            fed = to_input(shown)
            if fed.untyped_storage().data_ptr() == images.untyped_storage().data_ptr():
                fed = fed.clone()  # it may write into what it is fed
            autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
            with torch.no_grad(), autocast:  # of this thread
                found = model(fed)
            if not isinstance(found, Tensor):
                raise TypeError(f"it must return logits (N, C), not a {type(found).__name__}")
            kept = found.clone()  # it may return a buffer that it uses again
            if threads is ALONE:
                settings.restore()
            return kept

        logits = threads.map(answers, range(0, max(1, len(images)), batch_size))
    return torch.cat(logits).detach().float().cpu()  # (N, C)


def _batch_size(model: nn.Module, images: Tensor) -> int:
    """How many pictures at once are tried first."""
    if device_of(model).type != "cuda" or len(images) == 0 or not is_known(model):
        return BATCH
    return max(BATCH, ON_GPU // images[0, 0].numel())


def _check(images: Tensor) -> None:
    """Raise `ValueError` for what are no stored pictures, which is no fault of the network's."""
    if not isinstance(images, Tensor):
        raise ValueError(f"pictures must be a tensor, not a {type(images).__name__}")
    if images.ndim != 4:
        raise ValueError(f"pictures must be (N, C, S, S), not {tuple(images.shape)}")
    stored_input(images[:0])
