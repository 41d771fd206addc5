"""Opening a run: its settings and its network, made by the source files it was trained with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from lab.core.config import Provenance, RunConfig
from lab.core.run_dir import RunDir
from lab.models import NotAgreed, only_agreed
from lab.runs.checkpoints import give_weights, open_checkpoint
from lab.runs.network import model_spec, rebuild_model
from lab.runs.provenance import (
    ANYWAY,
    moved,
    refuse_changed_sources,
    refuse_other_classes,
    refuse_other_world,
    refuse_watched,
)
from lab.worlds import classes_of, open_world


def load_run(
    folder: Path,
    *,
    device: str | torch.device = "cpu",
    config: RunConfig | None = None,
    model_file: Path | None = None,
    changed_code: bool = False,
    any_world: bool = False,
) -> tuple[RunConfig, nn.Module]:
    """The settings of the run in `folder` (`config`, where they are known already) and its trained
    network on `device` in eval mode: with early stopping the one with the lowest validation loss,
    else the last.

    `model_file` is where the network's file is now, if it was moved. Raises `ValueError` in one
    line if something is missing; if the network's source files are not those that it was trained
    with (`changed_code`: use them all the same); and if the run's world has another version now
    (`any_world`: for a caller that loads none of its pictures).
    """
    run = RunDir(folder)
    stored, provenance = run.settings()
    refuse_watched(provenance, what=folder)
    config = moved(config or stored, model_file)
    if any_world:
        classes = classes_of(config.data)
    else:
        world = open_world(config.data, seed=config.seed)
        refuse_other_world(world, provenance, what=folder)
        classes = world.classes
    refuse_other_classes(classes, provenance, config=config, what=folder)
    path = run.trained(config)
    if path is None:
        raise ValueError(f"{folder} has no checkpoint: its run stopped before the first")
    spec = model_spec(config, classes)
    with own_sources(config, None if changed_code else provenance, run):
        model = rebuild_model(config, spec, run)
    model.to(device)
    checkpoint = open_checkpoint(run, path, device)
    give_weights(
        model, checkpoint, path, config=config, spec=spec, evaluated=True,
        provenance=None if changed_code else provenance,
    )  # fmt: skip
    return config, model


@contextmanager
def own_sources(
    config: RunConfig, provenance: Provenance | None, run: RunDir, *, objective: bool = False
) -> Iterator[None]:
    """Inside, execute only the source files that a run was trained with, by its `provenance` (None:
    any): those of its network, and with `objective` those of its objective, too. `ValueError` if
    they have changed."""
    if provenance is None:
        yield
        return
    refuse_changed_sources(config, provenance, what=run, objective=objective)
    try:
        with only_agreed(provenance.sources.values()):
            yield
    except ValueError as error:
        if _not_agreed(error):
            raise ValueError(
                f"{run}: {error}; it was trained without that file, or with another content:"
                f" {ANYWAY} uses it all the same"
            ) from None
        raise


def _not_agreed(error: BaseException | None) -> bool:
    """Whether an error comes from a source file that may not be executed."""
    return error is not None and (isinstance(error, NotAgreed) or _not_agreed(error.__cause__))
