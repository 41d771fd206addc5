"""Random labels: grids of runs with them over training-set size, and beside true labels."""

from __future__ import annotations

from collections.abc import Sequence

from lab.core.config import RunConfig
from lab.experiments.plan import Plan
from lab.experiments.runner.grid import with_settings

TRUE, RANDOM = 0.0, 1.0
"""Values of the label noise."""


def plan(base: RunConfig, models: Sequence[str], *, sizes: Sequence[int]) -> Plan:
    """Every number of examples with random labels, for each network."""
    noise = with_settings(base, {"label_noise": RANDOM})
    return Plan(noise, {"model": tuple(models), "num_train": tuple(sizes)}, "random labels")


def beside_true(base: RunConfig, models: Sequence[str]) -> Plan:
    """True labels and random ones, for each network."""
    grid = {"model": tuple(models), "label_noise": (TRUE, RANDOM)}
    return Plan(base, grid, "true and random labels")
