"""The device of a run, CPU threads and deterministic kernels."""

import os

import torch

from lab.core.errors import LabError
from lab.core.machine import processors


class NoDevice(LabError, ValueError):
    """This machine has no such device; `reason` is torch's, without a flag and advice."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"--device {name}: {reason}; try --device cpu or --device auto")
        self.reason = reason


def choose_device(name: str) -> torch.device:
    """The device called `name`: auto, cpu, cuda or mps; `NoDevice` with torch's reason if this
    machine has none."""
    have = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if have[kind])
    if not have.get(name):
        raise NoDevice(name, _why_not(name))
    return torch.device(name)


def describe(device: torch.device) -> str:
    """The device's name for people, such as "cuda (NVIDIA A100)"."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type


def set_threads(count: int) -> int:
    """Use `count` CPU threads (0: one per processor of this process); returns how many."""
    chosen = count or processors()
    torch.set_num_threads(chosen)
    return chosen


def make_deterministic(wanted: bool = True) -> None:
    """Use only deterministic kernels (torch raises for operations without one), or any.

    Call it before the first computation on a GPU: cuBLAS reads its environment variable then.
    """
    if wanted:  # one of the two values that cuBLAS documents
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if wanted != torch.are_deterministic_algorithms_enabled():  # the call imports torch._inductor
        torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.benchmark = False


def _why_not(name: str) -> str:
    if name == "cuda":
        built = torch.version.cuda
        if built is None:
            return f"torch {torch.__version__} was built without CUDA"
        return f"torch {torch.__version__} (CUDA {built}) finds no usable NVIDIA GPU or driver"
    if name == "mps":
        known = torch.backends.mps.is_built()
        return f"torch {torch.__version__} {'finds no Apple GPU' if known else 'has no MPS part'}"
    return "there is no such device"
