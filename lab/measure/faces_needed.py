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

Bound = Literal["", "at most", "more than", "both"]


@dataclass(frozen=True)
class Beyond:
    """So many `seeds` reach the target at the smallest size already, or not even at the largest;
    `faces` is that size."""

    faces: int
    seeds: int


@dataclass(frozen=True)
class FacesNeeded:
    """The number of training faces at which test accuracy reaches `target`.

    `bound`: empty, or `faces` is only a bound, without an interval. "at most": at least one seed
    reaches the target at the smallest size already (`at_most`). "more than": at least one seed
    never reaches it (`more_than`). "both": there are seeds of either kind among the `seeds`, so
    that the mean is bounded on neither side, and `faces` is None.
    """

    target: float
    faces: Estimate | None
    bound: Bound = ""
    seeds: int | None = None
    at_most: Beyond | None = None
    more_than: Beyond | None = None

    def __str__(self) -> str:
        if self.faces is None:
            assert self.at_most is not None
            assert self.more_than is not None
            low, high = self.at_most, self.more_than
            return (
                f"at most {low.faces:,} ({low.seeds} of {self.seeds} seeds) to more than"
                f" {high.faces:,} ({high.seeds} of {self.seeds})"
            )
        number = f"{rounded(self.faces.value):,}"
        if self.bound:
            return f"{self.bound} {number}"
        least, most = self.faces.interval
        if math.isinf(least) or least == most:  # one seed, or all the same
            return f"about {number}"
        return f"{number} ({rounded(least):,}–{rounded(most):,})"


def faces_needed(sizes: Sequence[int], accuracies: npt.ArrayLike, target: float) -> FacesNeeded:
    """From the test accuracies (S, X) of S seeds at X rising `sizes`.

    Each seed's curve is a straight line between two sizes over the logarithm of the size, and the
    first crossing counts. The result is the geometric mean over the seeds, with Student's 95 %
    interval of the mean logarithm. A seed that never crosses counts as the largest size, so that
    the mean is a lower bound; one that is there at the smallest counts as this, so that it is an
    upper one. With seeds of either kind there is no mean. Raises `ValueError` for fewer than two
    sizes, if they fall, or if there is not an accuracy of each seed at each size.
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
    beyond = {
        "at_most": _beyond(sizes[0], sum(log <= places[0] for log in logs)),
        "more_than": _beyond(sizes[-1], crossings.count(None)),
    }
    bound: Bound = ""
    if beyond["at_most"]:
        bound = "both" if beyond["more_than"] else "at most"
    elif beyond["more_than"]:
        bound = "more than"
    mean = mean_of_seeds(logs)
    faces: Estimate | None = Estimate.point(math.exp(mean.value))
    if bound == "both":
        faces = None
    elif not bound:
        low, high = (None if end is None else math.exp(end) for end in (mean.low, mean.high))
        faces = Estimate(math.exp(mean.value), low, high, len(logs))
    return FacesNeeded(target, faces, bound, len(logs), **beyond)


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


def _beyond(size: int, seeds: int) -> Beyond | None:
    return Beyond(int(size), seeds) if seeds else None
