"""Intervals of what is measured on examples that are not independent: copies of each other, and
examples of one cluster, as pictures of one patient."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from lab.core.estimate import Estimate, widened_by
from lab.core.metrics import known
from lab.core.seeds import permutation
from lab.core.student import student_quantile
from lab.measure.predictions import Predictions

KINDS = 50
"""Classes, groups or subpopulations up to which each is asked about by itself where nothing shows
how alike the examples of a cluster are."""

GROUPS = 20
"""Groups into which clusters are put, at most, of which one at a time is left out."""

Measure = Callable[[Predictions, Predictions], Mapping[str, Estimate]]
"""Estimates by tag of the predictions on a training and a test set, as if all examples were
independent."""


def allowing_for_dependence(
    measure: Measure, train: Predictions, test: Predictions
) -> dict[str, Estimate]:
    """What `measure` finds of a training and a test set, by tag, with intervals that allow for
    copies and for clusters among their examples.

    With copies in a set values are those of all examples, and intervals hold those of the different
    ones, too (`with_interval_of`); there is none where nothing is found of these. With clusters
    (`Predictions.clusters`) an interval is widened by the ratio of the standard error of clusters
    to that of independent examples, if that is above 1.

    The standard error of clusters is a delete-a-group jackknife's (Kott, "The delete-a-group
    jackknife", J. Official Statist. 17, 2001): the clusters of a set are dealt to G groups,
    `GROUPS` at most, and with theta_g measured without group g its square is (G - 1) / G times the
    sum of (theta_g - theta)^2; the quantile is Student's. What two sets give is added by squares,
    if no cluster is in both; else the clusters of both are dealt together. Shares have Wilson's
    interval for as many independent examples as have that standard error (Dean & Pagano,
    "Evaluating confidence interval methods for binomial proportions in clustered surveys", J. Surv.
    Stat. Methodol. 3, 2015). Where leaving out clusters changes nothing, as where all are right,
    the interval holds that of one example of each cluster.
    """
    found = _over_copies(measure, train, test)
    if train.clusters is None and test.clusters is None:
        return found
    return _over_clusters(measure, train, test, found)


def _over_copies(measure: Measure, train: Predictions, test: Predictions) -> dict[str, Estimate]:
    found = dict(measure(train, test))
    if train.copies is None and test.copies is None:
        return found
    different, none = measure(train.different(), test.different()), Estimate.point(math.nan)
    return {tag: each.with_interval_of(different.get(tag, none)) for tag, each in found.items()}


@dataclass(frozen=True)
class _Part:
    """What was `measured` without each group of the clusters of some sets; `alone` measures one
    example of each of these clusters, once for each kind of examples of which one is preferred."""

    measured: Sequence[Mapping[str, Estimate]]
    alone: Callable[[], Iterator[Mapping[str, Estimate]]]

    @cached_property
    def one_each(self) -> Mapping[str, Estimate]:
        """Each figure by one example of as many clusters as it has examples of."""
        found: dict[str, Estimate] = {}
        for measured in self.alone():
            for tag, each in measured.items():
                if tag not in found or (each.count or 0) > (found[tag].count or 0):
                    found[tag] = each
        return found


def _over_clusters(
    measure: Measure, train: Predictions, test: Predictions, found: Mapping[str, Estimate]
) -> dict[str, Estimate]:
    """The same estimates with intervals for clusters."""
    sets, parts = [train] if train is test else [train, test], list[_Part]()
    for places, groups in _groups(sets):
        left = [[_without(each, group) for each in sets] for group in groups]
        if len(left) < 2 or not all(len(each) for kept in left for each in kept):
            return {tag: Estimate.point(one.value, count=one.count) for tag, one in found.items()}
        measured = [measure(kept[0], kept[-1]) for kept in left]
        parts.append(_Part(measured, partial(_alone, measure, sets, places)))
    return {tag: _within_range(tag, _clustered(tag, each, parts)) for tag, each in found.items()}


def _alone(
    measure: Measure, sets: Sequence[Predictions], places: set[int]
) -> Iterator[Mapping[str, Estimate]]:
    """What is measured of one example of each cluster of the sets at `places`: of the first one, of
    one of each class, group or subpopulation if the cluster has such, and of a mislabeled one. A
    class may be that of a few pictures of each patient."""
    kinds = list[Callable[[Predictions], Tensor | None]]([lambda each: None])
    kinds.append(lambda each: each.mislabeled)
    for name in ("labels", "groups", "subpopulations"):
        values = sorted({*torch.cat([getattr(sets[place], name) for place in places]).tolist()})
        if 1 < len(values) <= KINDS:
            kinds += [partial(_is, name, value) for value in values]
    for kind in kinds:
        alone = [
            each.independent(kind(each)) if k in places else each for k, each in enumerate(sets)
        ]
        yield measure(alone[0], alone[-1])


def _is(name: str, value: int, predictions: Predictions) -> Tensor:
    found: Tensor = getattr(predictions, name) == value
    return found


def _clustered(tag: str, each: Estimate, parts: Sequence[_Part]) -> Estimate:
    """One of the estimates."""
    if each.low is None:
        return each
    unknown, squares, still = Estimate.point(each.value, count=each.count), 0.0, list[_Part]()
    for part in parts:
        values = [some[tag].value for some in part.measured if tag in some]
        if len(values) < len(part.measured) or not all(map(math.isfinite, values)):
            return unknown
        reach = _reach(values, each.value)
        squares += reach * reach
        still += [] if reach else [part]
    told = _widened(each, math.sqrt(squares)) if squares else each
    for part in still:
        told = _added(told, each, part.one_each.get(tag, unknown))
    return told


def _groups(sets: Sequence[Predictions]) -> list[tuple[set[int], list[Tensor]]]:
    """Groups of the clusters of each set by itself, if none is in two of them, with its place; else
    of all together. They are dealt at random, about equally many of those in both sets, in one and
    in the other: numbers, and sizes, may have to do with what is measured."""
    sizes = {
        place: Counter(each.clusters.tolist())
        for place, each in enumerate(sets)
        if each.clusters is not None
    }
    both = list(sizes.values())
    if len(both) > 1 and not both[0].keys() & both[1].keys():
        return [({place}, _dealt([each])) for place, each in sizes.items()]
    return [({*sizes}, _dealt(both))]


def _dealt(sizes: Sequence[Counter[int]]) -> list[Tensor]:
    """The groups of clusters that have so many examples in each of some sets."""
    numbers = sorted(set[int]().union(*sizes))
    mixed = [numbers[place] for place in permutation(len(numbers), 0, "groups of clusters")]

    mixed.sort(key=lambda number: [number in each for each in sizes])
    count = min(GROUPS, *map(len, sizes))
    return [torch.tensor(mixed[start::count]) for start in range(count)]


def _without(predictions: Predictions, group: Tensor) -> Predictions:
    """The predictions on examples that are of no cluster of a group."""
    if predictions.clusters is None:
        return predictions
    return predictions.where(~torch.isin(predictions.clusters, group))


def _reach(values: Sequence[float], value: float) -> float:
    """How far an interval reaches from the `value`, by the values without each group: Student's
    quantile, for as many degrees of freedom as groups make a difference, less 1, times the
    jackknife's standard error. 0: no group makes a difference."""
    moved = [each - value for each in values if each != value]
    variance = (1 - 1 / len(values)) * sum(each * each for each in moved)
    return student_quantile(max(1, len(moved) - 1)) * math.sqrt(variance) if moved else 0.0


def _widened(each: Estimate, reach: float) -> Estimate:
    """An estimate whose interval reaches so far at least, by the mean of both ends."""
    low, high = each.interval
    if low == high:
        return Estimate.point(each.value, count=each.count)
    return widened_by(each, max(1.0, reach / ((high - low) / 2)))


def _added(told: Estimate, each: Estimate, other: Estimate) -> Estimate:
    """The interval that is `told` with what that of the `other` estimate reaches further than that
    of `each`, added by squares."""
    if told.low is None or other.low is None:
        return Estimate.point(told.value, count=told.count)
    ends = []
    for end in (0, 1):
        mine, plain, more = (one.interval[end] - one.value for one in (told, each, other))
        ends.append(math.sqrt(mine * mine + max(0.0, more * more - plain * plain)))
    return Estimate(told.value, told.value - ends[0], told.value + ends[1], told.count)


def _within_range(tag: str, each: Estimate) -> Estimate:
    """An estimate whose interval has possible values only, where the table of metrics says which
    these are."""
    row = known(tag)
    if row is None:
        return each
    least = -math.inf if row.low is None else row.low
    most = math.inf if row.high is None else row.high
    return each.within(least, most)
