"""Student's t: intervals of the mean of a few values, such as one for each seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from lab.core.estimate import Estimate

ROUNDING = 1e-12
"""Values that differ by no more than this, as a share of the largest if that is above 1, are the
same: 2/3 - 29/60 and 41/60 - 1/2 differ by 6e-17, of which Student's interval would make a spread,
and of that a significant difference."""


@cache
def student_quantile(degrees: int, level: float = 0.95) -> float:
    """How many standard errors a two-sided interval at `level`, 0 to below 1, reaches with so many
    `degrees` of freedom, 1 or more: 12.71, 4.30, 3.18, … down to 1.96 at 95 %.

    With t = √degrees tan(a), P(|T| < t) is the integral of cos(a)^(degrees - 1) up to a, over that
    up to π/2; here by the trapezoid rule, right to six digits (four at 99.99 %).
    """
    angles = np.linspace(0, math.pi / 2, 200_001)
    density = np.cos(angles) ** (degrees - 1)
    area = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    angle = np.interp(level, area / area[-1], angles)
    return float(math.sqrt(degrees) * np.tan(angle))


def mean_of_seeds(values: Sequence[float], level: float = 0.95) -> Estimate:
    """The mean of a value for each seed, with Student's interval at `level`; none below two seeds.

    Student, "The probable error of a mean", Biometrika 6, 1908. It assumes values that are normal
    around the mean; ends may lie beyond the values' range. Values that are all the same tell
    nothing of a spread: both ends are then that value, and texts say so (`words.over_seeds`).
    `ValueError` for anything but a row of numbers.
    """
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        kinds = {type(value).__name__ for value in values}
        raise ValueError(f"values must be numbers, not {', '.join(sorted(kinds))}") from None
    if numbers.ndim != 1:
        raise ValueError(f"values must be numbers (N,), one for each seed, not {numbers.shape}")
    count = len(numbers)
    if count == 0:
        return Estimate.point(math.nan, count=0)
    value = float(numbers.mean())
    if count == 1:
        return Estimate.point(value, count=1)
    if np.ptp(numbers) <= ROUNDING * max(1.0, float(np.abs(numbers).max())):
        return Estimate(float(numbers[0]), float(numbers[0]), float(numbers[0]), count)
    reach = student_quantile(count - 1, level) * float(numbers.std(ddof=1)) / math.sqrt(count)
    return Estimate(value, value - reach, value + reach, count)
