"""The figures of a finished run on any population, by tag, as a run's own summary has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from lab.core.config import RunConfig, check
from lab.core.estimate import Estimate
from lab.evaluators.cues import CueEvaluator
from lab.evaluators.reliance import RelianceEvaluator, ask_about_components, component_figures
from lab.measure import accuracy, consistency, group_accuracies, predict
from lab.measure.consistency import ASKED
from lab.robustness import Progress
from lab.worlds import DrawnWorld, World, open_world, reject_no_effect

BATCH = 2**20
"""Pixels of test pictures that are held at a time: those of 1,024 at 32 px."""

NOTHING = {"cues": "none", "subpopulations": "all", "missing": "all", "unseen_combinations": "none"}
"""The word after each of these flags that stands for its empty list."""

OWN = ("own",)
"""What stands for the list that the run was trained with."""


def asked(
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
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Estimate]:
    """Accuracy on the test set, by subpopulation, group and where there are cues or unseen
    combinations, reliance and components: the figures of a world by tag, which for a run's own
    world and counterfactuals are those of its summary."""
    figures = _on_test_set(world, model, progress)
    asked = world.load("test", min(ASKED, world.data.num_test))
    figures |= consistency(model, asked.images)
    if not isinstance(world, DrawnWorld):
        return figures
    what = f"other {world.noun}"
    progress(what, 0, 3)
    if world.cues or world.population.unseen_combinations:
        figures |= CueEvaluator(world)(model)
    progress(what, 1, 3)
    if counterfactuals:
        figures |= RelianceEvaluator(world, count=counterfactuals)(model)
        progress(what, 2, 3)
        if world.components:
            called = ask_about_components(world, model, count=counterfactuals)
            figures |= component_figures(called, world.components)
    progress(what, 3, 3)
    return figures


def _on_test_set(world: World, model: nn.Module, progress: Progress) -> dict[str, Estimate]:
    count, what = world.data.num_test, f"test {world.noun}"
    answers, truths, sorts = [], [], []
    progress(what, 0, count)
    for examples in world.batches("test", count, max(1, BATCH // world.data.image_size**2)):
        answers.append(predict(model, examples.images))
        truths.append(examples.labels.cpu())
        sorts.append(examples.subpopulations.cpu())
        progress(what, sum(map(len, truths)), count)
    logits, labels, kinds = torch.cat(answers), torch.cat(truths), torch.cat(sorts)
    members = {kind.name: kinds == code for code, kind in enumerate(world.kinds)}
    by_kind = group_accuracies(logits, labels, members)
    return {
        "accuracy/test": accuracy(logits, labels),
        **{f"subpopulation_accuracy/{name}": figure for name, figure in by_kind.items()},
    }
