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
from lab.evaluators.reliance import RelianceEvaluator, ask_about_parts, part_figures
from lab.measure import accuracy, consistency, group_accuracies, predict
from lab.measure.consistency import ASKED
from lab.robustness import Progress
from lab.worlds import Population, draw_examples, population_of, reject_no_effect
from lab.worlds.faces import PARTS

BATCH = 2**20
"""Pixels of test pictures that are held at a time: those of 1,024 faces at 32 px."""

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

    Without a `seed` it is the run's own, whose test faces had no say in its weights.
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
    population_of(config.data)
    reject_no_effect(config.data, given=frozenset(changes))
    return config


def measure(
    config: RunConfig,
    model: nn.Module,
    *,
    device: str | torch.device = "cpu",
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Estimate]:
    """Accuracy on the test set, by kind, group and where there are cues or hold-outs, reliance and
    parts: the figures of `config`'s population by tag, which for the run's own population, seed and
    counterfactuals are those of its summary."""
    population, data, seed = population_of(config.data), config.data, config.seed
    figures = _on_test_set(config, population, model, device, progress)
    asked = draw_examples(
        data, split="test", count=min(ASKED, data.num_test), seed=seed, device=device,
        population=population,
    )  # fmt: skip
    figures |= consistency(model, asked.images)
    progress("other faces", 0, 3)
    if population.cues or population.unseen_combinations:
        figures |= CueEvaluator(data, population, seed=seed, device=device)(model)
    progress("other faces", 1, 3)
    if config.counterfactuals:
        figures |= RelianceEvaluator(
            population, count=config.counterfactuals, size=data.image_size, seed=seed, device=device
        )(model)
        progress("other faces", 2, 3)
        if set(PARTS) <= set(population.task.relevant):
            called = ask_about_parts(
                population, model, count=config.counterfactuals, size=data.image_size, seed=seed,
                device=device,
            )  # fmt: skip
            figures |= part_figures(called)
    progress("other faces", 3, 3)
    return figures


def _on_test_set(
    config: RunConfig,
    population: Population,
    model: nn.Module,
    device: str | torch.device,
    progress: Progress,
) -> dict[str, Estimate]:
    data, count = config.data, config.data.num_test
    batch = max(1, BATCH // data.image_size**2)
    answers, truths, sorts = [], [], []
    for start in range(0, count, batch):
        progress("test faces", start, count)
        examples = draw_examples(
            data, split="test", count=min(batch, count - start), seed=config.seed, device=device,
            start=start, population=population,
        )  # fmt: skip
        answers.append(predict(model, examples.images))
        truths.append(examples.labels.cpu())
        sorts.append(examples.subpopulations.cpu())
    progress("test faces", count, count)
    logits, labels, kinds = torch.cat(answers), torch.cat(truths), torch.cat(sorts)
    members = {kind.name: kinds == code for code, kind in enumerate(population.task.subpopulations)}
    by_kind = group_accuracies(logits, labels, members)
    return {
        "accuracy/test": accuracy(logits, labels),
        **{f"subpopulation_accuracy/{name}": figure for name, figure in by_kind.items()},
    }
