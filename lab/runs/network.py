"""A run's network before it is trained: its specification, its weights, and its dry run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from lab.core.config import RunConfig, TrainConfig, flag
from lab.core.run_dir import RunDir
from lab.core.seeds import torch_seed
from lab.measure.example_scores import ScoreCollector, by_heading
from lab.models import (
    TRIED,
    ModelSpec,
    ask,
    first_pass,
    isolated,
    own_builder,
    random_pictures,
    same_tensor,
    seeded_model,
)
from lab.training import Numbering, Trial, first_seed, objective_file, try_out
from lab.worlds import World, noun_of, open_world
from lab.worlds.groups import group_names


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
    return _untrained(config.model.model, spec, seed=config.seed, finished=finished)


def rebuild_model(
    config: RunConfig, spec: ModelSpec, run: RunDir, *, device: str | torch.device = "cpu"
) -> nn.Module:
    """The untrained network of the run in a folder, ready to take weights or to be trained."""
    trial = repeated_trial(config, spec, run, device=device)
    return build_model(config, spec, finished=trial.unfinished)


def repeated_trial(
    config: RunConfig,
    spec: ModelSpec,
    run: RunDir,
    *,
    device: str | torch.device = "cpu",
    world: World | None = None,
) -> Trial:
    """The dry run of the run in a folder; where there is a checkpoint it is not repeated: then no
    more is known than that the network can be made as after its first forward pass."""
    if any(path.exists() for path in (run.last, run.previous, run.best)):
        return Trial(unfinished=True, warnings=())
    return dry_run(config, spec, device=device, world=world)


def dry_run(
    config: RunConfig,
    spec: ModelSpec,
    *,
    device: str | torch.device = "cpu",
    whole_batches: bool = True,
    world: World | None = None,
) -> Trial:
    """Try a run's network and objective on random pictures, as `try_out` does, and warn of settings
    of the network that change nothing in it; in a distributed run each process does so on its own
    CPU. `whole_batches`: also with batches as large as the run's, unless those are for a GPU and
    tried on a CPU, which may take minutes. `world` is the run's, where it is open already.

    For runs that differ in nothing that a dry run depends on but their seed, a process does it
    once, if network and objective come with the lab: what these do does not depend on the seed.
    """
    batch, processes = config.train.batch_size, max(1, config.world_size)
    examples = batch if config.train.online else min(batch, config.data.num_train)
    train = replace(config.train, batch_size=max(1, examples // processes), steps=None)
    place = torch.device(device if processes == 1 else "cpu")
    name = config.model.model
    build = own_builder(name)
    if build is not None and objective_file(train.objective) is None:
        return _tried_once(build, name, spec, train, place)
    here = whole_batches and (processes == 1 or torch.device(device).type == "cpu")
    sizes = {train.batch_size, -(-examples // processes)} if here else set()
    stream = config.train.max_steps * batch if config.train.online else None
    numbering = Numbering(config.data.num_train, stream)
    if objective_file(train.objective) is not None:
        world = world or open_world(config.data, seed=config.seed)
        numbering = replace(
            numbering,
            names=world.names_of("train", config.data.num_train),
            groups=group_names(world.classes, world.grouped_by),
        )
    trial = _tried(
        name, spec, train, place, seed=config.seed, numbering=numbering,
        batch_sizes=sorted(sizes), noun=noun_of(config.data),
    )  # fmt: skip
    if not config.scores:
        return trial
    doubts = missing_scores(config, spec, device=place, of="--scores", finished=trial.unfinished)
    return replace(trial, warnings=(*trial.warnings, *doubts))


def missing_scores(
    config: RunConfig,
    spec: ModelSpec,
    *,
    device: str | torch.device,
    of: str,
    finished: bool = False,
) -> list[str]:
    """A line on the scores of training examples that the untrained network of a run has no
    gradients for, or fails at; none if it has all, as the lab's own networks do. `of` is the flag
    that asks for scores."""
    name = config.model.model
    if own_builder(name) is not None:
        return []
    shape = (TRIED, spec.in_channels, spec.image_size, spec.image_size)
    pictures = torch.randint(
        256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    labels = torch.zeros(TRIED, dtype=torch.int64)
    with isolated(device, reseeded=True):
        model = build_model(config, spec, finished=finished)
        model.to(device)  # its own `to` may return nothing
        collector = ScoreCollector(pictures, labels, batch_size=TRIED, seed=0)
        collector.finish(model)
    missed = [f"{head}, because {why}" for head, why in by_heading(collector.left_out).items()]
    if not missed:
        return []
    which = ", and ".join(missed)
    return [f"--model {name}: {of} leaves out {which}; all other scores are measured"]


def _tried(
    name: str,
    spec: ModelSpec,
    train: TrainConfig,
    device: torch.device,
    *,
    seed: int,
    numbering: Numbering | None = None,
    batch_sizes: Sequence[int] = (),
    noun: str = "faces",
) -> Trial:
    def build(seed: int) -> nn.Module:
        return _untrained(name, spec, seed=seed)

    trial = try_out(
        build, spec, train, name=name, seed=seed, device=device, numbering=numbering,
        batch_sizes=batch_sizes, noun=noun,
    )  # fmt: skip
    return replace(trial, warnings=(*trial.warnings, *_idle_settings(name, spec, seed=seed)))


@cache
def _tried_once(
    build: Callable[[ModelSpec], nn.Module],
    name: str,
    spec: ModelSpec,
    train: TrainConfig,
    device: torch.device,
) -> Trial:
    """What `_tried` finds; `build` is the function that the name stands for at present."""
    return _tried(name, spec, train, device, seed=0)


def _untrained(name: str, spec: ModelSpec, *, seed: int, finished: bool = False) -> nn.Module:
    model = seeded_model(name, spec, seed=torch_seed(seed, "weights"))
    if finished:
        first_pass(model, spec, name=name, seed=first_seed(seed))
    return model


def _idle_settings(name: str, spec: ModelSpec, *, seed: int) -> list[str]:
    """A sentence for each setting of the network that was asked for and changes nothing in it."""
    told = []
    for setting in ("width", "dropout"):
        value, usual = getattr(spec, setting), getattr(ModelSpec(), setting)
        other = replace(spec, **{setting: usual})
        if value != usual and _same(name, spec, other, seed=seed):
            told.append(
                f"--model {name}: {flag(setting)} {value:g} changes nothing in this"
                f" network, which makes no use of spec.{setting}"
            )
    return told


def _same(name: str, one: ModelSpec, other: ModelSpec, *, seed: int) -> bool:
    """Whether a run's network is the same, to the bit and in training mode, by two
    specifications."""
    try:
        models = [_untrained(name, spec, seed=seed, finished=True) for spec in (one, other)]
        states = [model.state_dict() for model in models]
        if repr(models[0]) != repr(models[1]) or not _equal(*states):
            return False
        pictures = random_pictures(one, TRIED)
        answers = [ask(model, pictures, one, name=name, training=True) for model in models]
    except Exception:  # networks are anybody's code; the dry run tells what is wrong
        return False
    return torch.equal(*answers)


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two networks' states have the same entries; what is no tensor does not matter."""
    return one.keys() == other.keys() and all(
        same_tensor(value, other[key]) for key, value in one.items() if isinstance(value, Tensor)
    )
