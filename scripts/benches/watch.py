"""What `lab.watch` costs in a training loop of another program: with against without, in turns."""

import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from benches.table import Row
from lab import watch
from lab.core.config import DataConfig
from lab.worlds import ExamplesDataset, open_world

GOAL = 1.06
"""Times as long that a watched loop may take: share=0.05 of its time is 1.053."""

Sets = tuple[ExamplesDataset, ExamplesDataset]


def measure(*, quick: bool) -> list[Row]:
    """Processor seconds of a loop, watched against not watched, and of a call that measures
    nothing."""
    steps, turns = (1000, 1) if quick else (2000, 5)
    world = open_world(DataConfig(num_train=1000, num_test=2000), seed=0)
    sets = tuple(ExamplesDataset(world.load(*each)) for each in (("train", 1000), ("test", 2000)))
    plain, watched, told = [], [], []
    _loop(sets, 50, watched=True)  # what is loaded once
    for _ in range(turns):
        plain.append(_loop(sets, steps, watched=False)[0])
        seconds, times, share = _loop(sets, steps, watched=True)
        watched.append(seconds)
        told.append((times, share))
    ratios = [one / other for one, other in zip(watched, plain, strict=True)]
    note = f"{min(ratios):.3g} to {max(ratios):.3g} in {turns} turns of {steps:,} steps"
    return [
        Row(what="a watched loop against the same loop", value=statistics.median(ratios), unit="×",
            most=GOAL, note=note),
        Row(what="  it was measured", value=statistics.median(t for t, _ in told), unit="times"),
        Row(what="  share of the time by its own clock", unit="%", most=5.0,
            value=100 * statistics.median(s for _, s in told)),
        Row(what="a call that measures nothing", value=1e6 * _idle(sets), unit="µs"),
    ]  # fmt: skip


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, stride=2), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2), nn.BatchNorm2d(64), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 2),
    )  # fmt: skip


def _loop(sets: Sets, steps: int, *, watched: bool) -> tuple[float, int, float]:
    """Processor seconds of a loop, how often it was measured, and the share that this took."""
    model, (train, test) = _network(), sets
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(train, batch_size=64, shuffle=True, drop_last=True)
    start, done = time.process_time(), 0
    with tempfile.TemporaryDirectory() as folder:
        watcher = watch(
            model, train=train, test=test, out=Path(folder) / "run", steps=steps, quiet=True
        )
        if watched:
            watcher.open()
        while done < steps:
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
                if watched:
                    watcher(done)
                done += 1
                if done == steps:
                    break
        if not watched:
            return time.process_time() - start, 0, 0.0
        watcher.close()
    return time.process_time() - start, watcher.times, watcher.share_taken


def _idle(sets: Sets) -> float:
    """Seconds of a call that is not due."""
    calls = 20_000
    with tempfile.TemporaryDirectory() as folder:
        options = {"out": Path(folder) / "run", "every": 10 * calls, "quiet": True, "most": 2}
        with watch(_network(), train=sets[0], test=sets[1], **options) as watched:
            watched(0)
            start = time.process_time()
            for step in range(1, calls):
                watched(step)
            return (time.process_time() - start) / calls
