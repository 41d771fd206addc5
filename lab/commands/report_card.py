"""All measures of one network, compared with those of other networks."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from lab.commands._given import refuse_processes, refuse_width
from lab.core.config import RunConfig, TrainConfig, refuse
from lab.core.machine import processors
from lab.core.program import from_here, quoted, typed
from lab.core.text import escape


def base() -> RunConfig:
    """The base config of all runs: 1,000 steps, no pictures."""
    return RunConfig(
        out=Path("runs/report_cards"),
        train=TrainConfig(steps=1000),
        counterfactuals=100,
        pictures=False,
        snapshots=0,
    )


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Measure a network and write one page: speed, training pictures needed for a test accuracy,
    random labels fitted, membership AUC, reliance on cues and on every attribute; with --data on
    perturbations, and the accuracy of each class and group. This takes some minutes for each
    network; finished runs are kept, and the same command continues. For a quick test: --seeds 2
    --sizes 100 1000 --random-sizes 100 --steps 300 --against linear."""

    against: tuple[str, ...] = ("cnn", "mlp")
    """Networks to compare with. Their runs are executed once for all cards in --out."""
    seeds: int = 3
    """Runs of each setting, 2 or more (an interval over seeds needs two)."""
    sizes: tuple[int, ...] = ()
    """Numbers of training pictures of the learning curve, rising, two or more. None named: 100 300
    1000 3000 10000; with --data up to four round numbers, and all pictures that are not for the
    test."""
    random_sizes: tuple[int, ...] = ()
    """Numbers of training pictures with random labels, rising. None named: 100 300 1000 3000; with
    --data up to three round numbers and all pictures, at most 3000."""
    processes: int = processors()
    """Runs at a time on this machine, one thread each, 1 or more; by default one on each processor
    that this process may use (of its container, too)."""
    executor: str = "local"
    """Where the runs are executed: local, or on a running cluster: dask://host:port or
    ray://auto."""
    run: RunConfig = field(default_factory=base)

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what the card's grids set."""
        from lab.experiments.report_card.plan import SET_FOR_PICTURES, SET_HERE

        refuse(names, **(SET_FOR_PICTURES if self.run.data.data else SET_HERE))
        refuse_processes(names, self.executor)
        refuse_width(names, [self.run.model.model, *self.against])


def report_card(flags: Flags) -> int:
    """Execute the runs, measure the networks, write the card and print its sentences."""
    if flags.seeds < 2:
        raise ValueError(f"--seeds must be 2 or more, not {flags.seeds}: an interval needs two")
    from lab.core.locks import check_out
    from lab.experiments.report_card import report

    check_out(flags.run.out)
    outcome = report(
        flags.run.model.model,
        flags.run,
        against=flags.against,
        seeds=flags.seeds,
        sizes=flags.sizes,
        random_sizes=flags.random_sizes,
        processes=flags.processes,
        executor=flags.executor,
        command=typed("report_card"),
    )
    for failure in outcome.failed:
        print(f"error: {failure}", file=sys.stderr)
    if not outcome.sentences:
        return 1
    print("", *outcome.sentences, "", sep="\n")
    for path in sorted(outcome.folder.glob("report_card.*")):
        print(escape(path))
    print(f"In TensorBoard: {from_here('board')} --logdir {quoted(outcome.folder)}")
    return 1 if outcome.failed else 0
