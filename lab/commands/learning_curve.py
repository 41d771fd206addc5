"""The same run at several training-set sizes, several seeds each.

Example: --sizes 32 100 300 1000 --seeds 3
"""

from dataclasses import dataclass, field
from pathlib import Path

from lab.commands._given import refuse_idle, refuse_width
from lab.core.config import ONE_THREAD, RunConfig, TrainConfig, refuse
from lab.core.machine import processors

SIZES = (32, 100, 300, 1000, 3000, 10_000, 30_000)
"""Numbers of drawn training pictures, where none are named."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Train at several training-set sizes, with several seeds each, and print the table of
    results."""

    sizes: tuple[int, ...] = ()
    """Numbers of training pictures. None named: 32 100 300 1000 3000 10000 30000; with --data up to
    four round numbers, and all pictures that are not for the test."""
    seeds: int = 3
    """Runs at each size, 1 or more; they start from --seed."""
    processes: int = processors()
    """Runs at a time, one thread each, 1 or more; by default one on each processor that this
    process may use."""
    run: RunConfig = field(
        default_factory=lambda: RunConfig(
            out=Path("runs/learning_curve"), train=TrainConfig(steps=3000)
        )
    )

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what the grid sets."""
        refuse(names, num_train="--sizes", name="the grid", threads=ONE_THREAD)
        refuse_idle(names, self.run.data)
        refuse_width(names, [self.run.model.model])


def learning_curve(flags: Flags) -> int:
    """Execute the runs, show the progress, print the tables, draw the figure."""
    from lab.experiments import run_preset
    from lab.experiments.presets.learning_curve import preset
    from lab.experiments.report_card.subject import subject_of

    sizes = flags.sizes
    if not sizes:
        own = flags.run.data.data is not None
        sizes = subject_of(flags.run, seeds=flags.seeds).sizes(()) if own else SIZES
    chosen = preset(flags.run, sizes)
    return run_preset(chosen, seeds=flags.seeds, processes=flags.processes).table.complain()
