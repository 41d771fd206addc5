"""Intervals of what is measured on examples that are not independent: copies of each other, and
examples of one cluster, as pictures of one patient."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lab.core.estimate import Estimate, widened_by
from lab.core.metrics import known
from lab.core.student import student_quantile
from lab.measure.predictions import Predictions

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
    jackknife", J. Official Statist. 17, 2001): clusters are dealt to G groups, `GROUPS` at most,
    and with theta_g measured without group g its square is (G - 1) / G times the sum of (theta_g -
    theta)^2; the quantile is Student's. Shares have Wilson's interval for as many independent
    examples as have that standard error (Dean & Pagano, "Evaluating confidence interval methods for
    binomial proportions in clustered surveys", J. Surv. Stat. Methodol. 3, 2015). Where leaving out
    clusters changes nothing, as where all are right, the interval holds that of one example of each
    cluster.
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


def _over_clusters(
    measure: Measure, train: Predictions, test: Predictions, found: Mapping[str, Estimate]
) -> dict[str, Estimate]:
    """The same estimates with intervals for clusters."""
    sets = [train] if train is test else [train, test]
    groups = _groups([each.clusters for each in sets if each.clusters is not None])
    left = [[_without(each, group) for each in sets] for group in groups]
    if not all(len(each) for kept in left for each in kept):  # a set is of one cluster
        return {tag: Estimate.point(each.value, count=each.count) for tag, each in found.items()}
    without = [measure(kept[0], kept[-1]) for kept in left]
    one_each = [_one_of_each(each) for each in sets]
    single, none = measure(one_each[0], one_each[-1]), Estimate.point(math.nan)
    told = {}
    for tag, each in found.items():
        if each.low is None:
            told[tag] = each
            continue
        values = [some[tag].value for some in without if tag in some]
        if len(values) < len(without) or not values or not all(map(math.isfinite, values)):
            told[tag] = Estimate.point(each.value, count=each.count)
        elif error := _standard_error(values, each.value):
            told[tag] = _widened(tag, each, *error)
        else:
            told[tag] = each.with_interval_of(single.get(tag, none))
    return told


def _groups(sets: Sequence[Tensor]) -> list[Tensor]:
    """Groups of the clusters, whose numbers (N,) the examples of each set have: about equally many
    of each size of those in both sets, in one and in the other."""
    sizes = [Counter(each.tolist()) for each in sets]

    def kind(number: int) -> tuple[list[bool], list[int], int]:
        return [number in each for each in sizes], [each[number] for each in sizes], number

    numbers = sorted(set[int]().union(*sizes), key=kind)
    count = min(GROUPS, max(map(len, sizes), default=0))
    return [torch.tensor(numbers[start::count]) for start in range(count)]


def _without(predictions: Predictions, group: Tensor) -> Predictions:
    """The predictions on examples that are of no cluster of a group."""
    if predictions.clusters is None:
        return predictions
    return predictions.where(~torch.isin(predictions.clusters, group))


def _one_of_each(predictions: Predictions) -> Predictions:
    """The predictions on the first example of each cluster."""
    if predictions.clusters is None:
        return predictions
    return replace(predictions, copies=predictions.clusters).different()


def _standard_error(values: Sequence[float], value: float) -> tuple[float, int] | None:
    """The jackknife's standard error, by the `values` without each group, and its degrees of
    freedom: groups that make a difference, less 1. None: none of them does."""
    moved = [each - value for each in values if each != value]
    if len(moved) < 2:
        return None
    squares = sum(each * each for each in moved)
    return math.sqrt((1 - 1 / len(values)) * squares), len(moved) - 1


def _widened(tag: str, each: Estimate, error: float, freedom: int) -> Estimate:
    """An estimate whose interval allows for a standard error with so many degrees of freedom."""
    low, high = each.interval
    if low == high:
        return Estimate.point(each.value, count=each.count)
    factor = student_quantile(freedom) * error / ((high - low) / 2)
    return _within_range(tag, widened_by(each, max(1.0, factor)))


def _within_range(tag: str, each: Estimate) -> Estimate:
    """An estimate whose interval has possible values only, where the table of metrics says which
    these are."""
    row = known(tag)
    if row is None:
        return each
    least = -math.inf if row.low is None else row.low
    most = math.inf if row.high is None else row.high
    return each.within(least, most)
