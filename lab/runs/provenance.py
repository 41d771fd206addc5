"""What a run was trained with, beside its settings, and whether that is what is there now.

A run's `config.json` notes the version of the pictures and the digests of the source files that
define its network and its objective; its checkpoints carry a digest of these. Opening a run
compares them: the network's files always, the objective's where training goes on, and then those,
too, that the code of both had read as data.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import nn

from lab.core.config import Provenance, RunConfig
from lab.core.paths import at_home, is_there
from lab.core.run_dir import RunDir
from lab.core.text import missing, plain
from lab.core.words import those
from lab.measure import SplitMetric, metric_sources
from lab.models import (
    DataFiles,
    changed_files,
    differences,
    digest_of,
    digest_of_sources,
    file_of,
    locate,
    size_of,
    sources_of,
)
from lab.models.sources import Sources, with_recorded
from lab.training import Objective, objective_file, objective_sources, shares_code
from lab.worlds import StoredWorld, World, open_world

ANYWAY = "--changed-code"

OBJECTIVE = "objective: "
"""What the names of the objective's source files begin with in the table of a run's sources."""


def provenance_of(
    config: RunConfig,
    model: nn.Module | None = None,
    objective: Objective | None = None,
    *,
    metrics: Sequence[SplitMetric] = (),
    world: World | None = None,
) -> Provenance:
    """The provenance of a run with these settings if it were started now; of a `model`, an
    `objective` and `metrics` that were made for it the sources are those that were executed.
    `world` is the one that the settings describe, where it is open already. `ValueError` for an
    unknown task."""
    trained_by = objective_sources(config.train.objective, objective)
    if world is None:
        world = open_world(config.data)
    return Provenance(
        world=world.version,
        classes=world.classes,
        num_pictures=world.num_pictures if isinstance(world, StoredWorld) else None,
        sources={
            **sources_of(config.model.model, model),
            **_marked(trained_by),
        },
        metric_sources=metric_sources(config.metric, metrics),
        parameters=None if model is None else size_of(model),
    )


def digest_of_provenance(provenance: Provenance, config: RunConfig) -> str:
    """One SHA-256 that stands for the whole, and for the settings that decide which examples a run
    has, which network, and how it is trained: those of another run do not fit its checkpoints. (How
    long it is trained, where, and where its pictures and source files lie have no say in it.)"""
    network, trained_by = _of_network(provenance.sources), _of_objective(provenance.sources)
    data = replace(config.data, data=config.data.data and "")
    model = replace(config.model, model="" if network else config.model.model)
    objective = "" if trained_by else config.train.objective
    train = replace(
        config.train, objective=objective, steps=None, stop_at_loss=None, eval_every=None
    )
    told = [asdict(data), asdict(model), asdict(train), config.seed]
    settings = json.dumps(told, sort_keys=True)
    sources = digest_of_sources(provenance.sources)
    return digest_of(f"{provenance.world}\n{sources}\n{settings}".encode())


def refuse_watched(recorded: Provenance, *, what: object) -> None:
    """Raise `ValueError` if `what` (a run's folder) was trained by another program."""
    if recorded.watched:
        raise ValueError(
            f"{what} was watched while another program trained it (lab.watch): its network and its"
            " examples are that program's, and not in the folder, so it can be looked at (its"
            " summary.json, TensorBoard), but not opened or gone on with"
        )


def refuse_other_world(
    world: World, recorded: Provenance, *, what: object, run: RunDir | None = None
) -> None:
    """Raise `ValueError` if `what` (the folder of a `run`) was trained on another version of its
    `world`; of pictures from disk it says what is known of the difference."""
    now = world.version
    if recorded.world == now:
        return
    if isinstance(world, StoredWorld):
        here = f"{world.data.data} now holds version {now}{_differs(world, recorded, run)}"
    else:
        here = (
            f"this lab draws version {now}: train it anew, or open it with the lab that trained it"
        )
    raise ValueError(
        f"{what} was trained on pictures of version {recorded.world or '(not noted)'}; {here}"
    )


def _differs(world: StoredWorld[Any], recorded: Provenance, run: RunDir | None) -> str:
    """How the pictures differ from those that the run was trained on, and what to do about it, as
    the end of a sentence."""
    begun = run.config_file.stat().st_mtime_ns if run is not None else None
    added = world.added_since(recorded.world, begun) if begun is not None else []
    if added:
        first, more = added[0], len(added) - 1
        others = f" and {those(more, 'other file', 'other files')} were" if more else " was"
        them = "these" if more else "it"
        return f", since {first}{others} added: move {them} elsewhere, or train the run anew"
    known = []
    if recorded.num_pictures not in (None, world.num_pictures):
        known.append(f"it had {recorded.num_pictures:,} pictures, and has {world.num_pictures:,}")
    written = world.written_since(begun) if begun is not None else []
    if 0 < len(written) < world.num_pictures:
        known.append(f"{those(len(written), 'was', 'were')} written since, {written[0]} the first")
    return (
        "".join(f", {each}" for each in known) + ": put the pictures back as they were, take out"
        " those that were added, say where those of then are now (evaluate and train --resume take"
        " --data), or train it anew"
    )


def refuse_other_classes(
    now: tuple[str, ...], recorded: Provenance, *, config: RunConfig, what: object
) -> None:
    """Raise `ValueError` if the labels of `what` (a run's folder) no longer stand for the classes
    that it was trained on but for those of `now`: the classes of a folder of pictures are the names
    of its subfolders."""
    if recorded.classes and recorded.classes != now:
        raise ValueError(
            f"{what} was trained on the classes {', '.join(recorded.classes)}, but"
            f" {config.data.data or config.data.task} now has {', '.join(now)}: put the folders"
            " back, or train it anew"
        )


def moved(config: RunConfig, model_file: Path | None, data: Path | None = None) -> RunConfig:
    """The settings with the network's file at `model_file` and the pictures at `data` (None: where
    they were). An objective of the same file is now there, too, and so is one that lay in its
    folder, or below, if it lies there as well.

    Raises `ValueError` if there is nothing at these places, if the network is not made by a file,
    or if the pictures are drawn. Whether the pictures are the same is not looked at here.
    """
    if data is not None:
        if config.data.data is None:
            raise ValueError(f"--data {data}: the run's pictures are drawn, and lie nowhere")
        place = at_home(data, "--data")
        if not place.exists():
            raise ValueError(f"--data {data}: {missing(place)}")
        pictures = replace(config.data, data=str(place.resolve()))
        return moved(replace(config, data=pictures), model_file)
    if model_file is None:
        return config
    name = config.model.model
    if file_of(name) is None:
        raise ValueError(f"--model-file: the run's network {name!r} is not made by a file")
    if not at_home(model_file, "--model-file").is_file():
        raise ValueError(f"--model-file {model_file}: {missing(model_file)}")
    function = name.rpartition(":")[2]
    there = locate(f"{os.fspath(model_file)}:{function}")
    objective = _beside(config.train.objective, name, there)
    return replace(
        config,
        model=replace(config.model, model=there),
        train=replace(config.train, objective=objective),
    )


def refuse_gone_pictures(config: RunConfig, *, what: Path) -> None:
    """Raise `ValueError` if the pictures of a run from disk are not where they were."""
    place = config.data.data
    if place is not None and not is_there(place):
        raise ValueError(
            f"{what}: its pictures are no longer at {place}: put them back, or say with --data"
            " where they are now"
        )


def _beside(objective: str, before: str, now: str) -> str:
    """The name of an objective once the file of its run's network, called `before`, has moved to
    that of the one called `now`."""
    own, old, new = (Path(path or "") for path in map(objective_file, (objective, before, now)))
    if objective_file(objective) is None or not own.is_relative_to(old.parent):
        return objective
    there = new if own == old else new.parent / own.relative_to(old.parent)
    return f"{there}:{objective.rpartition(':')[2]}" if there.is_file() else objective


def refuse_parted(config: RunConfig, recorded: Provenance, *, what: object) -> None:
    """Raise `ValueError` if the network's file has moved away from code that it had in common with
    its objective, when `what` (a run's folder) was begun: the objective would no longer see what
    `forward` leaves there."""
    one, other = _of_network(recorded.sources), _of_objective(recorded.sources)
    common = (set(one.values()) & set(other.values())) - {digest_of(b"")}
    if common and not shares_code(config.train.objective, config.model.model):
        raise ValueError(
            f"{what}: the network and the objective {config.train.objective} had code in common,"
            f" and {file_of(config.model.model)} has none with it: put the network's file back, or"
            " move the objective's with it, to the same place beside it"
        )


def changed_sources(config: RunConfig, recorded: Provenance, *, objective: bool = False) -> str:
    """How the source files of the network (and of the `objective`, where it matters) now differ
    from those that a run was trained with, in a few words; empty if they do not. Executes nothing.
    """
    name = config.model.model
    then = _of_network(recorded.sources)
    now = with_recorded(sources_of(name), file_of(name), then)
    if objective:
        name = config.train.objective
        also = _of_objective(recorded.sources)
        here = with_recorded(objective_sources(name), objective_file(name), also)
        then = {**then, **_marked(also)}
        now = {**now, **_marked(here)}
    return differences(then, now)


def changed_metrics(config: RunConfig, recorded: Provenance) -> str:
    """How the source files of the run's own metrics now differ from those that it was measured by,
    in a few words; empty if they do not. Executes nothing."""
    then = recorded.metric_sources
    return differences(then, metric_sources(config.metric, recorded=then))


def refuse_changed_sources(
    config: RunConfig, recorded: Provenance, *, what: object, objective: bool = False
) -> None:
    """Raise `ValueError` if the network's source files are gone, or are not those that `what` (a
    run's folder) was trained with; those of its `objective`, too, where it matters."""
    path = file_of(config.model.model)
    if path is not None and not Path(path).is_file():
        raise ValueError(
            f"{what}: its network was made by {path}: {missing(Path(path))}; say where it is now:"
            " --model-file FILE"
        )
    path = objective_file(config.train.objective) if objective else None
    if path is not None and not Path(path).is_file():
        raise ValueError(
            f"{what}: its objective was defined by {path}, and there is no such file: put it back"
        )
    changed = changed_sources(config, recorded, objective=objective)
    if changed:
        raise ValueError(
            f"{what} was trained with other source files than those of {_code(config, objective)}:"
            f" {changed}; put them back, name others with --model-file FILE, or use these all the"
            f" same: {ANYWAY}"
        )


def refuse_changed_data(
    recorded: Provenance | None, *, what: object, read: DataFiles | None = None
) -> None:
    """Raise `ValueError` if a file that the code of the network or the objective read, when `what`
    (a run's folder) was begun, has another content now (None: whatever it has), or another one of
    its name is `read` in its place."""
    changed = changed_files(recorded.data_files, read) if recorded is not None else []
    if changed:
        raise ValueError(
            f"{what} was begun when {another_content(changed)}, or go on with what is there now:"
            f" {ANYWAY}"
        )


def another_content(changed: Sequence[str]) -> str:
    """What is said of files, one or more, that the code of a network, an objective or a metric
    reads, and that have changed: how it was, and the first of the things to do."""
    first, *more = (plain(path) for path in changed)
    if not more:
        return f"{first}, which its code reads, had another content: put that file back as it was"
    others = "another file" if len(more) == 1 else f"{len(more):,} other files"
    return (
        f"{first} and {others}, which its code reads, had other contents: put these files back as"
        " they were"
    )


def _code(config: RunConfig, objective: bool) -> str:
    """The network, and the objective if it comes from a file, by name."""
    own = objective and objective_file(config.train.objective) is not None
    return f"{config.model.model} and {config.train.objective}" if own else config.model.model


def _of_network(sources: Sources) -> dict[str, str]:
    """The network's part of a run's table of sources."""
    return {name: digest for name, digest in sources.items() if not name.startswith(OBJECTIVE)}


def _of_objective(sources: Sources) -> dict[str, str]:
    """The objective's part of a run's table of sources, without the mark on its names."""
    return {
        name.removeprefix(OBJECTIVE): digest
        for name, digest in sources.items()
        if name.startswith(OBJECTIVE)
    }


def _marked(sources: Sources) -> dict[str, str]:
    """An objective's sources, as they are named in a run's table."""
    return {f"{OBJECTIVE}{name}": digest for name, digest in sources.items()}
