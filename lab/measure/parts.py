"""Which parts make a person? Answers on all sixteen sets of parts, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.measure import intervals


@dataclass(frozen=True)
class PartValue:
    """What one part does for the answer "person".

    necessity: of the faces called a person with all parts, those that are not without this one.
    sufficiency: of the faces not called a person with no part at all, those that are with this one
    alone. shapley: its share in what all parts together do, -1 to 1. The true rule has necessity 1,
    sufficiency 0 and, with four parts, a Shapley value of 1/4.
    """

    necessity: Estimate
    sufficiency: Estimate
    shapley: Estimate


def part_values(called: Tensor, parts: Sequence[str]) -> dict[str, PartValue]:
    """What each of k parts does, from `called` bool (2^k, M): whether face m is called a person
    with the set of parts whose number has bit j set for part j."""
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

    Shapley, "A value for n-person games", 1953: the mean over all orders of joining of what the
    player adds; exact, as all coalitions are known. The interval is normal, over the faces.
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
