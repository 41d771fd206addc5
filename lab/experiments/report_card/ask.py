"""Measurements of trained networks: accuracy by subpopulation, predictions for all subsets of
parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lab.core.estimate import Estimate
from lab.evaluators import Evaluation, StreamedSplit
from lab.evaluators.components import predict_components
from lab.evaluators.subpopulations import SubpopulationsEvaluator
from lab.experiments.table import Cell
from lab.measure import mean_of_seeds
from lab.runs.load import open_run
from lab.worlds import DrawnWorld, Task, open_world, subsets

FACES = 4000
"""Unseen faces that are predicted, of all subpopulations."""

PART_FACES = 200
"""Faces that are shown with each of the sixteen sets of parts."""


def by_subpopulation(cell: Cell, *, device: str) -> dict[str, Estimate]:
    """Accuracy on unseen pictures of each subpopulation, the mean over the cell's seeds."""
    found: dict[str, list[float]] = {}
    for run in cell.runs:
        config, model, *_ = open_run(run.folder, device=device)
        world = open_world(config.data, seed=config.seed, device=device)
        test = StreamedSplit(name="test", world=world, count=FACES)
        result = SubpopulationsEvaluator()(Evaluation(model, {"test": test}))
        for tag, share in result.metrics.items():
            value = share.value if isinstance(share, Estimate) else share
            found.setdefault(tag.partition("/")[2], []).append(value)
    return {kind: mean_of_seeds(shares) for kind, shares in found.items()}


def by_parts(cell: Cell, *, device: str) -> dict[tuple[str, ...], Estimate]:
    """The share of faces called a person with each set of parts, the mean over the seeds."""
    shares = []
    for run in cell.runs:
        config, model, *_ = open_run(run.folder, device=device)
        world = DrawnWorld.of(config.data, seed=config.seed, device=device)
        called = predict_components(world, model, count=PART_FACES)
        shares.append(called.double().mean(dim=1).numpy())
    table = np.stack(shares)  # (S, 16)
    return {
        parts: mean_of_seeds(table[:, k].tolist())
        for k, parts in enumerate(subsets(world.components))
    }


def asks_for_parts(task: Task) -> bool:
    """Whether a task is about all the components of its pictures."""
    return bool(task.components)


def as_words(sets: Mapping[tuple[str, ...], Estimate]) -> dict[str, Estimate]:
    """Sets of parts in words."""
    return {" + ".join(parts) or "no part": share for parts, share in sets.items()}
