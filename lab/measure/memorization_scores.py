"""Memorization scores of training examples, from networks trained on random subsets of them.

Feldman & Zhang, "What neural networks memorize and why", NeurIPS 2020: the score of example i is
P(right on i | i was trained on) - P(right on i | it was not), over networks trained on random
subsets of one training set. Throughout, `right` (K, N) bool says which of K networks predict the
given label of which of N examples, and `members` (K, N) bool which were trained on which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.core.estimate import Estimate, Z, wilson
from lab.core.student import student_quantile

BY_HEART = 0.5
"""The score from which an example is called known by heart: then the network is right on it at
least twice as often with it as without it. (Feldman & Zhang count those from 0.25 on.)"""

NOTHING = 1e-20
"""A variance of shares below this is one of 0, rounded."""

FEWEST = 3
"""So many networks with an example, and without it, it takes to call it known by heart."""


@dataclass(frozen=True)
class Averages:
    """Each of N examples' mean over networks, `values` (N,), and the same without each one of the K
    networks, `without` (K, N), from which the spread over networks is known. NaN: no network."""

    values: Tensor
    without: Tensor

    @classmethod
    def of(cls, right: Tensor, where: Tensor | None = None) -> Averages:
        """Of `right` (K, N) over the networks `where` (K, N) says so; None: all of them."""
        numbers = right.double()
        weights = torch.ones_like(numbers) if where is None else where.double()
        sums, counts = (weights * numbers).sum(dim=0), weights.sum(dim=0)
        return cls(sums / counts, (sums - weights * numbers) / (counts - weights))

    def __sub__(self, other: Averages) -> Averages:
        return Averages(self.values - other.values, self.without - other.without)

    def among(self, chosen: Tensor) -> Averages:
        """Of the `chosen` (N,) bool examples only."""
        return Averages(self.values[chosen], self.without[:, chosen])

    def known(self) -> Tensor:
        """The values of those examples that have one (M,)."""
        return self.values[self.values.isfinite()]

    def known_without(self) -> Tensor:
        """The mean (K,) without each network, over the examples that have one whichever network is
        left out."""
        return self.without[:, self.without.isfinite().all(dim=0)].mean(dim=1)

    def mean(self) -> Estimate:
        """The mean over the examples that have one, for other networks and other examples of the
        same kind; without an interval for fewer than two of either, or where all are the same.

        Its variance is that over the examples plus that over the networks (by the jackknife). Both
        hold what is random in a single prediction, so that the interval is rather too wide (Owen,
        "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007).
        """
        values = self.known()
        value = values.mean().item() if len(values) else math.nan
        variance = _over_examples(values) + _over_networks(self.known_without())
        return _normal(value, variance, len(values))

    def mean_of_few(self) -> Estimate:
        """As `mean`, with as many standard errors over networks as Student's interval for so many
        of them has: a variance over two to five networks is known roughly only, and with a normal
        interval they would too often be told to differ from others like them.
        """
        values, without = self.known(), self.known_without()
        if len(without) < 2:
            return self.mean()
        wider = (student_quantile(len(without) - 1) / Z) ** 2
        variance = _over_examples(values) + wider * _over_networks(without)
        return _normal(self.mean().value, variance, len(values))


@dataclass(frozen=True, kw_only=True)
class MemorizationScores:
    """The score of each of N examples, float64 (N,) each; NaN for one that all networks or none
    were trained on.

    Args:
        score: `accuracy_in` - `accuracy_out`, -1 to 1.
        standard_error: of the score, over networks. Of a share of n networks it is that of a share
            with one right and one wrong prediction more (Agresti & Caffo, The American Statistician
            54, 2000), so that it is above 0 where all n agree.
        accuracy_in: share of right predictions among the networks that were trained on it.
        accuracy_out: the same among the other networks.
        count_in: how many networks were trained on it.
        count_out: how many were not.
    """

    score: Tensor
    standard_error: Tensor
    accuracy_in: Tensor
    accuracy_out: Tensor
    count_in: Tensor
    count_out: Tensor

    def by_heart(self, among: Tensor | None = None) -> Estimate:
        """The share of examples, or of those `among` (N,) bool, whose score is `BY_HEART` or more,
        with Wilson's interval over the examples. The scores are taken as they are: their own errors
        are not in it."""
        score = self.score if among is None else self.score[among]
        reached = score >= BY_HEART - 1e-9  # 5/6 - 1/3 is a little less than 1/2
        return wilson(int(reached.sum()), int(score.isfinite().sum()))

    def opposite(self, among: Tensor | None = None) -> Estimate:
        """The share whose score is -`BY_HEART` or less, as `by_heart` counts: noise, which puts as
        many examples at `BY_HEART` or more."""
        score = self.score if among is None else self.score[among]
        reached = score <= -BY_HEART + 1e-9
        return wilson(int(reached.sum()), int(score.isfinite().sum()))

    @property
    def firm(self) -> bool:
        """Whether each example was in `FEWEST` networks or more, and not in as many."""
        return bool((torch.minimum(self.count_in, self.count_out) >= FEWEST).all())


def memorization_scores(right: Tensor, members: Tensor) -> MemorizationScores:
    """The scores of the N examples."""
    shares, variances, counts = [], [], []
    for where in (members, ~members):
        count = where.sum(dim=0).double()
        hits = (right & where).sum(dim=0).double()
        cautious = (hits + 1) / (count + 2)
        shares.append(hits / count)
        variances.append(cautious * (1 - cautious) / (count + 2))
        counts.append(count)
    score = shares[0] - shares[1]
    error = (variances[0] + variances[1]).sqrt()
    return MemorizationScores(
        score=score,
        standard_error=torch.where(score.isfinite(), error, math.nan),
        accuracy_in=shares[0],
        accuracy_out=shares[1],
        count_in=counts[0],
        count_out=counts[1],
    )


def mean_score(right: Tensor, members: Tensor, among: Tensor | None = None) -> Estimate:
    """The mean score of the examples, or of those `among` (N,) bool, -1 to 1."""
    scores = Averages.of(right, members) - Averages.of(right, ~members)
    return (scores if among is None else scores.among(among)).mean().within(-1, 1)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What the mean score must be, by accuracies that are measured apart from it.

    Args:
        score: the mean memorization score.
        members: mean accuracy on the examples a network was trained on, by their given labels.
        others: mean accuracy on the other training examples, by their given labels. Where each
            example was in equally many networks, `score` is `members` - `others` exactly.
        fresh: mean accuracy on examples outside the training set, by their true labels.
        expected: what `others` must be by `fresh`, for as many wrong labels as there are.
        off: `others` - `expected`: an interval without 0 says that the training set is not a random
            sample of what the fresh examples are from, that something is measured wrongly, or that
            it is so small that a network goes by the shares of the classes: an example that is left
            out is missing among the rest, so that its class is rarer there than among fresh ones.
    """

    score: Estimate
    members: Estimate
    others: Estimate
    fresh: Estimate
    expected: Estimate
    off: Estimate

    @property
    def holds(self) -> bool:
        """Whether 0 is in the interval of `off`."""
        low, high = self.off.interval
        return low <= 0 <= high


def identity(
    right: Tensor, members: Tensor, fresh: Tensor, *, wrong: Tensor, classes: int
) -> Identity:
    """The identity of the mean score, for `fresh` (K, M) bool: which networks are right on which of
    M examples outside the training set, by true labels.

    `wrong` (N,) bool says which training examples have a wrong label. A network that was not
    trained on such an example gives it its wrong label if it errs on the picture, and then with
    probability 1 / (`classes` - 1). (So it is for wrong labels that are uniform over the others, as
    those of the lab's label noise are.)
    """
    share = wrong.double().mean().item()
    slope, start = 1 - share * classes / (classes - 1), share / (classes - 1)
    inside, outside = (Averages.of(right, where) for where in (members, ~members))
    there, left_out = Averages.of(fresh), outside.known()
    expected = Averages(start + slope * there.values, start + slope * there.without)
    difference = left_out.mean().item() - expected.values.mean().item()
    variance = (
        _over_examples(left_out)
        + _over_examples(expected.values)
        + _over_networks(outside.known_without() - expected.known_without())
    )
    return Identity(
        score=mean_score(right, members),
        members=inside.mean().within(0, 1),
        others=outside.mean().within(0, 1),
        fresh=there.mean().within(0, 1),
        expected=expected.mean().within(0, 1),
        off=_normal(difference, variance, len(left_out)).within(-1, 1),
    )


def _over_examples(values: Tensor) -> float:
    """The variance of a mean over examples (N,)."""
    return values.var().item() / len(values) if len(values) > 1 else math.nan


def _over_networks(without: Tensor) -> float:
    """The variance over networks, by the jackknife, of a number that is `without` (K,) when each
    one is left out."""
    count = len(without)
    if count < 2:
        return math.nan
    return (count - 1) / count * (without - without.mean()).square().sum().item()


def _normal(value: float, variance: float, count: int) -> Estimate:
    """Without an interval where the variance is not known, or is 0: all values the same tell
    nothing of their spread."""
    if not variance > NOTHING:
        return Estimate.point(value, count=count)
    reach = Z * math.sqrt(variance)
    return Estimate(value, value - reach, value + reach, count)
