"""The base config of most lessons: a small network, few steps, no pictures."""

from __future__ import annotations

from typing import Any

from lab.core.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from lab.worlds import get_task

TEST = 1000

GUESS = get_task(DataConfig().task).chance
"""Chance accuracy in such a run, and the strength at which a cue is independent of the label."""


def small(
    *,
    width: int = 8,
    steps: int = 600,
    every: int | None = None,
    counterfactuals: int = 0,
    dropout: float = 0.0,
    data: dict[str, Any] | None = None,
    train: dict[str, Any] | None = None,
) -> RunConfig:
    """A run of `steps` steps with an evaluation every `every` steps (None: at the first and the
    last step only)."""
    return RunConfig(
        data=DataConfig(**{"num_test": TEST, **(data or {})}),
        model=ModelConfig(width=width, dropout=dropout),
        train=TrainConfig(steps=steps, eval_every=every or steps, **(train or {})),
        counterfactuals=counterfactuals,
        pictures=False,
        snapshots=0,
    )
