"""Opening a run: its settings and its network, made by the source files it was trained with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from lab.core.config import Provenance, RunConfig
from lab.core.paths import is_there
from lab.core.program import quoted
from lab.core.run_dir import RunDir
from lab.core.text import one_line
from lab.models import NotAgreed, deep_copy, device_of, only_agreed
from lab.runs.checkpoints import COPY_THEM, give_weights, open_checkpoint, refuse_out_of_step
from lab.runs.network import model_spec, rebuild_model
from lab.runs.provenance import (
    ANYWAY,
    moved,
    refuse_changed_sources,
    refuse_gone_pictures,
    refuse_other_classes,
    refuse_other_world,
    refuse_watched,
)
from lab.training import load_checkpoint
from lab.worlds import classes_of, open_world


class Opened(NamedTuple):
    """A run that was opened: its settings, its network in eval mode with the weights after `step`
    steps, the names of the classes, and what its checkpoints must have been trained with (None:
    anything)."""

    config: RunConfig
    model: nn.Module
    step: int
    classes: tuple[str, ...]
    provenance: Provenance | None


def open_run(
    folder: Path,
    *,
    device: str | torch.device = "cpu",
    config: RunConfig | None = None,
    model_file: Path | None = None,
    data: Path | None = None,
    changed_code: bool = False,
    any_world: bool = False,
) -> Opened:
    """The run in `folder` with its trained network on `device`: with early stopping the one with
    the lowest validation loss, else the last. `config`: its settings, where they are known already.

    `model_file` is where the network's file is now, if it was moved, `data` where the pictures are
    that were not drawn. Raises `ValueError` in one
    line if something is missing; if the run has finished and the checkpoint is of another step than
    its end; if the network's source files are not those that it was trained with (`changed_code`:
    use them all the same); and if the run's world has another version now (`any_world`: for a
    caller that loads none of its pictures; they need not be there).
    """
    run = RunDir(folder)
    stored, provenance = run.settings()
    trusted = None if changed_code else provenance
    refuse_watched(provenance, what=folder)
    config = moved(config or stored, model_file, data)
    if any_world:
        gone = config.data.data and not is_there(config.data.data)
        classes = provenance.classes if gone else ()
        classes = classes or classes_of(config.data)
    else:
        refuse_gone_pictures(config, what=folder)
        world = open_world(config.data, seed=config.seed)
        refuse_other_world(world, provenance, what=folder, run=run)
        classes = world.classes
    refuse_other_classes(classes, provenance, config=config, what=folder)
    path = run.trained(config)
    if path is None:
        why = "its run stopped before the first"
        if run.finished():
            why = f"it was removed; {COPY_THEM}, or train the run again: --resume {quoted(folder)}"
        raise ValueError(f"{folder} has no checkpoint: {why}")
    spec = model_spec(config, classes)
    with own_sources(config, trusted, run):
        model = rebuild_model(config, spec, run)
    model.to(device)
    checkpoint = open_checkpoint(run, path, device)
    refuse_out_of_step(run, config, path, checkpoint)
    give_weights(
        model, checkpoint, path, config=config, spec=spec, provenance=trusted, evaluated=True
    )
    return Opened(config, model, checkpoint.step, classes, trusted)


def open_snapshot(folder: Path, step: int, opened: Opened) -> Opened:
    """The network of an `opened` run as it was after `step` steps: a copy with the weights of that
    snapshot. `ValueError` in one line if there is none, or if it is another run's."""
    run = RunDir(folder)
    path = run.snapshot(step)
    checkpoint = load_checkpoint(path, device=device_of(opened.model))
    try:
        model = deep_copy(opened.model)
    except Exception as error:  # networks are anybody's code
        raise ValueError(f"{run}: its network cannot be copied: {one_line(error)}") from None
    give_weights(
        model, checkpoint, path, config=opened.config, provenance=opened.provenance, evaluated=True,
        spec=model_spec(opened.config, opened.classes),
    )  # fmt: skip
    return opened._replace(model=model, step=step)


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
