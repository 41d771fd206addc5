"""The grids of runs behind a report card."""

from __future__ import annotations

from collections.abc import Sequence

from lab.core.config import RunConfig
from lab.experiments.plan import Plan
from lab.experiments.presets import learning_curve, random_labels
from lab.experiments.report_card.sections import applying
from lab.experiments.report_card.subject import Subject
from lab.experiments.runner.grid import with_settings

SET_HERE = {
    "num_train": "--sizes and --random-sizes",
    "label_noise": "the report card",
    "label_noise_kind": "the report card",
    "cues": "the report card",
    "cue_visibility": "the report card",
    "online": "the report card",
    "copies": "the report card (of whose training faces none is a copy)",
    "eval_every": "the report card",
    "early_stopping": "the report card (whose runs are measured with their last weights)",
    "stop_at_loss": "the report card (which asks whether runs fit their training set)",
    "name": "the report card",
    "threads": "the report card (one for each run)",
}
"""Settings of a run that the grids vary or rely on, and what sets them."""

LOOKS = 6
"""Evaluations of a run that ends where nothing is left to learn from its training pictures. Each
costs about 20 steps; two in a row must find the loss below the bound."""

SET_FOR_PICTURES = {**SET_HERE, "counterfactuals": "the report card (with --data)"}
"""The same for pictures of the user's own, of which no attribute can be changed."""


def plans(
    base: RunConfig,
    models: Sequence[str],
    subject: Subject,
    *,
    sizes: Sequence[int],
    random_sizes: Sequence[int],
) -> dict[str, Plan]:
    """The grids by name: `learning`, `random`, and those of the sections that apply.

    Runs take at most the base's steps. They are evaluated at their ends, and `LOOKS` times where
    the base lets them end early, at its bound of the training loss.
    """
    looks = LOOKS if base.loss_bound is not None else 1
    base = with_settings(base, {"eval_every": max(1, -(-base.train.max_steps // looks))})
    silent = with_settings(base, {"counterfactuals": 0})
    return {
        "learning": learning_curve.plan(base, sizes, models=models),
        "random": random_labels.plan(silent, models, sizes=random_sizes),
        **{
            section.name: section.grid(base, models)
            for section in applying(subject)
            if section.grid is not None
        },
    }
