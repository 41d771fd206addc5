"""Several processes that train one network: each takes its part of every batch.

`torchrun --nproc-per-node 2 scripts/train.py …` starts them. Gradients are added up over all
processes in one flat row, always in the same order, so that a resumed run repeats an uninterrupted
one for any number of processes; torch's DistributedDataParallel changes its order after its first
step, which is another step in a resumed run.
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

from lab.core.machine import TORCHRUN
from lab.core.text import plain

T = TypeVar("T")

HURRY, WAIT = 10.0, 600.0
"""Seconds that a process waits for the others before it says so, and before it gives up."""


class Deserted(RuntimeError):
    """Another process of the run has ended without a word."""


class Processes:
    """The processes of a run as one of them sees them: it is number `rank` of `count`.

    By itself a run of one process, to which nobody else has anything to say.
    """

    def __init__(self, rank: int = 0, count: int = 1, *, control: Any = None) -> None:
        self.rank = rank
        self.count = count
        self.first = rank == 0
        """Whether it is the one that measures, writes and speaks."""
        self.alone = count == 1
        self.part = slice(rank, None, count)
        """Its part of a batch: together they have every face, and none has two."""
        self._control = control  # a group on the CPU, whatever the device

    def all_reduce_sum_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each of the `tensors` (floating point or complex, on one device) by its sum over
        all processes."""
        if self.alone:
            return
        tensors = [torch.view_as_real(t) if t.is_complex() else t for t in tensors]
        row = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._company():
            dist.all_reduce(row)
        pieces = torch.split(row, [tensor.numel() for tensor in tensors])
        for tensor, piece in zip(tensors, pieces, strict=True):
            tensor.copy_(piece.view(tensor.shape))

    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each of the `tensors` by the first process's."""
        if self.alone:
            return
        with self._company():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def all_reduce_max(self, *wishes: int) -> tuple[int, ...]:
        """The greatest that any process says, for each of the `wishes` (of yes and no: yes)."""
        if self.alone:
            return wishes
        said = torch.tensor(wishes, dtype=torch.int64)
        with self._company():
            dist.all_reduce(said, op=dist.ReduceOp.MAX, group=self._control)
        return tuple(said.tolist())

    def broadcast_object(self, value: T) -> T:
        """What the first process has, for all of them; the others' `value` does not matter."""
        if self.alone:
            return value
        box = [value]
        with self._company():
            dist.broadcast_object_list(box, src=0, group=self._control)
        return box[0]

    @contextmanager
    def _company(self) -> Iterator[None]:
        """One line where torch raises because another process is gone."""
        try:
            yield
        except RuntimeError as error:
            reason = plain(str(error).splitlines()[0])
            raise Deserted(
                f"process {self.rank} of {self.count} stops, because another one has ended:"
                f" torchrun says which ({reason})"
            ) from None


ALONE = Processes()
"""A run of one process."""


def world_size() -> int:
    """How many processes torchrun has started for this run; 1 without it.

    Variables that are empty count as none. `ValueError` names one that makes no sense.
    """
    if not all(map(_told, ("RANK", "WORLD_SIZE", "MASTER_ADDR"))):
        return 1
    count = _number("WORLD_SIZE", 1, 65_536)
    if count > 1:
        _number("RANK", 0, count - 1)
        _number("MASTER_PORT", 1, 65_535)
    return count


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Meet the other processes that torchrun has started, if it has: by NCCL on a GPU, else Gloo.

    On a machine with several GPUs each process takes its own. Raises `ValueError` if the others do
    not come within `WAIT` seconds, or if there is no way to meet them.
    """
    count = world_size()
    if count == 1:
        yield ALONE
        return
    if not dist.is_available():
        raise ValueError(f"WORLD_SIZE={count}: torch {torch.__version__} can train by one process")
    if device.type == "mps":
        raise ValueError(f"--device mps is for one process: use --device cpu for {count}")
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.set_device(_number("LOCAL_RANK", 0, torch.cuda.device_count() - 1))
    rank = _number("RANK", 0, count - 1)
    dist.init_process_group(
        "nccl" if gpu else "gloo", store=_meet(rank, count), rank=rank, world_size=count
    )
    control = dist.new_group(backend="gloo") if gpu else None
    try:
        yield Processes(rank, count, control=control)
    finally:
        with suppress(RuntimeError):  # the others may be gone
            dist.destroy_process_group()


def _meet(rank: int, count: int) -> Any:
    """The store that all `count` processes share, as soon as all of them have come to it.

    In a thread: within torch, Ctrl-C would not be heard before the others come.
    """
    from torch.distributed.rendezvous import rendezvous  # not every torch has it

    address = f"{_told('MASTER_ADDR')}:{_told('MASTER_PORT')}"
    alone = (
        f"to train by one process, unset RANK and WORLD_SIZE (they are {rank} and {count}); to"
        f" start all, torchrun --nproc-per-node {count} …"
    )
    found: list[Any] = []

    def meet() -> None:
        patience = timedelta(seconds=WAIT)
        try:
            store, _, _ = next(rendezvous("env://", timeout=patience))
            store.set(f"here/{rank}", "")
            store.wait([f"here/{other}" for other in range(count)], patience)
            store.set_timeout(dist.default_pg_timeout)
            found.append(store)
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=meet, daemon=True)
    thread.start()
    began, told = time.monotonic(), False
    while not found:
        thread.join(0.1)
        if not told and time.monotonic() - began > HURRY:
            told = True
            print(
                f"waiting at {address} for the other {count - 1} of {count} processes, for"
                f" {WAIT:g} s at most; {alone}",
                file=sys.stderr,
                flush=True,
            )
    if isinstance(found[0], Exception):
        reason = str(found[0]).splitlines()[0]
        raise ValueError(
            f"the {count} processes did not meet at {address} within {WAIT:g} s ({reason}); {alone}"
        )
    return found[0]


def _told(name: str) -> str:
    """What torchrun says in an environment variable; "" for nothing."""
    return os.environ.get(name, "").strip()


def _number(name: str, low: int, high: int) -> int:
    """A variable's whole number; `ValueError` if it is none from `low` to `high`."""
    text = _told(name)
    if not (text.isdecimal() and low <= int(text) <= high):
        others = ", ".join(f"{name}={_told(name)}" for name in TORCHRUN[:2])
        raise ValueError(
            f"the environment variable {name} must be {low} to {high:,}, not {text!r} ({others} ask"
            " for several processes: unset them to train by one)"
        )
    return int(text)
