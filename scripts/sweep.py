"""Many runs: every combination of some settings, several seeds each, and what came out of them.

python3 scripts/sweep.py --grid num_train=32,100,300 model=cnn,mlp --seeds 3
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.core.cli import main
from lab.core.config import RunConfig
from lab.core.machine import processors


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Run every combination of some settings with several seeds; the same command goes on with it.
    Nothing of the pictures and the reliance of single runs: --pictures and --counterfactuals 48
    bring them back."""

    grid: tuple[str, ...]
    """What to vary: setting=value,value for any setting, such as num_train=32,100
    cues=,eye_color:0.9 model=cnn,mlp. In a list of texts + joins those of one value; nothing stands
    for none; values that hold commas are separated by semicolons."""
    seeds: int = 3
    """Runs of each combination, 1 or more; their seeds start from --seed."""
    processes: int = processors()
    """Runs at a time on this machine, one thread each, 1 or more; by default one on each processor
    that this process may use (of its container, too)."""
    executor: str = "local"
    """Who does the runs: local, or a running cluster's workers, dask://host:port or ray://auto."""
    figures: tuple[str, ...] = ()
    """Last figures to draw, and to show in the table too, such as gap/accuracy. None named:
    accuracy, gap and membership AUC."""
    axes: tuple[str, ...] = ()
    """Settings to draw them over, one or two of the grid's. None named: its own, numbers first."""
    run: RunConfig = field(
        default_factory=lambda: RunConfig(out=Path("runs/sweep"), counterfactuals=0, pictures=False)
    )


def sweep(flags: Flags) -> int:
    """Do the runs, show the progress, print the table, draw the pictures."""
    from lab.core.config import refuse
    from lab.experiments import Progress, parse_grid, run_grid
    from lab.experiments.show.sweep import check_results

    grid = parse_grid(flags.grid)
    once = dict.fromkeys(grid, "--grid")
    refuse(flags.run, name="the grid", threads="the sweep (one for each run)", **once)
    check_results(grid, flags.run.out, tags=flags.figures, axes=flags.axes)
    table = run_grid(
        flags.run, grid, seeds=flags.seeds, processes=flags.processes, executor=flags.executor,
        watch=Progress(),
    )  # fmt: skip
    from lab.experiments.show.means import MEAN
    from lab.experiments.show.sweep import write_results
    from lab.experiments.show.tables import to_markdown

    pictures = write_results(table, tags=flags.figures, axes=flags.axes)
    print(to_markdown(table, flags.figures), "\n")
    for path in (table.out / "sweep.csv", *pictures):
        print(path)
    if table.tags and not pictures:
        print("no figure: a map takes two settings, a curve three values of a number")
    for tag in flags.figures:
        if table.tags and tag not in table.tags:
            print(f"no finished run has the figure {tag}", file=sys.stderr)
    if table.tags:
        print(f"Look at the means over seeds: python3 scripts/board.py --logdir {table.out / MEAN}")
    return table.complain()


if __name__ == "__main__":
    sys.exit(main(sweep))
