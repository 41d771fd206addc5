"""Measurements of finished networks: on each kind of picture, and on all sets of parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lab.core.estimate import Estimate
from lab.evaluators.reliance import ask_about_components
from lab.experiments.table import Cell
from lab.measure import mean_of_seeds, predict, right
from lab.runs.load import load_run
from lab.worlds import DrawnWorld, Task, draw_examples, subsets

FACES = 4000
"""Unseen faces that are asked about, of all kinds."""

PART_FACES = 200
"""Faces that are shown with each of the sixteen sets of parts."""


def by_kind(cell: Cell, *, device: str) -> dict[str, Estimate]:
    """Accuracy on unseen pictures of each kind, the mean over the cell's seeds, by kind."""
    found: dict[str, list[float]] = {}
    for run in cell.runs:
        config, model = load_run(run.folder, device=device)
        examples = draw_examples(
            config.data, split="test", count=FACES, seed=config.seed, device=device
        )
        hits = right(predict(model, examples.images), examples.clean_labels.cpu()).double()
        kinds = examples.subpopulations.cpu()
        for number, kind in enumerate(examples.kinds):
            mine = kinds == number
            if bool(mine.any()):
                found.setdefault(kind.name, []).append(float(hits[mine].mean()))
    return {kind: mean_of_seeds(shares) for kind, shares in found.items()}


def by_parts(cell: Cell, *, device: str) -> dict[tuple[str, ...], Estimate]:
    """The share of faces called a person with each set of parts, the mean over the seeds."""
    shares = []
    for run in cell.runs:
        config, model = load_run(run.folder, device=device)
        world = DrawnWorld.of(config.data, seed=config.seed, device=device)
        called = ask_about_components(world, model, count=PART_FACES)
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
