"""Components: what each does for the prediction of the last class, from predictions on samples with
every set of components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

import torch
from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals
from lab.measure.given import Given, as_tensor


@dataclass(frozen=True)
class ComponentValue:
    """What one component does for the prediction of the last class (a person, by default).

    necessity: of the samples predicted as it with all components, the share that is not without
    this one. sufficiency: of the samples not predicted as it without any component, the share that
    is with this one alone. shapley: its share in what all components together do, -1 to 1. The true
    rule has necessity 1, sufficiency 0 and, with four components, a Shapley value of 1/4.
    """

    necessity: Estimate
    sufficiency: Estimate
    shapley: Estimate


def component_values(called: Given, components: Sequence[str]) -> dict[str, ComponentValue]:
    """What each of k components does, from `called` bool (2^k, M): whether sample m is predicted as
    the last class with the set of components whose number has bit j set for component j.
    `ValueError` for anything else."""
    called = as_tensor(called, "called")
    rows = 2 ** len(components)
    if called.dtype != torch.bool or called.ndim != 2 or len(called) != rows:
        raise ValueError(
            f"called must be ({rows}, M) bool for {len(components)} components, not"
            f" {tuple(called.shape)} {called.dtype}"
        )
    everything, nothing = called[-1], called[0]
    values = {}
    for j, component in enumerate(components):
        without, alone = called[-1 - 2**j], called[2**j]
        necessity = wilson(int((everything & ~without).sum()), int(everything.sum()))
        sufficiency = wilson(int((~nothing & alone).sum()), int((~nothing).sum()))
        values[component] = ComponentValue(necessity, sufficiency, shapley(called, j))
    return values


def shapley(called: Tensor, player: int) -> Estimate:
    """The Shapley value of bit `player` in the game `called` (2^k, M), the mean over M samples.

    Shapley, "A value for n-person games", 1953: the mean over all orders of joining of what the
    player adds; exact, as all coalitions are known. The interval is normal, over the samples.
    """
    worth = called.double()  # (2^k, M)
    k, bit = len(called).bit_length() - 1, 1 << player
    total = worth.new_zeros(worth.shape[1])
    for coalition in range(len(called)):
        if not coalition & bit:
            size = coalition.bit_count()
            weight = factorial(size) * factorial(k - size - 1) / factorial(k)
            total += weight * (worth[coalition | bit] - worth[coalition])
    return intervals.mean(total)
