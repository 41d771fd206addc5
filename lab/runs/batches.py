"""The batches that a run trains on, from its world."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lab.core.config import RunConfig
from lab.core.machine import processors
from lab.models import is_known
from lab.training import Batch, Batches, EpochBatches, Groups, OnlineBatches, objective_file
from lab.training.batches import AT_ONCE
from lab.worlds import DrawnWorld, Examples, World
from lab.worlds.groups import group_index
from lab.worlds.pairs import load_pairs

ON_GPU = 16_384
"""New examples of 32 px that are drawn at a time for a GPU (50 MB)."""


def names_for_objective(config: RunConfig, world: World, split: str, count: int) -> tuple[str, ...]:
    """The names of the first examples of a split, if an objective may ask for them: one of the
    user's; else ()."""
    own = objective_file(config.train.objective) is not None
    return world.names_of(split, count) if own else ()


def training_batches(
    config: RunConfig,
    world: World,
    train: Examples,
    part: slice,
    *,
    names: Sequence[str] = (),
    model: nn.Module | None = None,
) -> Batches:
    """The training set epoch by epoch, or with `online` new examples at every step; `part` is what
    this process takes of each batch, and `names` are those of the training examples, if they have
    any.

    New examples are drawn by another thread while steps are taken, if there is a second processor,
    and unless code of others takes part in the run: that of `model` (None: not known), an objective
    or a metric may change the settings of the process meanwhile.
    """
    size = config.train.batch_size
    index, group_names = group_index(train, world.grouped_by)
    if not config.train.online:
        return EpochBatches(
            train.images, train.labels, batch_size=size, seed=config.seed, part=part,
            groups=index, group_names=group_names, names=names,
        )  # fmt: skip

    share = config.train.counterfactual_pairs

    def draw(start: int, count: int, keep: Tensor) -> Batch:
        if share and isinstance(world, DrawnWorld):
            examples = load_pairs(world, count, start=start, share=share, keep=keep)
        else:
            examples = world.load("train", count, start=start, keep=keep, online=True)
        groups, _ = group_index(examples, world.grouped_by)
        device = examples.labels.device
        indices = (start + keep).to(device)
        return Batch(examples.images, examples.labels, groups.to(device), indices)

    own = objective_file(config.train.objective) is None and not config.metric
    kind = train.labels.device.type
    gpu = kind == "cuda"
    fits = kind in ("cpu", "cuda") and processors() > 1  # two threads on an Apple GPU end torch
    ahead = own and fits and model is not None and is_known(model)
    return OnlineBatches(
        _drawn_there(draw) if ahead and gpu else draw,
        at_once=ON_GPU if gpu else AT_ONCE,
        ahead=config.train.max_steps if ahead else None,
        batch_size=size,
        image_size=config.data.image_size,
        groups=Groups.counted(index, group_names),
        part=part,
    )


def _drawn_there(draw: Callable[[int, int, Tensor], Batch]) -> Callable[[int, int, Tensor], Batch]:
    """`draw` for the GPU that is current now, in whichever thread: each has one of its own, and
    their copies are not in one row."""
    device = torch.cuda.current_device()

    def drawn(start: int, count: int, keep: Tensor) -> Batch:
        with torch.cuda.device(device):
            batch = draw(start, count, keep)
            torch.cuda.current_stream().synchronize()
        return batch

    return drawn
