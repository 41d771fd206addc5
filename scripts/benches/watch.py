"""What `lab.watch` costs in a training loop of another program: with against without, in turns."""

import statistics
import tempfile
import time
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Processor seconds of a loop from its first line to its last, and of the parts that are the
    watcher's; its own clock's `share` of the time, 0 to 1, and how `often` it measured."""

    seconds: float
    opening: float = 0.0
    measuring: float = 0.0
    closing: float = 0.0
    share: float = 0.0
    often: int = 0


def measure(*, quick: bool) -> list[Row]:
    """Processor seconds of a loop, watched against not watched, and of a call that measures
    nothing."""
    steps, turns = (1000, 2) if quick else (2000, 4)
    world = open_world(DataConfig(num_train=1000, num_test=2000), seed=0)
    sets = tuple(ExamplesDataset(world.load(*each)) for each in (("train", 1000), ("test", 2000)))
    _loop(sets, 50, watched=True)  # what is loaded once
    pairs = []
    for turn in range(turns):  # which of the two is first changes from turn to turn
        first = turn % 2 == 1
        found = {watched: _loop(sets, steps, watched=watched) for watched in (first, not first)}
        pairs.append((found[True], found[False]))
    ratios = [watched.seconds / plain.seconds for watched, plain in pairs]
    note = f"{min(ratios):.3g} to {max(ratios):.3g} in {turns} turns of {steps:,} steps"

    def part(what: str) -> Row:
        shares = [getattr(watched, what) / watched.seconds for watched, _ in pairs]
        seconds = statistics.median(getattr(watched, what) for watched, _ in pairs)
        return Row(what=f"  {what}", value=100 * statistics.median(shares), unit="%",
                   note=f"of the watched loop, {seconds:.2g} s")  # fmt: skip

    often = statistics.median(watched.often for watched, _ in pairs)
    share = statistics.median(watched.share for watched, _ in pairs)
    return [
        Row(what="a watched loop against the same loop", value=statistics.median(ratios), unit="×",
            most=GOAL, note=note),
        part("opening"),
        part("measuring"),
        part("closing"),
        Row(what="  it was measured", value=often, unit="times", note="with the first and last"),
        Row(what="  share of the time by its own clock", value=100 * share, unit="%", most=5.0),
        Row(what="a call that measures nothing", value=1e6 * _idle(sets), unit="µs"),
    ]  # fmt: skip


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, stride=2), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2), nn.BatchNorm2d(64), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 2),
    )  # fmt: skip


def _loop(sets: Sets, steps: int, *, watched: bool) -> Loop:
    """A loop of so many steps. Opening includes the first measurement, closing the last one;
    measuring is what is between."""
    model, (train, test) = _network(), sets
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(train, batch_size=64, shuffle=True, drop_last=True)
    clock = time.process_time
    start, done, opening, measuring, closing = clock(), 0, 0.0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        watcher = watch(
            model, train=train, test=test, out=Path(folder) / "run", steps=steps, quiet=True
        )
        if watched:
            watcher.open()
            opening = clock() - start
        while done < steps:
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
                if watched:
                    before = clock()
                    watcher(done)
                    measuring += clock() - before
                done += 1
                if done == steps:
                    break
        if not watched:
            return Loop(seconds=clock() - start)
        before = clock()
        watcher.close()
        end = clock()
        closing = end - before
    return Loop(
        seconds=end - start, opening=opening, measuring=measuring, closing=closing,
        share=watcher.share_taken, often=watcher.times,
    )  # fmt: skip


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
