"""Training faces needed for a test accuracy, interpolated on a learning curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from lab.core.estimate import Estimate
from lab.core.student import mean_of_seeds

Bound = Literal["", "at most", "more than"]


@dataclass(frozen=True)
class FacesNeeded:
    """The number of training faces at which test accuracy reaches `target`.

    `bound`: empty, or `faces` is only a bound, without an interval. "at most": at least one seed
    reaches the target at the smallest size already. "more than": at least one seed never reaches
    it.
    """

    target: float
    faces: Estimate
    bound: Bound = ""

    def __str__(self) -> str:
        number = f"{rounded(self.faces.value):,}"
        if self.bound:
            return f"{self.bound} {number}"
        low, high = self.faces.interval
        if math.isinf(low) or low == high:  # one seed, or all the same
            return f"about {number}"
        return f"{number} ({rounded(low):,}–{rounded(high):,})"


def faces_needed(sizes: Sequence[int], accuracies: npt.ArrayLike, target: float) -> FacesNeeded:
    """From the test accuracies (S, X) of S seeds at X rising `sizes`.

    Each seed's curve is a straight line between two sizes over the logarithm of the size, and the
    first crossing counts. The result is the geometric mean over the seeds, with Student's 95 %
    interval of the mean logarithm. A seed that never crosses counts as the largest size, so that
    the mean is a lower bound. Raises `ValueError` for fewer than two sizes, if they fall, or if
    there is not an accuracy of each seed at each size.
    """
    if len(sizes) < 2 or any(a >= b for a, b in pairwise(sizes)):
        raise ValueError(f"a learning curve needs two rising sizes or more, not {list(sizes)}")
    curves: npt.NDArray[np.float64] = np.asarray(accuracies, dtype=np.float64)
    if curves.ndim != 2 or not len(curves) or curves.shape[1] != len(sizes):
        raise ValueError(
            f"accuracies must be (S, {len(sizes)}), of S seeds at {len(sizes)} sizes, not"
            f" {curves.shape}"
        )
    places = [math.log(size) for size in sizes]
    crossings = [_crossing(places, seed, target) for seed in curves]
    logs = [places[-1] if log is None else log for log in crossings]
    mean = mean_of_seeds(logs)
    bound: Bound = "more than" if None in crossings else "at most" if min(logs) <= places[0] else ""
    if bound:
        return FacesNeeded(target, Estimate.point(math.exp(mean.value)), bound)
    low, high = (None if end is None else math.exp(end) for end in (mean.low, mean.high))
    return FacesNeeded(target, Estimate(math.exp(mean.value), low, high, len(logs)))


def rounded(number: float) -> int:
    """A number of faces rounded to two significant digits."""
    digits = max(0, len(str(int(abs(number)))) - 2)
    return int(round(number, -digits))


def _crossing(
    logs: Sequence[float], accuracy: npt.NDArray[np.float64], target: float
) -> float | None:
    """Where the line first reaches the target; None: nowhere."""
    if accuracy[0] >= target:
        return logs[0]
    for k in range(1, len(logs)):
        if accuracy[k] >= target:
            share = (target - accuracy[k - 1]) / (accuracy[k] - accuracy[k - 1])
            return float(logs[k - 1] + share * (logs[k] - logs[k - 1]))
    return None
