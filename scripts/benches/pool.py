"""What a network of a pool costs, and reading the scores of a whole pool."""

import statistics
import time
from pathlib import Path

import torch

from benches.table import Row
from lab.core.config import DataConfig, ModelConfig, RunConfig
from lab.experiments.runner.jobs import key_of
from lab.measure.memorization_scores import mean_score, memorization_scores
from lab.pool.membership import membership, subset_size
from lab.pool.run import with_criterion
from lab.pool.train import Job, train_network
from lab.runs.resolve import resolve

FACES, WIDTH, NETWORKS, SHARE = 500, 8, 60, 0.7
"""Training faces and width of the network, networks whose predictions are read, and the share of
the faces that each is trained on."""


def measure(*, quick: bool) -> list[Row]:
    """Processor seconds of each network, and of the scores of a whole pool."""
    run = resolve(
        RunConfig(data=DataConfig(num_train=FACES), model=ModelConfig(width=WIDTH), device="cpu",
                  out=Path("runs"))
    )  # fmt: skip
    config = with_criterion(run.config, size=subset_size(FACES, SHARE))
    key = key_of(config)
    seconds, steps = [], []
    for network in range(1 + (1 if quick else 5)):  # the first one draws the faces, too
        began = time.process_time()
        trained = train_network(Job(network=network, config=config, share=SHARE, key=key))
        seconds.append(time.process_time() - began)
        steps.append(trained.step)
    what = f"cnn of width {WIDTH}, {FACES} faces"
    told = f"median of {len(steps) - 1}, after {max(steps[1:]):,} steps at most"
    return [
        Row(what=f"a network of a pool, {what}", value=statistics.median(seconds[1:]), unit="s",
            note=told),
        Row(what=f"scores of {FACES} faces from {NETWORKS} networks", value=_scores(), unit="s"),
    ]  # fmt: skip


def _scores() -> float:
    members = torch.stack(
        [membership(k, count=FACES, share=SHARE, seed=0) for k in range(NETWORKS)]
    )
    hits = members | (torch.rand(members.shape) < 0.5)
    began = time.process_time()
    memorization_scores(hits, members)
    mean_score(hits, members)
    return time.process_time() - began
