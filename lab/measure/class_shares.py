"""Class shares: training figures at the class shares of the test set, where the two differ.

A network that gives the same answer to all examples gets more training examples right than test
examples if that answer is the more frequent one in training; and its losses then tell training
examples from others. Neither is memory. Compared class by class both differences vanish.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lab.core.compared import counted_by_place, groups_serve, in_both, in_unstudied_groups
from lab.core.estimate import Estimate, difference, wilson
from lab.measure import intervals
from lab.measure.accuracy import example_losses
from lab.measure.dependent import allowing_for_dependence
from lab.measure.predictions import Predictions

MEAN, STUDIED = "accuracy/test_class_mean", "accuracy/test_studied"
ACCURACY, GAP = "accuracy/train_at_test_shares", "gap/accuracy_at_test_shares"
AUC = "memorization/membership_auc_within_classes"

BY_CLASS = ACCURACY, GAP, AUC
BY_GROUP = (
    "accuracy/train_at_group_shares",
    "gap/accuracy_at_group_shares",
    "memorization/membership_auc_within_groups",
)
"""The same with groups in place of classes."""

PLAIN, NULLS = ("gap/accuracy", "memorization/membership_auc"), (0.0, 0.5)
"""The gap and the membership AUC of all examples, and what they are where nothing is memorized."""

FEWEST, MOSTLY = 10, 0.9
"""Examples of a class or group in each set, at least, and the share of all that are of such ones,
with which it is looked whether other shares explain what seems to be memory."""

UNSTUDIED = "memorization/test_in_unstudied_groups"

TOLD = 0.05
"""Share of the test examples of such groups from which on that is said: fewer hardly change what is
said of memory."""


def at_test_shares(
    train: Predictions, test: Predictions, *, kinds: bool = False
) -> dict[str, Estimate]:
    """Training accuracy, generalization gap and membership AUC with each class counted at its share
    of the test set, by tag; empty unless the shares surely differ between the sets, or gap or AUC
    surely differ from what memorizing nothing gives only where classes count at other shares in the
    two sets (`_explained`). Copies in a set count once for that and in intervals; shares and values
    are those of all examples.

    All are means over classes, weighted by the shares of the given labels in the test set: of the
    accuracy on the class's training examples, of that minus the accuracy on its test examples, and
    of the membership AUC among pairs of two examples of the class. Their intervals add up the
    classes' own by square-and-add (Zou & Donner, "Construction of confidence limits about effect
    measures", Statist. Med. 27, 2008). Classes that only one of the sets has are left out; where
    the test set has such, the accuracy on its other examples is there, too (`STUDIED`).

    Where both sets have groups, of class and further values, and their shares surely differ, the
    same is done with groups in place of classes, where they serve for that (`groups_serve`);
    `kinds`: they are of kinds of examples, such as sites. The tags are those of `BY_GROUP`. Where
    the test set is of groups that the training set lacks, so that they do not serve, `UNSTUDIED` is
    the share of such test examples: what is unlike them in the training set need not be memory.
    """
    if not len(train) or not len(test):
        return {}
    different = train.different(), test.different()
    by_class = _by_class(*different)
    found: dict[str, Estimate] = {}
    if _have_groups(train, test):
        by_group = _by_group(*different)
        if counted_by_place(*by_group) and groups_serve(by_group, by_class, kinds=kinds):
            return allowing_for_dependence(_at_group_shares, train, test)
        if in_unstudied_groups(by_group, by_class, kinds=kinds):
            found |= allowing_for_dependence(_unstudied, train, test)
    if counted_by_place(*by_class):
        return found | allowing_for_dependence(_at_class_shares, train, test)
    if found:
        return found
    plain = allowing_for_dependence(_plain, train, test)
    if _have_groups(train, test) and _are_many(*by_group):
        counted = allowing_for_dependence(_at_group_shares, train, test)
        if _explained(plain, counted, BY_GROUP):
            return counted
    if _are_many(*by_class):
        counted = allowing_for_dependence(_at_class_shares, train, test)
        if _explained(plain, counted, BY_CLASS):
            return counted
    return {}


def unstudied(metrics: Mapping[str, Estimate]) -> Estimate | None:
    """The share of the test examples that are of groups which the training set lacks, by the final
    `metrics` of a run, where that may be why they are less often right; None: hardly any is."""
    found = metrics.get(UNSTUDIED)
    return found if found is not None and found.value > TOLD else None


def _plain(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    """Gap and membership AUC of all examples, by tag."""
    losses, fresh = (example_losses(each.logits, each.labels) for each in (train, test))
    right, tested = (wilson(int(each.right.sum()), len(each)) for each in (train, test))
    return {PLAIN[0]: difference(right, tested), PLAIN[1]: intervals.area(losses, fresh)}


def _are_many(counts: Sequence[int], others: Sequence[int]) -> bool:
    """Whether most examples of both sets are at places of which each set has enough."""
    pairs = [pair for pair in zip(counts, others, strict=True) if min(pair) >= FEWEST]
    known = (sum(each) for each in zip(*pairs, strict=True)) if pairs else (0, 0)
    return all(
        mine >= MOSTLY * sum(each) for mine, each in zip(known, (counts, others), strict=True)
    )


def _explained(
    plain: dict[str, Estimate], counted: dict[str, Estimate], tags: tuple[str, str, str]
) -> bool:
    """Whether other shares alone explain a `plain` gap or AUC that surely is not that of a network
    that has memorized nothing: `counted` at the shares of the test set it may be that one, and most
    of the difference from it is gone."""
    for tag, null, other in zip(PLAIN, NULLS, tags[1:], strict=True):
        one, same = plain[tag], counted[other]
        low, high = one.interval
        sure, gone = not low <= null <= high, same.interval[0] <= null <= same.interval[1]
        if sure and gone and 2 * abs(same.value - null) <= abs(one.value - null):
            return True
    return False


def _at_class_shares(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    counts = _by_class(train, test)
    return _weighted_by(BY_CLASS, train, test, train.labels, test.labels, *counts)


def _at_group_shares(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    counts = _by_group(train, test)
    return _weighted_by(BY_GROUP, train, test, train.groups, test.groups, *counts)


def _unstudied(train: Predictions, test: Predictions) -> dict[str, Estimate]:
    """The share of the test examples that are of the training set's classes, but of none of its
    groups."""
    others = in_both(*_by_class(train, test)) - in_both(*_by_group(train, test))
    return {UNSTUDIED: wilson(others, len(test))}


def _have_groups(train: Predictions, test: Predictions) -> bool:
    """Whether both sets have the same groups, finer than classes, and each example is in one that
    has its label."""
    alike = train.group_names == test.group_names and train.group_names != train.classes
    known = bool((train.groups >= 0).all() & (test.groups >= 0).all())
    return alike and known and not bool(train.mislabeled.any() | test.mislabeled.any())


def _by_class(train: Predictions, test: Predictions) -> tuple[list[int], list[int]]:
    """How many training and how many test examples each class has, by their given labels."""
    classes = max(train.logits.shape[1], test.logits.shape[1])
    return _counts(train.labels, test.labels, classes)


def _by_group(train: Predictions, test: Predictions) -> tuple[list[int], list[int]]:
    """The same of each group."""
    return _counts(train.groups, test.groups, len(train.group_names))


def _counts(mine: Tensor, theirs: Tensor, places: int) -> tuple[list[int], list[int]]:
    return (
        torch.bincount(mine, minlength=places).tolist(),
        torch.bincount(theirs, minlength=places).tolist(),
    )


def _weighted_by(
    tags: tuple[str, str, str],
    train: Predictions,
    test: Predictions,
    mine: Tensor,
    theirs: Tensor,
    counts: Sequence[int],
    others: Sequence[int],
) -> dict[str, Estimate]:
    """The figures of `at_test_shares`, by tag; `mine` (N,) and `theirs` (M,) are the places of the
    training and the test examples, of which there are so many each."""
    both = [place for place, pair in enumerate(zip(counts, others, strict=True)) if all(pair)]
    weights = [others[place] / in_both(counts, others) for place in both]
    studied, unseen = ([each == place for place in both] for each in (mine, theirs))
    known, fits = train.right, test.right
    right = [wilson(int(known[where].sum()), int(where.sum())) for where in studied]
    among = torch.isin(theirs, torch.tensor(both))
    tested = wilson(int(fits[among].sum()), int(among.sum()))
    losses, fresh = (example_losses(each.logits, each.labels) for each in (train, test))
    areas = [
        intervals.area_of_few(losses[one], fresh[other])
        for one, other in zip(studied, unseen, strict=True)
    ]
    accuracy = _weighted(right, weights, count=len(train))
    found = (
        accuracy,
        difference(accuracy, tested),
        _weighted(areas, weights, count=len(train) + len(test)),
    )
    return {
        **dict(zip(tags, found, strict=True)),
        **({} if bool(among.all()) else {STUDIED: tested}),
    }


def class_mean(test: Predictions) -> Estimate:
    """The mean over classes of the accuracy on each, of those that occur (also called balanced
    accuracy), which a constant answer brings to 1 / classes; with square-and-add intervals."""
    counts = torch.bincount(test.labels)
    met = counts.nonzero()[:, 0].tolist()
    found = test.right
    right = [wilson(int(found[test.labels == label].sum()), int(counts[label])) for label in met]
    return _weighted(right, [1 / len(met)] * len(met), count=len(test))


def same_answer(predicted: Tensor) -> Estimate:
    """The share of predictions (N,) that are the most frequent one."""
    counts = torch.bincount(predicted)
    return wilson(int(counts.max()) if len(counts) else 0, len(predicted))


def _weighted(parts: Sequence[Estimate], weights: Sequence[float], *, count: int) -> Estimate:
    """The weighted mean of independent estimates from 0 to 1."""
    value = sum(w * part.value for w, part in zip(weights, parts, strict=True))
    value = round(value, 12)  # all is 1, whatever the weights add up to
    if any(part.low is None for part in parts):
        return Estimate.point(value, count=count)
    down, up = (
        math.hypot(
            *(w * (part.interval[end] - part.value) for w, part in zip(weights, parts, strict=True))
        )
        for end in (0, 1)
    )
    return Estimate(value, max(0.0, value - down), min(1.0, value + up), count)
