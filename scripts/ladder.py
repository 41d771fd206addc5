"""More faces, less memorization: the same run at many training-set sizes, several seeds each.

python3 scripts/ladder.py --sizes 32 100 300 1000 --seeds 3
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.cli import main
from lab.config import RunConfig, TrainConfig, refuse
from lab.machine import processors


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Train at every training-set size with several seeds, and print the table of what came out."""

    sizes: tuple[int, ...] = (32, 100, 300, 1000, 3000, 10_000, 30_000)
    """Numbers of training faces."""
    seeds: int = 3
    """Runs at each size, 1 or more; they start from --seed."""
    processes: int = processors()
    """Runs at a time, one thread each, 1 or more; by default one on each processor that this
    process may use."""
    run: RunConfig = field(
        default_factory=lambda: RunConfig(out=Path("runs/ladder"), train=TrainConfig(steps=3000))
    )


def ladder(flags: Flags) -> int:
    """Climb, show the progress, print the table, draw the picture."""
    refuse(flags.run, num_train="--sizes", name="the grid")
    from lab import ladder as rungs
    from lab.sweep import run_grid
    from lab.sweep.progress import Progress

    table = run_grid(
        flags.run,
        {"num_train": sorted(flags.sizes)},
        seeds=flags.seeds,
        processes=flags.processes,
        watch=Progress(),
    )
    print(rungs.to_markdown(table))
    rungs.plot(table, flags.run.out / "ladder.png")
    print(f"\n{flags.run.out / 'ladder.png'}")
    return table.complain()


if __name__ == "__main__":
    sys.exit(main(ladder))
