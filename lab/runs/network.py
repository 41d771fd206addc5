"""A run's network before it is trained: its specification, its weights, and its dry run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from lab.core.config import RunConfig
from lab.core.run_dir import RunDir
from lab.core.seeds import torch_seed
from lab.models import ModelSpec, first_pass, seeded_model
from lab.training import Trial, first_seed, try_out


def model_spec(config: RunConfig, classes: Sequence[str]) -> ModelSpec:
    """The specification that a run's network is made for; `classes` are its world's."""
    return ModelSpec(
        image_size=config.data.image_size,
        num_outputs=len(classes),
        width=config.model.width,
        dropout=config.model.dropout,
    )


def build_model(config: RunConfig, spec: ModelSpec, *, finished: bool = False) -> nn.Module:
    """The untrained network of a run, on the CPU; `finished`: after its first forward pass, in
    which lazy layers get their weights."""
    name = config.model.model
    model = seeded_model(name, spec, seed=torch_seed(config.seed, "weights"))
    if finished:
        first_pass(model, spec, name=name, seed=first_seed(config.seed))
    return model


def rebuild_model(
    config: RunConfig, spec: ModelSpec, run: RunDir, *, device: str | torch.device = "cpu"
) -> nn.Module:
    """The untrained network of the run in a folder, ready to take weights or to be trained."""
    saved = any(path.exists() for path in (run.last, run.previous, run.best))
    finished = saved or dry_run(config, spec, device=device).unfinished
    return build_model(config, spec, finished=finished)


def dry_run(config: RunConfig, spec: ModelSpec, *, device: str | torch.device = "cpu") -> Trial:
    """Try a run's network and objective on random pictures, as `try_out` does; in a distributed run
    each process does so on its own CPU."""
    batch, processes = config.train.batch_size, max(1, config.world_size)
    examples = batch if config.train.online else min(batch, config.data.num_train)
    return try_out(
        lambda seed: build_model(replace(config, seed=seed), spec),
        spec,
        replace(config.train, batch_size=max(1, examples // processes)),
        name=config.model.model,
        seed=config.seed,
        device=device if processes == 1 else "cpu",
    )
