"""A run's network before it is trained: its specification, its weights, and its dry run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lab.core.config import RunConfig, flag
from lab.core.run_dir import RunDir
from lab.core.seeds import torch_seed
from lab.models import TRIED, ModelSpec, ask, first_pass, random_pictures, seeded_model
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
    """Try a run's network and objective on random pictures, as `try_out` does, and warn of settings
    of the network that change nothing in it; in a distributed run each process does so on its own
    CPU."""
    batch, processes = config.train.batch_size, max(1, config.world_size)
    examples = batch if config.train.online else min(batch, config.data.num_train)
    trial = try_out(
        lambda seed: build_model(replace(config, seed=seed), spec),
        spec,
        replace(config.train, batch_size=max(1, examples // processes)),
        name=config.model.model,
        seed=config.seed,
        device=device if processes == 1 else "cpu",
    )
    return replace(trial, warnings=(*trial.warnings, *_idle_settings(config, spec)))


def _idle_settings(config: RunConfig, spec: ModelSpec) -> list[str]:
    """A sentence for each setting of the network that was asked for and changes nothing in it."""
    told = []
    for name in ("width", "dropout"):
        value, usual = getattr(spec, name), getattr(ModelSpec(), name)
        if value != usual and _same(config, spec, replace(spec, **{name: usual})):
            told.append(
                f"--model {config.model.model}: {flag(name)} {value:g} changes nothing in this"
                f" network, which makes no use of spec.{name}"
            )
    return told


def _same(config: RunConfig, one: ModelSpec, other: ModelSpec) -> bool:
    """Whether a run's network is the same, to the bit and in training mode, by two
    specifications."""
    try:
        models = [build_model(config, spec, finished=True) for spec in (one, other)]
        states = [model.state_dict() for model in models]
        if repr(models[0]) != repr(models[1]) or not _equal(*states):
            return False
        pictures, name = random_pictures(one, TRIED), config.model.model
        answers = [ask(model, pictures, one, name=name, training=True) for model in models]
    except Exception:  # networks are anybody's code; the dry run tells what is wrong
        return False
    return torch.equal(*answers)


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two networks' states have the same entries; what is no tensor does not matter."""
    return one.keys() == other.keys() and all(
        torch.equal(value, other[key]) for key, value in one.items() if isinstance(value, Tensor)
    )
