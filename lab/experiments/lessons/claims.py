"""Claims about runs, decided by 95 % intervals over seeds.

Every claim is about one number per seed: a difference between two settings, a slope over several, a
value against a bound. Runs with the same seed share training faces and initial weights across
settings, so differences are paired by seed. A claim is *confirmed* if the whole Student's interval
of the mean satisfies it, *refuted* if no value of the interval does, and otherwise there is *not
enough evidence*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lab.core.estimate import Estimate
from lab.core.words import estimated
from lab.measure import mean_of_seeds

Verdict = Literal["confirmed", "refuted", "not enough evidence"]

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Claim:
    """A claim, its verdict, and the numbers that decide it."""

    text: str
    verdict: Verdict
    evidence: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.text} ({self.evidence})"


def greater(text: str, one: Numbers, other: Numbers, *, by: float = 0.0, digits: int = 3) -> Claim:
    """`one` (S,) exceeds `other` (S,) by more than `by`, paired by seed; numbers are written with
    `digits` decimals."""
    if never := sum(not np.isfinite(value) for value in one - other):
        evidence = f"without a number in {never} of {len(one)} seeds"
        return Claim(text, "not enough evidence", evidence)
    difference = mean_of_seeds((one - other).tolist())
    evidence = (
        f"{one.mean():.{digits}f} against {other.mean():.{digits}f}, difference"
        f" {estimated(difference, digits)}"
    )
    return Claim(text, _above(difference, by), evidence)


def at_least(text: str, values: Numbers, bound: float) -> Claim:
    """The mean of `values` (S,) is `bound` or more."""
    mean = mean_of_seeds(values.tolist())
    low, high = mean.interval
    verdict: Verdict = "not enough evidence"
    if low >= bound:
        verdict = "confirmed"
    elif high < bound:
        verdict = "refuted"
    return Claim(text, verdict, estimated(mean, 3))


def near(text: str, values: Numbers, target: float, *, within: float) -> Claim:
    """The mean of `values` (S,) is within `within` of `target`."""
    mean = mean_of_seeds(values.tolist())
    low, high = mean.interval
    verdict: Verdict = "not enough evidence"
    if target - within <= low and high <= target + within:
        verdict = "confirmed"
    elif high < target - within or low > target + within:
        verdict = "refuted"
    return Claim(text, verdict, estimated(mean, 3))


def rises(text: str, xs: Sequence[float], values: Sequence[Numbers]) -> Claim:
    """The slope of `values` (X arrays of (S,)) over `xs` (X,) is above 0, seed by seed."""
    slope = slopes(xs, values)
    estimate = mean_of_seeds(slope.tolist())
    return Claim(text, _above(estimate, 0.0), _course(values, estimate))


def falls(text: str, xs: Sequence[float], values: Sequence[Numbers]) -> Claim:
    """The slope of `values` (X arrays of (S,)) over `xs` (X,) is below 0, seed by seed."""
    slope = slopes(xs, values)
    verdict = _above(mean_of_seeds((-slope).tolist()), 0.0)
    return Claim(text, verdict, _course(values, mean_of_seeds(slope.tolist())))


def slopes(xs: Sequence[float], values: Sequence[Numbers]) -> Numbers:
    """The least-squares slope of each seed (S,), per unit of x."""
    x = np.asarray(xs, dtype=np.float64)
    x = x - x.mean()
    table = np.stack(values)  # (X, S)
    result: Numbers = (x[:, None] * table).sum(axis=0) / (x**2).sum()
    return result


def some_exceed(text: str, options: Mapping[str, Numbers], other: Numbers) -> Claim:
    """One of the `options` (S,) exceeds `other` (S,), whichever it is.

    The maximum of many noisy means is biased upwards, so intervals have the level 1 - 0.05 /
    options (Bonferroni). Refuted if each option alone is refuted at 95 %.
    """
    level = 1 - 0.05 / len(options)
    differences = {
        name: mean_of_seeds((one - other).tolist(), level) for name, one in options.items()
    }
    best = max(differences, key=lambda name: differences[name].value)
    surest = max(differences, key=lambda name: differences[name].interval[0])
    shown = surest if differences[surest].interval[0] > 0 else best
    verdict: Verdict = "not enough evidence"
    if differences[surest].interval[0] > 0:
        verdict = "confirmed"
    elif all(greater("", one, other).verdict == "refuted" for one in options.values()):
        verdict = "refuted"
    evidence = (
        f"{shown}: {options[shown].mean():.3f} against {other.mean():.3f}, difference"
        f" {estimated(differences[shown], 3)}"
        + (f", for the best of {len(options)}" if len(options) > 1 else "")
    )
    return Claim(text, verdict, evidence)


def leads(text: str, rows: Mapping[str, Numbers]) -> Claim:
    """One of the `rows` (S,) is above each other one, whichever it is.

    Intervals are widened for the number of rows (Bonferroni, as in `some_exceed`). Never
    refuted: with too few seeds the absence of a leader cannot be shown.
    """
    first = max(rows, key=lambda name: float(rows[name].mean()))
    level = 1 - 0.05 / len(rows)
    over = {
        name: mean_of_seeds((rows[first] - row).tolist(), level)
        for name, row in rows.items()
        if name != first
    }
    nearest = min(over, key=lambda name: over[name].interval[0])
    verdict = _above(over[nearest], 0.0)
    evidence = (
        f"{first} before {nearest}: {rows[first].mean():.3f} against {rows[nearest].mean():.3f},"
        f" difference {estimated(over[nearest], 3)}, for the first of {len(rows)}"
    )
    return Claim(text, verdict, evidence)


def every(text: str, claims: Mapping[str, Claim]) -> Claim:
    """The conjunction of named claims: confirmed if all are, refuted if any is."""
    told = [
        f"{name} {claim.evidence}" + ("" if claim.verdict == "confirmed" else f" ({claim.verdict})")
        for name, claim in claims.items()
    ]
    return Claim(text, together(list(claims.values())), "; ".join(told))


def together(claims: Sequence[Claim]) -> Verdict:
    """The verdict on all claims: confirmed if each one is, refuted if any is."""
    verdicts = {claim.verdict for claim in claims}
    if "refuted" in verdicts:
        return "refuted"
    return "confirmed" if verdicts == {"confirmed"} else "not enough evidence"


def _above(estimate: Estimate, bound: float) -> Verdict:
    low, high = estimate.interval
    if low > bound:
        return "confirmed"
    return "refuted" if high < bound else "not enough evidence"


def _course(values: Sequence[Numbers], slope: Estimate) -> str:
    means = " → ".join(f"{value.mean():.3f}" for value in values)
    return f"{means}; slope {estimated(slope, 3)}"
