"""Runs of every combination of some settings, several seeds each, and their results.

Example: --grid num_train=32,100,300 model=cnn,mlp --seeds 3
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from lab.commands._given import refuse_idle, refuse_processes, refuse_width
from lab.core.config import ONE_THREAD, RunConfig, refuse
from lab.core.machine import processors
from lab.core.program import from_here, quoted


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Run every combination of some settings with several seeds. The same command again continues
    an interrupted sweep. By default pictures are not logged and reliance is not measured:
    --pictures and --counterfactuals 48 switch them on."""

    grid: tuple[str, ...]
    """What to vary: setting=value,value for any setting, such as num_train=32,100
    cues=,eye_color:0.9 model=cnn,mlp. For a setting that is a list (cues), + joins the items of one
    value, and an empty value is the empty list; values that contain commas are separated by
    semicolons."""
    seeds: int = 3
    """Runs of each combination, 1 or more; their seeds start from --seed."""
    processes: int = processors()
    """Runs at a time on this machine, one thread each, 1 or more; by default one on each processor
    that this process may use (of its container, too)."""
    executor: str = "local"
    """Where the runs are executed: local, or on a running cluster: dask://host:port or
    ray://auto."""
    metrics: tuple[str, ...] = ()
    """Final metrics to show in the tables and figures, by tag, such as gap/accuracy,
    reliance/eye_color, shapley/eyes or seconds/training. None named: accuracies, gap and membership
    AUC, where measured, the latter two as memory is judged by them."""
    axes: tuple[str, ...] = ()
    """Settings on the axes of the figures, one or two of the grid's. None named: those of the grid,
    numeric ones first."""
    compare: str | None = None
    """Setting of the grid along which cells are compared: each cell with the one that has the first
    value of this setting. None: the last setting with several values."""
    run: RunConfig = field(
        default_factory=lambda: RunConfig(
            out=Path("runs/sweep"), counterfactuals=0, pictures=False, snapshots=0
        )
    )

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what the grid and the sweep set."""
        once = {word.partition("=")[0].strip().replace("-", "_"): "--grid" for word in self.grid}
        refuse(names, name="the grid", threads=ONE_THREAD, **once)
        refuse_processes(names, self.executor)
        refuse_idle(names, self.run.data, varied=once)
        if "model" not in once:
            refuse_width({*names, *once}, [self.run.model.model])


def sweep(flags: Flags) -> int:
    """Execute the runs, show the progress, print the tables, draw the figures."""
    from lab.experiments import parse_grid, run_preset
    from lab.experiments.presets.sweep import preset
    from lab.experiments.show.means import MEAN

    grid = parse_grid(flags.grid)
    chosen = preset(flags.run, grid, metrics=flags.metrics, axes=flags.axes, compare=flags.compare)
    outcome = run_preset(
        chosen, seeds=flags.seeds, processes=flags.processes, executor=flags.executor,
        metrics=flags.metrics,
    )  # fmt: skip
    table = outcome.table
    if table.tags and not any(path.suffix == ".png" for path in outcome.files):
        print("no figure: a map takes two settings, a curve three values of a number")
    known = {tag for cell in table.cells for tag in cell.found}
    for tag in flags.metrics:
        if known and tag not in known:
            print(f"no finished run has the metric {tag}", file=sys.stderr)
    if table.tags:
        board = f"{from_here('board')} --logdir {quoted(table.out / MEAN)}"
        print(f"Look at the means over seeds: {board}")
    return table.complain()
