"""Whether equal rows of two sets were put into both after these were divided, or may be chance, or
older copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import torch

DRAWS = 200
"""Random divisions with which the given one is compared."""

SURE = 4.0
"""Standard deviations above their mean from which on so many equal rows are no chance."""


def surely_copied(train: Sequence[Hashable], test: Sequence[Hashable]) -> bool:
    """Whether surely more rows of `test` equal one of `train` than where all of them, equal ones
    included, are divided at random: then some were put into both sets after these were divided.

    A permutation test: independent rows of one population, and rows that were copied before a
    random division, are exchangeable, however often they equal each other.
    """
    counts = Counter(train) + Counter(test)
    numbers = {key: number for number, key in enumerate(k for k, n in counts.items() if n > 1)}
    rows = [numbers.get(key, -1) for key in (*train, *test)]
    of = torch.tensor(rows)
    places = (of >= 0).nonzero()[:, 0]
    of, whole, first = of[places], len(rows), len(train)

    def equal(studied: torch.Tensor) -> int:
        known = torch.zeros(len(numbers), dtype=torch.bool)
        known[of[studied]] = True
        return int(known[of[~studied]].sum())

    generator = torch.Generator().manual_seed(0)
    drawn = [
        float(equal(torch.randperm(whole, generator=generator)[places] < first))
        for _ in range(DRAWS)
    ]
    by_chance = torch.tensor(drawn, dtype=torch.float64)
    found = equal(places < first)
    bound = by_chance.mean() + SURE * by_chance.std()
    return found > max(float(bound), max(drawn))
