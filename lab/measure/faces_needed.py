"""How many training faces a network needs for a test accuracy, read off its learning curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from lab.estimate import Estimate
from lab.measure.student import mean_of_seeds

Bound = Literal["", "at most", "more than"]


@dataclass(frozen=True)
class FacesNeeded:
    """The number of training faces at which test accuracy reaches `target`.

    `bound` "at most": it is there at the smallest size already, for a seed or more. "more than":
    a seed or more is not there at the largest size, which `faces` then is, without an interval.
    """

    target: float
    faces: Estimate
    bound: Bound = ""

    def __str__(self) -> str:
        number = f"{rounded(self.faces.value):,}"
        if self.bound:
            return f"{self.bound} {number}"
        low, high = self.faces.ends
        if math.isinf(low):
            return f"about {number}"
        return f"{number} ({rounded(low):,}–{rounded(high):,})"


def faces_needed(
    sizes: Sequence[int], accuracies: npt.NDArray[np.float64], target: float
) -> FacesNeeded:
    """From the test accuracies (S, X) of S seeds at X rising `sizes`.

    Each seed's curve is a straight line between two sizes over the logarithm of the size, and the
    first crossing counts. The result is the geometric mean over the seeds, with Student's 95 %
    interval of the mean logarithm. Raises `ValueError` for fewer than two sizes, or if they fall.
    """
    if len(sizes) < 2 or any(a >= b for a, b in pairwise(sizes)):
        raise ValueError(f"a learning curve needs two rising sizes or more, not {list(sizes)}")
    logs = [_crossing([math.log(size) for size in sizes], seed, target) for seed in accuracies]
    reached = [log for log in logs if log is not None]
    if len(reached) < len(logs):
        return FacesNeeded(target, Estimate.point(float(sizes[-1])), "more than")
    mean = mean_of_seeds(reached)
    low, high = (None if end is None else math.exp(end) for end in (mean.low, mean.high))
    faces = Estimate(math.exp(mean.value), low, high, len(reached))
    first = min(reached) <= math.log(sizes[0])
    return FacesNeeded(target, faces, "at most" if first else "")


def rounded(number: float) -> int:
    """A number of faces with two digits that count."""
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
