"""More faces, less memorization: the same run at many training-set sizes, several seeds each.

python3 scripts/ladder.py --sizes 32 100 300 1000 --seeds 3
"""

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import _bootstrap  # noqa: F401

from lab.cli import main
from lab.config import RunConfig, TrainConfig, check
from lab.grid import refuse


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Train at every training-set size with several seeds, and print the table of what came out."""

    sizes: tuple[int, ...] = (32, 100, 300, 1000, 3000, 10_000, 30_000)
    """Numbers of training faces."""
    seeds: int = 3
    """Runs at each size, 1 or more; they start from --seed."""
    processes: int = os.cpu_count() or 1
    """Runs at a time, one thread each."""
    run: RunConfig = field(
        default_factory=lambda: RunConfig(out=Path("runs/ladder"), train=TrainConfig(steps=3000))
    )


def ladder(flags: Flags) -> None:
    """Climb, show the progress, print the table, draw the picture."""
    for name in ("seeds", "processes"):
        if getattr(flags, name) < 1:
            raise ValueError(f"--{name} must be 1 or more, not {getattr(flags, name)}")
    for size in flags.sizes:
        check(replace(flags.run, data=replace(flags.run.data, num_train=size)))
    refuse(flags.run, num_train="--sizes", name="the grid")
    from tqdm import tqdm

    from lab import ladder as rungs

    total = len(flags.sizes) * flags.seeds
    climbing = rungs.climb(flags.run, flags.sizes, flags.seeds, processes=flags.processes)
    for _ in tqdm(climbing, total=total, unit="run", smoothing=0):
        pass
    result = rungs.read(flags.run, flags.sizes, flags.seeds)
    print(rungs.to_markdown(result))
    rungs.plot(result, flags.run.out / "ladder.png")
    print(f"\n{flags.run.out / 'ladder.png'}")


if __name__ == "__main__":
    sys.exit(main(ladder))
