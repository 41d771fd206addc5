"""Several processes that train one network: each takes its part of every batch.

`torchrun --nproc-per-node 2 scripts/train.py …` starts them. Gradients are added up over all
processes in one flat row, always in the same order, so that a resumed run repeats an uninterrupted
one for any number of processes; torch's DistributedDataParallel changes its order after its first
step, which is another step in a resumed run.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from lab.names import plain

T = TypeVar("T")


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

    def add_up(self, tensors: Sequence[Tensor]) -> None:
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

    def follow(self, tensors: Sequence[Tensor]) -> None:
        """Replace each of the `tensors` by the first process's."""
        if self.alone:
            return
        with self._company():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def agree(self, *wishes: int) -> tuple[int, ...]:
        """The greatest that any process says, for each of the `wishes` (of yes and no: yes)."""
        if self.alone:
            return wishes
        said = torch.tensor(wishes, dtype=torch.int64)
        with self._company():
            dist.all_reduce(said, op=dist.ReduceOp.MAX, group=self._control)
        return tuple(said.tolist())

    def share(self, value: T) -> T:
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
    """How many processes torchrun has started for this run; 1 without it."""
    started = all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"))
    return int(os.environ["WORLD_SIZE"]) if started else 1


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Meet the other processes that torchrun has started, if it has: by NCCL on a GPU, else Gloo.

    On a machine with several GPUs each process takes its own.
    """
    if world_size() == 1:
        yield ALONE
        return
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if gpu else "gloo")
    control = dist.new_group(backend="gloo") if gpu else None
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), control=control)
    finally:
        with suppress(RuntimeError):  # the others may be gone
            dist.destroy_process_group()
