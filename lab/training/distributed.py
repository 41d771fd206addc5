"""Data-parallel training: several processes share one network and each batch.

`torchrun --nproc-per-node 2 scripts/train.py …` starts them. Gradients are summed over all
processes in one flat buffer, always in the same order, so that a resumed run repeats an
uninterrupted one for any number of processes; torch's DistributedDataParallel rebuilds its buckets
after its first step, which is another step in a resumed run.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from lab.core.errors import LabError
from lab.core.machine import TORCHRUN
from lab.core.text import plain

T = TypeVar("T")

WARN_AFTER, TIMEOUT = 10.0, 600.0
"""Seconds that a process waits at the start for the others: before it prints a line, and before it
fails."""


class PeerLost(LabError, RuntimeError):
    """Another process of the run has died, so that a collective cannot complete."""


class Processes:
    """This process's view of a distributed run (data parallel, one process per device): `rank` of
    `count`.

    The default is a single-process run, for which every collective is a no-op.
    """

    def __init__(self, rank: int = 0, count: int = 1, *, control: Any = None) -> None:
        self.rank = rank
        self.count = count
        self.first = rank == 0
        """Whether this is rank 0, the only one that evaluates, logs and writes checkpoints."""
        self.single = count == 1
        self.part = slice(rank, None, count)
        """This process's part of a batch; those of all ranks are disjoint and make the batch."""
        self._control = control  # a Gloo group for CPU objects, where the device is a GPU

    def all_reduce_sum_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each of the `tensors` (floating point or complex, on one device) by its sum over
        all processes."""
        if self.single:
            return
        tensors = [torch.view_as_real(t) if t.is_complex() else t for t in tensors]
        row = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._peers_needed():
            dist.all_reduce(row)
        pieces = torch.split(row, [tensor.numel() for tensor in tensors])
        for tensor, piece in zip(tensors, pieces, strict=True):
            tensor.copy_(piece.view(tensor.shape))

    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each of the `tensors` by that of rank 0."""
        if self.single:
            return
        with self._peers_needed():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def all_reduce_max(self, *numbers: int) -> tuple[int, ...]:
        """The maximum over all processes of each of the `numbers` (of truth values: whether any is
        true)."""
        if self.single:
            return numbers
        largest = torch.tensor(numbers, dtype=torch.int64)
        with self._peers_needed():
            dist.all_reduce(largest, op=dist.ReduceOp.MAX, group=self._control)
        return tuple(largest.tolist())

    def broadcast_object(self, value: T) -> T:
        """The `value` of rank 0, any picklable object, in all processes; the others' is ignored."""
        if self.single:
            return value
        box = [value]
        with self._peers_needed():
            dist.broadcast_object_list(box, src=0, group=self._control)
        return box[0]

    @contextmanager
    def _peers_needed(self) -> Iterator[None]:
        """Turn what a collective raises when a peer has died into one line."""
        try:
            yield
        except RuntimeError as error:
            reason = plain(str(error).splitlines()[0])
            raise PeerLost(
                f"process {self.rank} of {self.count} stops, because another one has ended:"
                f" torchrun says which ({reason})"
            ) from None


SINGLE = Processes()
"""A single-process run."""


def world_size() -> int:
    """The number of processes that torchrun has started for this run, from its environment
    variables; 1 without them or if they are empty. `ValueError` names an invalid one."""
    if not all(map(_env, ("RANK", "WORLD_SIZE", "MASTER_ADDR"))):
        return 1
    count = _env_int("WORLD_SIZE", 1, 65_536)
    if count > 1:
        _env_int("RANK", 0, count - 1)
        _env_int("MASTER_PORT", 1, 65_535)
    return count


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Initialize the process group if torchrun has started several processes: NCCL on GPUs, one
    per process, else Gloo. Destroy it at the end.

    Raises `ValueError` if the others do not connect within `TIMEOUT` seconds, or if torch or the
    device does not support several processes.
    """
    count = world_size()
    if count == 1:
        yield SINGLE
        return
    if not dist.is_available():
        raise ValueError(f"WORLD_SIZE={count}: torch {torch.__version__} can train by one process")
    if device.type == "mps":
        raise ValueError(f"--device mps is for one process: use --device cpu for {count}")
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.set_device(_env_int("LOCAL_RANK", 0, torch.cuda.device_count() - 1))
    rank = _env_int("RANK", 0, count - 1)
    dist.init_process_group(
        "nccl" if gpu else "gloo", store=_rendezvous(rank, count), rank=rank, world_size=count
    )
    control = dist.new_group(backend="gloo") if gpu else None
    try:
        yield Processes(rank, count, control=control)
    finally:
        with suppress(RuntimeError):  # the others may be gone
            dist.destroy_process_group()


def _rendezvous(rank: int, count: int) -> Any:
    """The key-value store of the process group, once all `count` processes have connected to it.

    In a thread: torch's rendezvous blocks without handling Ctrl-C.
    """
    from torch.distributed.rendezvous import rendezvous  # missing in some builds

    address = f"{_env('MASTER_ADDR')}:{_env('MASTER_PORT')}"
    advice = (
        f"to train by one process, unset RANK and WORLD_SIZE (they are {rank} and {count}); to"
        f" start all, torchrun --nproc-per-node {count} …"
    )
    found: list[Any] = []

    def connect() -> None:
        limit = timedelta(seconds=TIMEOUT)
        try:
            store, _, _ = next(rendezvous("env://", timeout=limit))
            store.set(f"here/{rank}", "")
            store.wait([f"here/{other}" for other in range(count)], limit)
            store.set_timeout(dist.default_pg_timeout)
            found.append(store)
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    began, warned = time.monotonic(), False
    while not found:
        thread.join(0.1)
        if not warned and time.monotonic() - began > WARN_AFTER:
            warned = True
            print(
                f"waiting at {address} for the other {count - 1} of {count} processes, for"
                f" {TIMEOUT:g} s at most; {advice}",
                file=sys.stderr,
                flush=True,
            )
    if isinstance(found[0], Exception):
        reason = str(found[0]).splitlines()[0]
        raise ValueError(
            f"the {count} processes did not meet at {address} within {TIMEOUT:g} s ({reason});"
            f" {advice}"
        )
    return found[0]


def _env(name: str) -> str:
    """An environment variable without surrounding spaces; "" if it is not set."""
    return os.environ.get(name, "").strip()


def _env_int(name: str, low: int, high: int) -> int:
    """An environment variable's whole number; `ValueError` unless it is from `low` to `high`."""
    text = _env(name)
    if not (text.isdecimal() and low <= int(text) <= high):
        others = ", ".join(f"{name}={_env(name)}" for name in TORCHRUN[:2])
        raise ValueError(
            f"the environment variable {name} must be {low} to {high:,}, not {text!r} ({others} ask"
            " for several processes: unset them to train by one)"
        )
    return int(text)
