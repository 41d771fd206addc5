"""Evaluation of finished models on other populations than that of their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from lab.core.config import RunConfig, check
from lab.core.estimate import Estimate
from lab.evaluators.evaluation import Progress, StreamedSplit, splits_of
from lab.evaluators.setup import Setup
from lab.evaluators.suite import EvaluatorSuite
from lab.measure import SplitMetric
from lab.worlds import World, open_world, reject_no_effect

NOTHING = {"cues": "none", "subpopulations": "all", "missing": "all", "unseen_combinations": "none"}
"""The word after each of these flags that stands for its empty list."""

OWN = ("own",)
"""What stands for the list that the run was trained with."""


def evaluation_config(
    own: RunConfig,
    *,
    counterfactuals: int,
    seed: int | None = None,
    lists: Mapping[str, Sequence[str]] | None = None,
    numbers: Mapping[str, float | None] | None = None,
) -> RunConfig:
    """The settings of the run with some of its data settings replaced, those by name that are
    neither `OWN` nor None; `ValueError` in one line if they cannot work.

    Without a `seed` it is the run's own, whose test set had no say in its weights.
    """
    changes: dict[str, Any] = {
        k: number for k, number in (numbers or {}).items() if number is not None
    }
    for name, words in (lists or {}).items():
        if tuple(words) != OWN:
            empty = [word.lower() for word in words] == [NOTHING[name]]
            changes[name] = () if empty else tuple(words)
    seed = own.seed if seed is None else seed
    config = replace(
        own, data=replace(own.data, **changes), seed=seed, counterfactuals=counterfactuals
    )
    check(config)
    if config.data.data is not None and seed != own.seed:
        raise ValueError(
            f"--seed {seed}: the pictures of --data are split by the run's own seed, {own.seed},"
            " and another would test on what it was trained on: leave it out"
        )
    open_world(config.data)
    reject_no_effect(config.data, given=frozenset(changes))
    return config


def measure(
    world: World,
    model: nn.Module,
    *,
    counterfactuals: int,
    own: tuple[SplitMetric, ...] = (),
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Estimate | float]:
    """The metrics of a finished model on a world, by tag: those of its summary, for the world and
    the number of counterfactuals of its run, but for what needs a training set."""
    test = StreamedSplit(name="test", world=world, count=world.data.num_test, progress=progress)
    setup = Setup(
        world=world,
        splits=splits_of(world, test=test),
        counterfactuals=counterfactuals,
        pictures=False,
        own=own,
    )
    return dict(EvaluatorSuite(setup).evaluate(model, progress))
