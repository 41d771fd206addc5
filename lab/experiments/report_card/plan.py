"""The three grids of runs behind a report card."""

from __future__ import annotations

from collections.abc import Sequence

from lab.core.config import RunConfig
from lab.experiments.plan import Plan
from lab.experiments.presets import equal_cues, learning_curve, random_labels
from lab.experiments.runner.grid import with_settings

SIZES = (100, 300, 1000, 3000, 10_000)
"""Training faces of the learning curve."""

RANDOM_SIZES = (100, 300, 1000, 3000)
"""Training faces with random labels."""

CUE_FACES = 1000
"""Training faces where there are cues."""

SET_HERE = {
    "num_train": "--sizes and --random-sizes",
    "label_noise": "the report card",
    "label_noise_kind": "the report card",
    "cues": "the report card",
    "cue_visibility": "the report card",
    "online": "the report card",
    "eval_every": "the report card",
    "early_stopping": "the report card (which measures runs at their ends only)",
    "name": "the report card",
    "threads": "the report card (one for each run)",
}
"""Settings of a run that the grids vary or rely on, and what sets them."""


def plans(
    base: RunConfig,
    models: Sequence[str],
    *,
    sizes: Sequence[int] = SIZES,
    random_sizes: Sequence[int] = RANDOM_SIZES,
) -> dict[str, Plan]:
    """The grids by name: `learning`, `random`, `cues`.

    Runs are evaluated at their ends only; the base sets how many steps they take.
    """
    base = with_settings(base, {"eval_every": max(1, base.train.max_steps)})
    tied = with_settings(base, {"num_train": CUE_FACES})
    silent = with_settings(base, {"counterfactuals": 0})
    return {
        "learning": learning_curve.plan(base, sizes, models=models),
        "random": random_labels.plan(silent, models, sizes=random_sizes),
        "cues": equal_cues.plan(tied, models),
    }
