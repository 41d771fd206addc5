"""Necessity, sufficiency and Shapley value of each part, from predictions on all sixteen sets of
parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals


@dataclass(frozen=True)
class PartValue:
    """The effect of one part on the prediction "person".

    necessity: of the faces predicted to be persons with all parts, the share that is not without
    this one. sufficiency: of the faces not predicted to be persons with no part, the share that is
    with this one alone. shapley: the part's share in the effect of all parts together, -1 to 1. The
    true rule has necessity 1, sufficiency 0 and, with four parts, a Shapley value of 1/4.
    """

    necessity: Estimate
    sufficiency: Estimate
    shapley: Estimate


def part_values(called: Tensor, parts: Sequence[str]) -> dict[str, PartValue]:
    """The values of each of k parts, from `called` bool (2^k, M): whether face m is predicted to be
    a person with the set of parts whose number has bit j set for part j."""
    everything, nothing = called[-1], called[0]
    values = {}
    for j, part in enumerate(parts):
        without, alone = called[-1 - 2**j], called[2**j]
        necessity = wilson(int((everything & ~without).sum()), int(everything.sum()))
        sufficiency = wilson(int((~nothing & alone).sum()), int((~nothing).sum()))
        values[part] = PartValue(necessity, sufficiency, shapley(called, j))
    return values


def shapley(called: Tensor, player: int) -> Estimate:
    """The Shapley value of bit `player` in the game `called` (2^k, M), the mean over M faces.

    Shapley, "A value for n-person games", 1953: the mean, over all orders of adding players, of the
    change that this player makes; exact, since all coalitions are known. The interval is normal,
    over the faces.
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
