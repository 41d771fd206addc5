"""The NVIDIA GPUs of this machine, which the workers of the local executor share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Environment variable: the GPUs that a process may use, by number or name, separated by commas."""

MPS = "nvidia-cuda-mps-control"
"""NVIDIA's Multi-Process Service: without it processes take turns on a GPU."""


def environment(worker: int) -> dict[str, str]:
    """What the environment of a worker, counted from 0, has in addition: where this process sees
    several GPUs the one that the worker uses, each as many workers as another."""
    count = torch.cuda.device_count()  # makes no connection to a GPU
    if count < 2:
        return {}
    names = os.environ.get(VISIBLE) or ",".join(map(str, range(count)))
    return {VISIBLE: names.split(",")[worker % count].strip()}


def advice(processes: int) -> tuple[str, ...]:
    """A line for whoever lets so many processes share GPUs that compute for one at a time, where
    that can be changed."""
    count = torch.cuda.device_count()
    shared = count and processes > count
    if not shared or _mps_runs() or shutil.which(MPS) is None:
        return ()
    gpus = "one GPU" if count == 1 else f"{count} GPUs"
    return (
        f"{processes} processes take turns on {gpus}; with NVIDIA's MPS they compute at the same"
        f" time, which is faster for small networks: {MPS} -d starts it",
    )


def _mps_runs() -> bool:
    """Whether the service has noted its process number where processes look for its pipes; the
    pipes themselves stay when it ends."""
    pipes = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"))
    return (pipes / f"{MPS}.pid").exists()
