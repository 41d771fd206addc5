"""The batches that a run trains on, from its world."""

from __future__ import annotations

from torch import Tensor

from lab.core.config import RunConfig
from lab.training import Batch, Batches, EpochBatches, Groups, OnlineBatches
from lab.worlds import DrawnWorld, Examples, World
from lab.worlds.groups import group_index
from lab.worlds.pairs import load_pairs


def training_batches(config: RunConfig, world: World, train: Examples, part: slice) -> Batches:
    """The training set epoch by epoch, or with `online` new examples at every step; `part` is what
    this process takes of each batch."""
    size = config.train.batch_size
    index, names = group_index(train, world.grouped_by)
    if not config.train.online:
        return EpochBatches(
            train.images, train.labels, batch_size=size, seed=config.seed, part=part,
            groups=index, group_names=names,
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

    return OnlineBatches(
        draw,
        batch_size=size,
        image_size=config.data.image_size,
        groups=Groups.counted(index, names),
        part=part,
    )
