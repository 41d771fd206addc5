"""Estimates: measured numbers with their 95 % intervals, as every measure returns them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

Z = 1.959963984540054
"""Standard normal quantile 0.975, for two-sided 95 % intervals."""


@dataclass(frozen=True)
class Estimate:
    """One measured number.

    Args: value: the point estimate. low, high: the ends of its 95 % confidence interval; `None` for
    both if it has none. count: number of items (faces) it was computed from, copies among them;
    `None` if not applicable.
    """

    value: float
    low: float | None = None
    high: float | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        assert (self.low is None) == (self.high is None), "an interval has two ends or none"

    @classmethod
    def point(cls, value: float, *, count: int | None = None) -> Estimate:
        """A number without an interval."""
        return cls(value, None, None, count)

    @property
    def interval(self) -> tuple[float, float]:
        """The interval; infinite ends where there is none."""
        if self.low is None or self.high is None:
            return -math.inf, math.inf
        return self.low, self.high

    def within(self, low: float, high: float) -> Estimate:
        """The estimate with its interval cut to the values that are possible, `low` to `high`, as
        far as they hold its own."""
        if self.low is None or self.high is None:
            return self
        ends = min(self.value, max(low, self.low)), max(self.value, min(high, self.high))
        return Estimate(self.value, *ends, self.count)

    def with_interval_of(self, different: Estimate) -> Estimate:
        """The estimate, of items some of which are copies, with an interval that holds two: that of
        the `different` ones, each counted once, which is right where copies were added at random,
        and its own, of all as if they were independent, which is right where they came by
        themselves, as blank pages among scans do."""
        if different.low is None or self.low is None or math.isnan(self.value):
            return Estimate.point(self.value, count=self.count)
        ends = zip(self.interval, different.interval, strict=True)
        (low, other_low), (high, other_high) = ends
        return Estimate(self.value, min(low, other_low), max(high, other_high), self.count)

    def as_dict(self) -> dict[str, float | int | None]:
        """Plain values, as `summary.json` holds them."""
        return {"value": self.value, "low": self.low, "high": self.high, "count": self.count}


SURE = 0.01
"""The p-value below which two samples count as ones of other shares."""


def wilson(successes: int, count: int, *, among: int = 1) -> Estimate:
    """A share with its Wilson score interval; NaN without interval for a total of 0.

    With `among` > 1 it is one of so many intervals that all hold together with some 95 % confidence
    (Bonferroni's correction; far out, Wilson's approximation is a little too narrow for shares near
    0: thirty shares of 0.02 to 0.1 of 48 lie within theirs in 93 %).

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    if count == 0:
        return Estimate(math.nan, count=0)
    share = successes / count
    return Estimate(share, *_wilson(share, count, _quantile(among)), count)


def _wilson(share: float, count: float, z: float) -> tuple[float, float]:
    """The ends of Wilson's interval of a share of so many, for the normal quantile z."""
    spread = z * z / count
    middle = (share + spread / 2) / (1 + spread)
    reach = z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    low, high = min(share, middle - reach), max(share, middle + reach)  # rounding at 0 and 1
    return max(0.0, low), min(1.0, high)


def together(shares: Sequence[Estimate]) -> list[Estimate]:
    """Shares from `wilson` with intervals that all hold together, by `among` of that function.
    Estimates without a count stay as they are."""
    return [widened(share, among=len(shares)) for share in shares]


def widened(share: Estimate, *, among: int) -> Estimate:
    """A share from `wilson` with its interval as one of `among` many that hold together. Where some
    of its examples are copies (`with_interval_of`) it is that of as many independent ones as have
    an interval of this width, and holds this one. As it is without a count or an interval."""
    if not share.count or share.low is None or share.high is None:
        return share
    right = round(share.value * share.count)
    if share.interval == wilson(right, share.count).interval:
        return wilson(right, share.count, among=among)
    low, high = _wilson(share.value, _size(share), _quantile(among))
    return Estimate(share.value, min(share.low, low), max(share.high, high), share.count)


def widened_by(figure: Estimate, factor: float) -> Estimate:
    """An estimate with an interval that is wider by a factor of 1 or more: a share from `wilson`
    has that of as many independent examples, factor^2 times fewer; of others both ends are so many
    times as far away. As it is without an interval."""
    if figure.low is None or figure.high is None or factor == 1:
        return figure
    count = figure.count or 0
    right = round(figure.value * count) if 0 <= figure.value <= 1 else -1
    if count and right >= 0 and figure.interval == wilson(right, count).interval:
        return Estimate(figure.value, *_wilson(figure.value, count / factor**2, Z), count)
    low, high = (figure.value + factor * (end - figure.value) for end in figure.interval)
    return Estimate(figure.value, low, high, figure.count)


def _size(share: Estimate) -> float:
    """Of how many independent examples a share has an interval as wide as this one: Wilson's ends
    are (p + v / 2 ± sqrt(p (1 - p) v + v^2 / 4)) / (1 + v), with v = Z^2 / n, which is solved."""
    low, high = share.interval
    square, spread = ((high - low) / 2) ** 2, share.value * (1 - share.value)
    if not 0 < square < 0.25:
        return math.inf if not square else 1.0
    a, b = 0.25 - square, spread - 2 * square
    return Z * Z * 2 * a / (math.sqrt(b * b + 4 * a * square) - b)


def _quantile(among: int) -> float:
    """The standard normal quantile for one of so many two-sided intervals that hold together."""
    return Z if among == 1 else NormalDist().inv_cdf(1 - 0.025 / among)


def highest(shares: Sequence[Estimate]) -> Estimate:
    """The highest of one or more shares from `wilson`, with an interval of the highest true share.

    That one lies between the highest of the lower ends and the highest of the upper ends of
    intervals that hold together. The value, the highest share that was observed, is on average
    above it.
    """
    best, wide = max(shares, key=lambda share: share.value), together(shares)
    low, high = (max(each.interval[end] for each in wide) for end in (0, 1))
    if math.isinf(low) or math.isinf(high):
        return Estimate.point(best.value, count=best.count)
    return Estimate(best.value, low, high, best.count)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """`one` minus `other`, for two independent estimates with intervals.

    Square-and-add: with Wilson intervals it is the hybrid score interval of Newcombe, "Interval
    estimation for the difference between independent proportions", Statist. Med. 17, 1998, method
    10; with normal intervals it is the usual one. Without both intervals the result has none.
    """
    value = one.value - other.value
    counts = [each.count for each in (one, other) if each.count is not None]
    count = sum(counts) if len(counts) == 2 else None
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Estimate.point(value, count=count)
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - down, value + up, count)


def homogeneity(counts: Sequence[int], others: Sequence[int]) -> float:
    """The p-value of the hypothesis that two samples are from one distribution, of which these are
    the counts at the same places: Pearson's chi-square test. 1 if one is empty, or all lie at one
    place.

    The chi-square distribution is that of Wilson & Hilferty, "The distribution of chi-square", PNAS
    17, 1931: p-values around 0.01 are right within a tenth of them. Where expected counts are below
    1, small p-values are rarer than they say.
    """
    total, rest = sum(counts), sum(others)
    places = [pair for pair in zip(counts, others, strict=True) if sum(pair)]
    if not total or not rest or len(places) < 2:
        return 1.0
    square = sum(
        (mine * rest - theirs * total) ** 2 / (mine + theirs) for mine, theirs in places
    ) / (total * rest)
    freedom = len(places) - 1
    spread = 2 / (9 * freedom)
    z = ((square / freedom) ** (1 / 3) - 1 + spread) / math.sqrt(spread)
    return math.erfc(z / math.sqrt(2)) / 2


def shares_differ(counts: Sequence[int], others: Sequence[int]) -> bool:
    """Whether the shares of the places surely differ between two samples with these counts, of
    sums above 0: by a test of all together, or in how evenly they are spread. Of two samples of one
    distribution 2 % do at most, and of two with the same shares none."""
    if homogeneity(counts, others) < SURE:
        return True
    uneven = max(_unevenness(counts, others), _unevenness(others, counts))
    return uneven > NormalDist().inv_cdf(1 - SURE / 2)


def _unevenness(counts: Sequence[int], others: Sequence[int]) -> float:
    """By how many standard deviations the mean of p, the share that the first sample has at a
    place, differs between its own items and those of the other: many that are counted evenly in one
    and unevenly in the other differ so where they are too few each for a chi-square test.

    Of one distribution the mean of its own items is larger by (1 - that) / its number, as each
    counts for its own place, and of two samples with given shares not at all: what lies between is
    no difference. The standard deviation is that of p over items and of the two means, with twice
    the own items' part (Hoeffding's projection of a U-statistic), and not below that of places
    alike.
    """
    total, rest = sum(counts), sum(others)
    shares = [count / total for count in counts]
    own = sum(share * share for share in shares)
    theirs = sum(share * other for share, other in zip(shares, others, strict=True)) / rest
    apart = max(own - (1 - own) / total - theirs, theirs - own, 0.0)
    varied = sum(share * (share - own) ** 2 for share in shares)
    return apart / math.sqrt(max(varied, own / total) * (2 / total + 1 / rest))
