"""Whether an objective's state is the same in all processes of a distributed run."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

from lab.models import NetworkError
from lab.training.distributed import Processes


def check_agreement(objective: str, state: Any, processes: Processes, *, step: int) -> None:
    """Raise `NetworkError` in all processes if the `state` of the objective of that name, after
    `step` steps, is not the same to the bit in all of them: each then minimizes something else,
    and a checkpoint has that of one of them only."""
    if processes.single:
        return
    mine = int.from_bytes(_digest(state)[:7], "big")
    most, least = processes.all_reduce_max(mine, -mine)
    if most == -least:
        return
    failure = NetworkError(
        f"--objective {objective}: after step {step:,} its state() is not the same in all"
        f" {processes.count} processes, each of which has seen its own part of the batch: sum what"
        " it takes from a batch over them (spec.processes.all_reduce_sum_, given to start), or"
        " train with one process"
    )
    failure.step = step
    raise failure


def _digest(value: Any) -> bytes:
    """A digest of tensors and plain values, nested in dictionaries and sequences."""
    found = hashlib.sha256(type(value).__name__.encode())
    if isinstance(value, Tensor):
        plain = value.detach().cpu().to_dense() if value.layout != torch.strided else value
        numbers = plain.detach().cpu().contiguous().reshape(-1)
        found.update(f"{tuple(value.shape)} {value.dtype}".encode())
        found.update(numbers.view(torch.uint8).numpy().tobytes())
    elif isinstance(value, dict):
        for key in sorted(value, key=str):
            found.update(str(key).encode() + _digest(value[key]))
    elif isinstance(value, (list, tuple)):
        for each in value:
            found.update(_digest(each))
    else:
        found.update(repr(value).encode())
    return found.digest()
