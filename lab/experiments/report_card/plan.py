"""The grids of runs behind a report card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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

LOOKS = 8
"""Evaluations of a run that may fit its training set before its end."""

PASSES = 30
"""Times that a run must see its training set for that: of random labels and of faces of the default
task 100 were fitted after 80 passes, 1,000 after 36, 3,000 after 24."""

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

    Runs take at most the base's steps, and end where they have fitted their training set, as a run
    with the usual number of steps does.
    """
    base = with_settings(base, {"eval_every": max(1, base.train.max_steps)})
    silent = with_settings(base, {"counterfactuals": 0})
    found = {
        "learning": learning_curve.plan(base, sizes, models=models),
        "random": random_labels.plan(silent, models, sizes=random_sizes),
        **{
            section.name: section.grid(base, models)
            for section in applying(subject)
            if section.grid is not None
        },
    }
    return {name: replace(plan, adapt=ending_when_fitted) for name, plan in found.items()}


def ending_when_fitted(config: RunConfig) -> RunConfig:
    """The config with a bound of the training loss, and evaluations that find it, if the run sees
    its training set often enough; measuring large sets would take longer than is saved."""
    train = config.train
    bound = with_settings(config, {"steps": None}).loss_bound
    if bound is None or train.max_steps * train.batch_size < PASSES * config.data.num_train:
        return config
    every = max(1, -(-train.max_steps // LOOKS))
    return with_settings(config, {"eval_every": every, "stop_at_loss": bound})
