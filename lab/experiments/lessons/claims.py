"""Claims about runs, decided by 95 % intervals over seeds.

Every claim is about one number per seed: a difference between two settings, a slope over several, a
value against a bound. Runs with the same seed share training faces and initial weights across
settings, so differences are paired by seed. A claim is *confirmed* if the whole Student's interval
of the mean satisfies it, *refuted* if no value of the interval does, and otherwise there is *not
enough evidence*; so it is where all seeds gave the same number, which tells nothing of their spread
(but for shares of 0 and of 1: `words.decides`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lab.core.estimate import Estimate
from lab.core.words import decides, has_spread, over_seeds, spoken
from lab.measure import mean_of_seeds

Verdict = Literal["confirmed", "refuted", "not enough evidence"]

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Claim:
    """A claim, its verdict, and the numbers that decide it."""

    text: str
    verdict: Verdict
    evidence: str
    plain: str = ""
    """The same evidence for readers without training in statistics, as the end of a sentence:
    "in 5 of 5 runs; on average 0.62 against 0.10 …"; empty: the evidence says it plainly."""

    def __str__(self) -> str:
        return f"{self.verdict}: {self.text} ({self.evidence})"


def greater(text: str, one: Numbers, other: Numbers, *, by: float = 0.0, digits: int = 3) -> Claim:
    """`one` (S,) exceeds `other` (S,) by more than `by`, paired by seed; numbers are written with
    `digits` decimals."""
    if never := sum(not np.isfinite(value) for value in one - other):
        evidence = f"without a number in {never} of {len(one)} seeds"
        return Claim(text, "not enough evidence", evidence)
    difference = mean_of_seeds((one - other).tolist())
    against = f"{one.mean():.{digits}f} against {other.mean():.{digits}f}"
    evidence = f"{against}, difference {over_seeds(difference, digits)}"
    plain = (
        f"{_in_runs(one - other > by)}; on average {against}, a difference of"
        f" {_between(difference, digits)}"
    )
    return Claim(text, _above(difference, by), evidence, plain)


def at_least(text: str, values: Numbers, bound: float) -> Claim:
    """The mean of `values` (S,) is `bound` or more."""
    mean = mean_of_seeds(values.tolist())
    low, high = mean.interval
    verdict: Verdict = "not enough evidence"
    if not decides(mean):
        pass
    elif low >= bound:
        verdict = "confirmed"
    elif high < bound:
        verdict = "refuted"
    plain = f"{_in_runs(values >= bound)}; on average {_between(mean)}"
    return Claim(text, verdict, over_seeds(mean, 3), plain)


def near(text: str, values: Numbers, target: float, *, within: float) -> Claim:
    """The mean of `values` (S,) is within `within` of `target`."""
    mean = mean_of_seeds(values.tolist())
    low, high = mean.interval
    verdict: Verdict = "not enough evidence"
    if not has_spread(mean):
        pass
    elif target - within <= low and high <= target + within:
        verdict = "confirmed"
    elif high < target - within or low > target + within:
        verdict = "refuted"
    plain = f"{_in_runs(abs(values - target) <= within)}; on average {_between(mean)}"
    return Claim(text, verdict, over_seeds(mean, 3), plain)


def rises(text: str, xs: Sequence[float], values: Sequence[Numbers]) -> Claim:
    """The slope of `values` (X arrays of (S,)) over `xs` (X,) is above 0, seed by seed."""
    slope = slopes(xs, values)
    estimate = mean_of_seeds(slope.tolist())
    plain = _told_course(xs, values, slope, slope > 0)
    return Claim(text, _above(estimate, 0.0), _course(values, estimate), plain)


def falls(text: str, xs: Sequence[float], values: Sequence[Numbers]) -> Claim:
    """The slope of `values` (X arrays of (S,)) over `xs` (X,) is below 0, seed by seed."""
    slope = slopes(xs, values)
    verdict = _above(mean_of_seeds((-slope).tolist()), 0.0)
    plain = _told_course(xs, values, slope, slope < 0)
    return Claim(text, verdict, _course(values, mean_of_seeds(slope.tolist())), plain)


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
    sure = [n for n in options if has_spread(differences[n]) and differences[n].interval[0] > 0]
    shown = max(sure, key=lambda name: differences[name].interval[0], default=best)
    verdict: Verdict = "not enough evidence"
    if sure:
        verdict = "confirmed"
    elif all(greater("", one, other).verdict == "refuted" for one in options.values()):
        verdict = "refuted"
    against = f"{options[shown].mean():.3f} against {other.mean():.3f}"
    best_of = f", for the best of {len(options)}" if len(options) > 1 else ""
    evidence = f"{shown}: {against}, difference {over_seeds(differences[shown], 3)}{best_of}"
    plain = (
        f"{_in_runs(options[shown] > other)} ({shown}); on average {against}, a difference of"
        f" {_between(differences[shown])}"
    )
    return Claim(text, verdict, evidence, plain)


def none_exceeds(text: str, options: Mapping[str, Numbers], other: Numbers) -> Claim:
    """None of the `options` (S,) exceeds `other` (S,): the opposite of `some_exceed`."""
    contrary = some_exceed(text, options, other)
    opposite: dict[Verdict, Verdict] = {"confirmed": "refuted", "refuted": "confirmed"}
    return Claim(text, opposite.get(contrary.verdict, contrary.verdict), contrary.evidence)


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
    against = f"{rows[first].mean():.3f} against {rows[nearest].mean():.3f}"
    evidence = (
        f"{first} before {nearest}: {against}, difference {over_seeds(over[nearest], 3)}, for the"
        f" first of {len(rows)}"
    )
    ahead = np.all([rows[first] > rows[name] for name in over], axis=0)
    plain = (
        f"{spoken(first)} is first {_in_runs(ahead)}; on average {against} of {spoken(nearest)}, a"
        f" difference of {_between(over[nearest])}"
    )
    return Claim(text, verdict, evidence, plain)


def every(text: str, claims: Mapping[str, Claim]) -> Claim:
    """The conjunction of named claims: confirmed if all are, refuted if any is."""
    told = [
        f"{name} {claim.evidence}" + ("" if claim.verdict == "confirmed" else f" ({claim.verdict})")
        for name, claim in claims.items()
    ]
    plain = "; ".join(f"{name}: {claim.plain or claim.evidence}" for name, claim in claims.items())
    return Claim(text, together(list(claims.values())), "; ".join(told), plain)


def together(claims: Sequence[Claim]) -> Verdict:
    """The verdict on all claims: confirmed if each one is, refuted if any is."""
    verdicts = {claim.verdict for claim in claims}
    if "refuted" in verdicts:
        return "refuted"
    return "confirmed" if verdicts == {"confirmed"} else "not enough evidence"


def _above(estimate: Estimate, bound: float) -> Verdict:
    low, high = estimate.interval
    if not has_spread(estimate):
        return "not enough evidence"
    if low > bound:
        return "confirmed"
    return "refuted" if high < bound else "not enough evidence"


def _in_runs(holds: npt.NDArray[np.bool_]) -> str:
    return f"in {int(holds.sum())} of {len(holds)} runs"


def _between(estimate: Estimate, digits: int = 3) -> str:
    low, high = estimate.interval
    if not has_spread(estimate):
        return f"{estimate.value:.{digits}f} (in all {estimate.count} runs)"
    return f"{estimate.value:.{digits}f} (between {low:.{digits}f} and {high:.{digits}f})"


def _told_course(
    xs: Sequence[float], values: Sequence[Numbers], slope: Numbers, holds: npt.NDArray[np.bool_]
) -> str:
    means = ", ".join(f"{value.mean():.3f}" for value in values)
    change = mean_of_seeds((slope * (xs[-1] - xs[0])).tolist())
    return (
        f"{_in_runs(holds)}; on average {means} one after the other, along a straight line a change"
        f" of {_between(change)}"
    )


def _course(values: Sequence[Numbers], slope: Estimate) -> str:
    means = " → ".join(f"{value.mean():.3f}" for value in values)
    return f"{means}; slope {over_seeds(slope, 3)}"
