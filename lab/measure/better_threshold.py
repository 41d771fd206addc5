"""Better threshold: whether the outputs for two classes rank examples surely better than the
answers tell them apart, as after training by a loss that only compares examples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.core.estimate import Estimate, Z, wilson
from lab.measure.dependent import allowing_for_dependence
from lab.measure.predictions import Predictions

GAIN = 0.1
"""Share of the training examples of which the answer surely becomes right, and mean over the
classes of such shares: with unequal classes an ordinary threshold is better by one of the two, and
one of a loss in which the rare class weighs more by the other, but none by both."""

SURE = 1e-3
"""The probability of so many answers that the other threshold betters, if it were no better."""


SETTLED = 50
"""Steps below which the outputs of a network may be on their way: no threshold is sought."""


@dataclass(frozen=True)
class BetterThreshold:
    """A threshold of the log odds of class 1, chosen on the training examples, and what it gets
    right of these and of the test examples."""

    value: float
    train: Estimate
    test: Estimate


def better_threshold(train: Predictions, test: Predictions) -> BetterThreshold | None:
    """The threshold at which predictions for two classes are most often right on the training set,
    by the mean of their accuracy and of that over classes; None: it is not surely better than 0.

    The training examples get more answers right by it, by `GAIN`, and by that more, as the mean
    over classes, than one answer to all. Surely so are they, or the test
    examples: a normal interval of the share lies above `GAIN`, and chance would make so many of the
    answers that differ right once in 1 / `SURE` times (a sign test), times the number of thresholds
    that were tried, for the training examples.
    """
    chosen = train.independent()
    if chosen.logits.shape[1] != 2 or not len(test):
        return None
    odds, labels = _odds(chosen), chosen.labels.bool()
    ones, count = int(labels.sum()), len(labels)
    if not bool(odds.isfinite().all() & _odds(test).isfinite().all()) or not 0 < ones < count:
        return None
    weights = 1 / count + torch.where(labels, 1 / ones, 1 / (count - ones)) / 2  # (N,)
    order = odds.argsort()
    values, signed = odds[order], torch.where(labels, -weights, weights)[order]
    apart = values[1:] > values[:-1]  # class 0 up to here, class 1 above
    if not bool(apart.any()):
        return None
    place = int(torch.where(apart, signed.cumsum(0)[:-1], -math.inf).argmax())
    value = values[place : place + 2].mean().item()
    change, unseen = (_change(each, value) for each in (chosen, test.independent()))
    by_class = (change[labels].mean() + change[~labels].mean()) / 2
    there = (odds > value) == labels
    if min(float(change.mean()), float(by_class)) < GAIN:
        return None
    if float(there[labels].double().mean() + there[~labels].double().mean()) / 2 < 0.5 + GAIN:
        return None  # about one answer to all, which is better where answers are reversed
    if not (_surely(change, tried=count) or _surely(unseen, tried=1)):
        return None

    def by_it(_: Predictions, each: Predictions) -> dict[str, Estimate]:
        right = (_odds(each) > value) == each.labels.bool()
        return {"right": wilson(int(right.sum()), len(each))}

    right = (allowing_for_dependence(by_it, each, each)["right"] for each in (train, test))
    return BetterThreshold(value, *right)


def _change(predictions: Predictions, value: float) -> Tensor:
    """Which answers (N,) the threshold makes right (1), or wrong (-1), or leaves (0)."""
    odds, labels = _odds(predictions), predictions.labels.bool()
    there, here = ((odds > bound) == labels for bound in (value, 0.0))
    return there.double() - here.double()


def _surely(change: Tensor, *, tried: int) -> bool:
    """Whether the mean of changes (N,) surely exceeds `GAIN`, for the best of so many thresholds
    that were `tried`."""
    won, lost = int((change > 0).sum()), int((change < 0).sum())
    low = change.mean() - Z * change.std(correction=0) / math.sqrt(len(change))
    ways = sum(math.comb(won + lost, more) for more in range(won, won + lost + 1))
    return float(low) > GAIN and tried * ways / 2 ** (won + lost) < SURE


def _odds(predictions: Predictions) -> Tensor:
    """The log odds (N,) of class 1."""
    logits = predictions.logits.double()
    return logits[:, 1] - logits[:, 0]
