"""What a run was trained with, beside its settings, and whether that is what is there now.

A run's `config.json` notes the version of the pictures and the digests of the source files
that made its network; its checkpoints carry a digest of both. Whoever opens a run compares them.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

from torch import nn

from lab.core.config import Provenance, RunConfig
from lab.worlds import world_version
from lab.models import differences, digest_of, digest_of_sources, file_of, locate, sources_of
from lab.models.sources import Lookup

ANYWAY = "--changed-code"


def provenance_of(config: RunConfig, model: nn.Module | None = None) -> Provenance:
    """What would decide a run with these settings if it were started now; of a `model` that was
    built for it the sources are those that were executed. `ValueError` for an unknown task."""
    return Provenance(
        world=world_version(config.data), sources=sources_of(config.model.model, model)
    )


def digest_of_provenance(provenance: Provenance, config: RunConfig) -> str:
    """One SHA-256 that stands for the whole, and for the settings that decide which examples a run
    has and which network: those of another run do not fit its checkpoints. (How long it is trained,
    where, and where its pictures and its network's file lie have no say in it.)"""
    model = replace(config.model, model="" if provenance.sources else config.model.model)
    data = replace(config.data, data=config.data.data and "")
    settings = json.dumps([asdict(data), asdict(model), config.seed], sort_keys=True)
    sources = digest_of_sources(provenance.sources)
    return digest_of(f"{provenance.world}\n{sources}\n{settings}".encode())


def refuse_other_world(config: RunConfig, recorded: Provenance, *, what: object) -> None:
    """Raise `ValueError` if `what` (a run's folder) was trained on pictures of another version."""
    now = world_version(config.data)
    if recorded.world != now:
        here = (
            f"this lab draws version {now}: train it anew, or open it with the lab that trained it"
            if config.data.data is None
            else f"{config.data.data} now holds version {now}: put the pictures back, or train it anew"
        )
        raise ValueError(
            f"{what} was trained on pictures of version {recorded.world or '(not noted)'}; {here}"
        )


def moved(config: RunConfig, model_file: Path | None) -> RunConfig:
    """The settings with the network's file at `model_file` (None: where it was).

    Raises `ValueError` if that is no file, or if the network is not made by a file.
    """
    if model_file is None:
        return config
    name = config.model.model
    if file_of(name) is None:
        raise ValueError(f"--model-file: the run's network {name!r} is not made by a file")
    if not model_file.expanduser().is_file():
        raise ValueError(f"--model-file: there is no file {model_file}")
    function = name.rpartition(":")[2]
    there = locate(f"{os.fspath(model_file)}:{function}")
    return replace(config, model=replace(config.model, model=there))


def changed_sources(config: RunConfig, recorded: Provenance) -> str:
    """How the source files that make the network now differ from those that a run was trained
    with, in a few words; empty if they do not. Executes nothing."""
    name = config.model.model
    now = sources_of(name)
    path = file_of(name)
    if path is not None:
        # what the code imports under names that it computes is not found by reading it
        for key in [key for key in recorded.sources if key not in now]:
            roots = Lookup(Path(path).resolve()).roots
            there = [root / key for root in roots if (root / key).is_file()]
            if there:
                now[key] = digest_of(there[0].read_bytes())
    return differences(recorded.sources, now)


def refuse_changed_sources(config: RunConfig, recorded: Provenance, *, what: object) -> None:
    """Raise `ValueError` if the network's source files are gone, or are not those that `what` (a
    run's folder) was trained with."""
    path = file_of(config.model.model)
    if path is not None and not Path(path).is_file():
        raise ValueError(
            f"{what}: its network was made by {path}, and there is no such file; say where it is"
            " now: --model-file FILE"
        )
    changed = changed_sources(config, recorded)
    if changed:
        raise ValueError(
            f"{what} was trained with other source files than those of {config.model.model}:"
            f" {changed}; put them back, name others with --model-file FILE, or use these all the"
            f" same: {ANYWAY}"
        )
