"""The same run at several strengths of a cue, several seeds each.

Example: --cue eye_color --strengths 0.5 0.95 1 --sizes 300 --seeds 3
"""

from dataclasses import dataclass, field
from pathlib import Path

from lab.commands._given import refuse_idle, refuse_width
from lab.core.config import ONE_THREAD, RunConfig, TrainConfig, refuse
from lab.core.machine import processors


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Train at several strengths of a cue, with several seeds each, and print accuracies and
    reliance."""

    cue: tuple[str, ...] = ("eye_color",)
    """Nuisances to use as the cue, one at a time: attribute, or attribute=value/value."""
    strengths: tuple[float, ...] = ()
    """Probabilities that the cue agrees with the label, 0 to 1; 1 / number of classes: independent
    of the label. None named: six from there to 1, for two classes 0.5 0.75 0.9 0.95 0.99 1."""
    sizes: tuple[int, ...] = (300, 3000)
    """Numbers of training faces."""
    seeds: int = 3
    """Runs at each point, 1 or more; they start from --seed."""
    processes: int = processors()
    """Runs at a time, one thread each, 1 or more; by default one on each processor that this
    process may use."""
    run: RunConfig = field(
        default_factory=lambda: RunConfig(
            out=Path("runs/dose_response"),
            train=TrainConfig(steps=1000, eval_every=1000),
            counterfactuals=200,
        )
    )

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what the grid sets."""
        refuse(
            names,
            num_train="--sizes",
            name="the grid",
            threads=ONE_THREAD,
            cues="--cue and --strengths",
        )
        if self.run.data.data is not None:
            raise ValueError(
                f"--data {self.run.data.data}: cues are tied in drawn pictures alone: leave it out"
            )
        refuse_idle(names, self.run.data, varied=["cues"])
        refuse_width(names, [self.run.model.model])


def dose_response(flags: Flags) -> int:
    """Execute the runs, show the progress, print the tables, draw the figure."""
    for name in ("cue", "sizes"):
        if not getattr(flags, name):
            raise ValueError(f"--{name} needs a value or more")
    from lab.experiments import run_preset
    from lab.experiments.presets.dose_response import preset, strengths_of

    strengths = flags.strengths or strengths_of(flags.run.data.task)
    chosen = preset(flags.run, flags.cue, strengths, flags.sizes)
    return run_preset(chosen, seeds=flags.seeds, processes=flags.processes).table.complain()
