"""Power laws of the error in the number of training examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lab.core.estimate import Estimate
from lab.core.student import student_quantile


@dataclass(frozen=True)
class PowerLaw:
    """error = factor · size^exponent, as `fit_power_law` finds it."""

    exponent: Estimate
    factor: float
    _center: float  # mean of log size
    _spread: float  # sum of squared deviations from it
    _noise: float  # standard deviation of log error around the line
    _count: int

    def at(self, size: float) -> Estimate:
        """The error that the law predicts for a size, with the 95 % interval of the fitted line (of
        its mean there, not of single runs)."""
        x = math.log(size)
        log = math.log(self.factor) + self.exponent.value * x
        error = self._noise * math.sqrt(1 / self._count + (x - self._center) ** 2 / self._spread)
        reach = student_quantile(self._count - 2) * error
        return Estimate(math.exp(log), math.exp(log - reach), math.exp(log + reach), self._count)

    def __str__(self) -> str:
        return f"{self.factor:.3g} · size^{self.exponent.value:.3f}"


def fit_power_law(sizes: Sequence[float], errors: Sequence[float]) -> PowerLaw:
    """The power law through points (size, error), one for each run, with the exponent's interval.

    Hestness et al., "Deep learning scaling is predictable, empirically", 2017, equation 1 (error =
    α m^β) without its constant floor γ, which a few points cannot tell from the rest: a straight
    line through the logarithms by least squares, and Student's interval for its slope with N - 2
    degrees of freedom. It holds in the power-law region alone: leave out sizes at which the error
    is still that of a guess (their figure 6). Raises `ValueError` for fewer than three points, one
    size only, or values that are not above 0.
    """
    if len(sizes) != len(errors):
        raise ValueError(f"{len(errors)} errors for {len(sizes)} sizes")
    if len(sizes) < 3:
        raise ValueError(f"a power law needs three points or more, not {len(sizes)}")
    x: npt.NDArray[np.float64] = np.asarray(sizes, dtype=np.float64)
    y: npt.NDArray[np.float64] = np.asarray(errors, dtype=np.float64)
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"sizes and errors must be numbers (N,), not {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("a power law needs sizes and errors above 0")
    if len(set(x.tolist())) < 2:
        raise ValueError("a power law needs two sizes or more")
    x, y = np.log(x), np.log(y)
    center = float(x.mean())
    spread = float(((x - center) ** 2).sum())
    slope = float(((x - center) * y).sum()) / spread
    start = float(y.mean()) - slope * center
    rest = y - (start + slope * x)
    noise = math.sqrt(float((rest**2).sum()) / (len(x) - 2))
    reach = student_quantile(len(x) - 2) * noise / math.sqrt(spread)
    exponent = Estimate(slope, slope - reach, slope + reach, len(x))
    return PowerLaw(exponent, math.exp(start), center, spread, noise, len(x))
