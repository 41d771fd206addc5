"""Which training pictures are memorized: networks trained on random subsets of one training
set."""

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from lab.commands._given import (
    refuse_all,
    refuse_idle,
    refuse_processes,
    refuse_width,
)
from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.machine import processors
from lab.core.program import typed


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Train many networks, each on a random part of one training set, and measure for each training
    picture how much more often it is predicted right by those that were trained on it: its
    memorization score (Feldman & Zhang 2020). The same command continues a pool that was stopped,
    and with a larger --networks adds networks."""

    networks: int = 60
    """Networks of the pool, 2 to 100,000; the more, the smaller the scores' standard errors (about
    0.1 at 60). In ten networks each picture is left out equally often."""
    share: float = 0.7
    """Share of the training pictures that each network is trained on, above 0 to below 1."""
    score_runs: int = 0
    """Trainings on the whole training set, 0 to 1,000, that score how hard each picture is to learn
    (forgetting events, area under the margin, EL2N, …), and then go on with other pictures to see
    which are forgotten: a table says how well each score finds wrong labels, and agrees with
    memorization."""
    without_memorized: int = 0
    """How many of the most memorized training pictures are left out, 0 to half of the training set:
    networks are trained without them, and without as many random ones, to see what the memorized
    pictures are good for (as Feldman & Zhang do in their figure 2); 0: not done."""
    without_runs: int = 10
    """Networks of each of these two kinds, 2 to 1,000."""
    attribution_runs: int = 0
    """Networks on the whole training set, 0 to 1,000, from which attribution methods (TracIn,
    influence functions, TRAK, …) tell which training pictures decide on an unseen one; the pool
    then judges them, with 20 of its networks trained once more. 0: not done; 3 to 5 will do."""
    processes: int = processors()
    """Networks trained at a time on this machine, one thread each, 1 or more; by default one on
    each processor that this process may use (of its container, too)."""
    executor: str = "local"
    """Where networks are trained: local, or on a running cluster: dask://host:port or
    ray://auto."""
    seed: int = 0
    """Seed of the pictures, of the subsets and of all networks, a whole number from 0."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to draw and train; auto takes a GPU if there is one."""
    out: Path = Path("runs/pools")
    """Folder that holds the pools."""
    name: str | None = None
    """Folder of the pool under --out: letters, digits and . _ - only. None: derived from the
    settings, another for other settings."""
    data: DataConfig = field(default_factory=lambda: DataConfig(num_train=500))
    model: ModelConfig = field(default_factory=lambda: ModelConfig(width=8))
    train: TrainConfig = field(default_factory=TrainConfig)

    def check_given(self, names: frozenset[str]) -> None:
        """Refuse what would have no effect."""
        refuse_processes(names, self.executor)
        refuse_idle(names, self.data)
        refuse_width(names, [self.model.model])
        if not self.without_memorized:
            refuse_all(names, ["without_runs"], "--without-memorized")


def pool(flags: Flags) -> int:
    """Train what is missing of the pool, write what it says, and print it in words."""
    config = RunConfig(
        data=flags.data, model=flags.model, train=flags.train, seed=flags.seed,
        device=flags.device, out=flags.out, name=flags.name,
    )  # fmt: skip
    from lab.pool import scored
    from lab.pool.attribution import REPEATED, attribution_section, check_runs
    from lab.pool.beside import Beside
    from lab.pool.findings import Findings
    from lab.pool.own_run import own_run
    from lab.pool.removal import check_removal, removal_section
    from lab.pool.report import report
    from lab.pool.run import run_pool
    from lab.pool.score_trial import trial_section
    from lab.pool.section import unless_it_fails

    scored.check_runs(flags.score_runs)
    check_runs(flags.attribution_runs, networks=flags.networks)
    check_removal(flags.without_memorized, flags.without_runs, num_train=flags.data.num_train)
    beside = flags.score_runs
    if flags.without_memorized:
        beside += 2 * flags.without_runs
    if flags.attribution_runs:
        beside += flags.attribution_runs + min(REPEATED, flags.networks)
    if beside:
        print(f"{flags.networks:,} networks of a pool, and {beside:,} beside it:")
    result = run_pool(
        config,
        networks=flags.networks,
        share=flags.share,
        processes=flags.processes,
        executor=flags.executor,
        say=print,
    )
    findings = Findings.of(result)
    say = partial(print, flush=True)  # training takes minutes
    own = own_run(result, say=say)
    trained = Beside(executor=flags.executor, processes=flags.processes, say=say)
    made = []
    if scoring := flags.score_runs:
        made.append(
            unless_it_fails(
                "the trial of scores (--score-runs)",
                lambda: trial_section(findings, runs=scoring, beside=trained),
            )
        )
    if faces := flags.without_memorized:
        made.append(
            unless_it_fails(
                "the removal (--without-memorized)",
                lambda: removal_section(
                    findings, faces=faces, runs=flags.without_runs, beside=trained
                ),
            )
        )
    if whole := flags.attribution_runs:
        made.append(
            unless_it_fails(
                "the trial of attribution methods (--attribution-runs)",
                lambda: attribution_section(findings, runs=whole, beside=trained),
            )
        )
    sections = [section for section, _ in made if section is not None]
    for line in report(result, command=typed("pool"), findings=findings, sections=sections):
        print(line)
    failed = [f"network {network}: {error}" for network, error in result.failed]
    failed += [f"the run on the whole training set: {own}"] if own else []
    failed += [line for _, errors in made for line in errors]
    for line in failed:
        print(f"error: {line}", file=sys.stderr)
    return 1 if failed else 0
