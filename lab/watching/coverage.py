"""Whether a loop trains on a part of the training examples alone, as where it divides them once
more, into training and validation examples of its own."""

from __future__ import annotations

from math import ceil, exp, log, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from lab.watching.known import Known

RECOGNIZED = 0.9
"""Of the inputs of a loop that are expected among the known training examples, so many must be
found there: of those that it changes only some are found, which may always be the same ones."""

STEPS, TIMES = 20, 3.0
"""Steps that must have been looked at, and how often a training example that was seen at all must
have been seen on the mean."""

MISSING = 0.05
"""Share of the training examples that a loop leaves out, above which it is told."""

SURE, RARE = 3.3, 0.0005
"""Standard deviations of the logarithm of the estimated number, and the probability of as much by
chance, one-sided."""


class Part(NamedTuple):
    """Of `whole` training examples a loop goes through about `trained`: in all of `looked` inputs
    that were looked at only `seen` different ones were found."""

    trained: int
    whole: int
    seen: int
    looked: int


class Coverage:
    """In how many steps of a loop each of the known training examples was among its inputs.

    Those it was not seen to feed are estimated from those seen in one step and in two (Chao,
    "Estimating the population size for capture-recapture data with unequal catchability",
    Biometrics 43, 1987): a lower bound where some are fed less often than others.
    """

    def __init__(self) -> None:
        self._steps: Tensor | None = None
        self._found = self._looked = self._times = 0

    def note(self, calls: list[Tensor], known: Known) -> None:
        """The probes (N, C, S) of the inputs of some calls in one step."""
        kind = known.probes.dtype
        found = torch.cat(
            [
                known.places(rows) if rows.dtype is kind else torch.full((len(rows),), -1)
                for rows in calls
            ]
        )
        if self._steps is None:
            self._steps = torch.zeros(len(known.probes), dtype=torch.int64)
        self._times += 1
        self._looked += len(found)
        self._found += int((found >= 0).sum())
        self._steps[found[found >= 0]] += 1  # once, however often it was found

    def part(self, known: Known, count: int) -> Part | None:
        """The part of `count` training examples, of which some or all are `known`, that it goes
        through; None: it may be all of them."""
        expected = self._looked * len(known.probes) / count
        if self._steps is None or self._found < RECOGNIZED * expected:
            return None
        seen = int((self._steps > 0).sum())
        if not seen or self._times < STEPS or int(self._steps.sum()) < TIMES * seen:
            return None
        estimate, most = _chao(seen, *(int((self._steps == k).sum()) for k in (1, 2)))
        different = known.different
        if most >= (1 - MISSING) * different or self._may_miss_batches(different, seen):
            return None
        trained = min(count, round(estimate * count / different))
        return Part(trained, count, seen, self._found)

    def _may_miss_batches(self, different: int, seen: int) -> bool:
        """Whether chance may have missed all but those `seen` of so many `different` ones, where
        they come in the same batches each time, as large as what was seen of one."""
        every = int(self._steps.sum()) if self._steps is not None else 0
        batch = every / self._times
        expected = different / batch * exp(-every / seen)
        missed = max(1, ceil((different - seen) / batch))
        # the lower regularized gamma function is the upper tail of Poisson's distribution
        tail = torch.special.gammainc(*torch.tensor([missed, expected], dtype=torch.float64))
        return float(tail) > RARE


def _chao(seen: int, once: int, twice: int) -> tuple[float, float]:
    """Chao's estimate of how many there are, where so many were `seen`, of them some `once` and
    `twice`, and its upper limit (log-normal, `SURE`)."""
    more = once * (once - 1) / (2 * (twice + 1))
    variance = (
        more
        + once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
        + once**2 * twice * (once - 1) ** 2 / (4 * (twice + 1) ** 4)
    )
    beyond = max(more, 1.0)
    return seen + more, seen + beyond * exp(SURE * sqrt(log(1 + variance / beyond**2)))
