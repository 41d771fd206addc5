"""Which training faces are memorized: networks trained on random subsets of one training set."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.core.machine import processors
from lab.core.program import typed


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Train many networks, each on a random part of one training set, and measure for each training
    face how much more often it is predicted right by those that were trained on it: its
    memorization score (Feldman & Zhang 2020). The same command continues a pool that was stopped,
    and with a larger --networks adds networks."""

    networks: int = 60
    """Networks of the pool, 2 to 100,000; the more, the smaller the scores' standard errors (about
    0.1 at 60). In ten networks each face is left out equally often."""
    share: float = 0.7
    """Share of the training faces that each network is trained on, above 0 to below 1."""
    score_runs: int = 0
    """Trainings on the whole training set, 0 to 1,000, that score how hard each face is to learn
    (forgetting events, area under the margin, EL2N, …): a table then says how well each score finds
    wrong labels, and agrees with memorization."""
    processes: int = processors()
    """Networks trained at a time on this machine, one thread each, 1 or more; by default one on
    each processor that this process may use (of its container, too)."""
    executor: str = "local"
    """Where networks are trained: local, or on a running cluster: dask://host:port or
    ray://auto."""
    seed: int = 0
    """Seed of the faces, of the subsets and of all networks, a whole number from 0."""
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


def pool(flags: Flags) -> int:
    """Train what is missing of the pool, write what it says, and print it in words."""
    config = RunConfig(
        data=flags.data, model=flags.model, train=flags.train, seed=flags.seed,
        device=flags.device, out=flags.out, name=flags.name,
    )  # fmt: skip
    from lab.pool.report import report
    from lab.pool.run import run_pool

    result = run_pool(
        config,
        networks=flags.networks,
        share=flags.share,
        score_runs=flags.score_runs,
        processes=flags.processes,
        executor=flags.executor,
        say=print,
    )
    for line in report(result, command=typed("pool")):
        print(line)
    for network, error in result.failed:
        print(f"error: network {network}: {error}", file=sys.stderr)
    for line in result.unscored:
        print(f"error: {line}", file=sys.stderr)
    return 1 if result.failed or result.unscored else 0
