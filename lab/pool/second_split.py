"""A second training of a network that has been trained on a pool's whole training set: on other
examples of the same population, to see how soon it forgets which of the first ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor, nn

from lab.core.config import RunConfig
from lab.core.seeds import torch_seed
from lab.measure.second_split import ForgettingCollector
from lab.runs.batches import names_for_objective, training_batches
from lab.training import EpochBatches, Metrics, create_objective, fit
from lab.training.batches import WHOLE
from lab.worlds import DrawnWorld, Examples, World


@dataclass(frozen=True, kw_only=True)
class Second:
    """A second training: the `scores` (N,) of the first one's examples by name, and how many
    `epochs` it took."""

    scores: dict[str, Tensor]
    epochs: int


def second_split(world: World, test: Examples, *, seed: int) -> Examples:
    """As many examples of the training set's population as it has, with labels that are wrong as
    often. A world that is drawn has new ones under every `seed`, which no network has seen. One
    that is not has no others than its `test` examples: as many of these as there are."""
    count = world.data.num_train
    if isinstance(world, DrawnWorld):
        return replace(world, seed=seed).load("train", count)
    some = test.take(slice(count))
    given = world.given_labels(some.clean_labels.cpu(), "train", start=count)
    return replace(some, labels=given.to(some.labels.device))


def others(world: World) -> str:
    """What the second split of a world's training set is, in words."""
    if isinstance(world, DrawnWorld):
        return f"as many {world.noun} that are drawn anew"
    return f"the test {world.noun}, as no others are at hand"


def train_on(
    model: nn.Module,
    config: RunConfig,
    *,
    world: World,
    first: Examples,
    test: Examples,
    evaluate: Callable[[nn.Module, Examples], Metrics],
) -> Second:
    """Go on training a `model` that has been trained on `first` by the settings `config`: by the
    same settings, on a second split, from a new optimizer and a new schedule, until it meets the
    criterion on these examples as it did on the first ones. Only early stopping is left out, which
    ends a training before it has learned its examples. `evaluate` measures the criterion."""
    seed = torch_seed(config.seed, "second split")
    second = second_split(world, test, seed=seed)
    config = replace(config, seed=seed, train=replace(config.train, early_stopping=None))
    names = names_for_objective(config, world, "test", len(second))
    batches = training_batches(config, world, second, WHOLE, names=names)
    assert isinstance(batches, EpochBatches), "a pool has a fixed training set"
    collector = ForgettingCollector(
        first.images, first.labels, count=len(second), batch_size=batches.batch_size
    )
    fit(
        model,
        batches,
        config.train,
        seed=seed,
        objective=create_objective(config.train.objective, beside=model),
        evaluators=[lambda model: evaluate(model, second)],
        loss_bound=config.loss_bound,
        collector=collector,
    )
    return Second(scores=collector.finish(model), epochs=collector.forgetting.epochs)
