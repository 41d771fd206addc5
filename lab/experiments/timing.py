"""Timing of alternating jobs, so that other load on the machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch.nn.functional import cross_entropy

from lab.core.config import TrainConfig
from lab.models import ModelSpec, create_model


def take_turns(
    jobs: Mapping[str, Callable[[], int]],
    *,
    repetitions: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, list[float]]:
    """Run every job in turn, `repetitions` times, after one warm-up; seconds per item of each.

    A job returns how many items it did. The default clock counts the seconds that a processor
    worked for this process: others on the machine make them longer, but far less than time on the
    wall, and alike for jobs that take turns.
    """
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(repetitions):
        for name, job in jobs.items():
            start = clock()
            done = job()
            seconds[name].append((clock() - start) / done)
    return seconds


def ratio(slow: Sequence[float], fast: Sequence[float]) -> tuple[float, str]:
    """How many times as fast `fast` is: the ratio of medians, and the range of ratios in turn."""
    pairs = sorted(a / b for a, b in zip(slow, fast, strict=True))
    value = statistics.median(slow) / statistics.median(fast)
    return value, f"{pairs[0]:.3g} to {pairs[-1]:.3g} in {len(pairs)} turns"


def rate(seconds: Sequence[float]) -> float:
    """Items per second, from the median."""
    return 1 / statistics.median(seconds)


def steps_of(model: str, spec: ModelSpec | None = None) -> Callable[[int], int]:
    """A function that trains `model` for so many steps on random pictures, from where it is, in
    batches of the usual size, and returns their number."""
    spec, batch = spec or ModelSpec(), TrainConfig().batch_size
    torch.manual_seed(0)
    network = create_model(model, spec).train()
    size = spec.image_size
    images = torch.rand(batch, spec.in_channels, size, size) * 2 - 1
    labels = torch.arange(batch) % spec.num_outputs
    weights = list(network.parameters())
    fused = all(weight.is_floating_point() for weight in weights)  # not of complex numbers
    optimizer = torch.optim.AdamW(weights, lr=1e-3, weight_decay=0.0, fused=fused or None)

    def train(steps: int) -> int:
        for _ in range(steps):
            optimizer.zero_grad()
            cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return steps

    return train
