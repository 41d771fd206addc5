"""Ranking: whether probabilities tell classes apart where the largest one does not."""

from __future__ import annotations

import torch

from lab.core.estimate import Estimate
from lab.measure import intervals
from lab.measure.predictions import Predictions

ROC_AUC = "accuracy/test_roc_auc"

MOST = 50
"""Classes of which each is ranked against the others, at most."""


def roc_auc(test: Predictions) -> Estimate | None:
    """The area under the ROC curve of each class's log odds against all other examples, the mean
    over the classes that occur: 0.5 is a guess, 1 ranks all examples of a class above all others.

    Of two classes it is that of class 1. The areas of several classes depend on each other: the
    ends of the interval are the means of the ends of theirs. None where all examples are of one
    class, and of more than `MOST` classes.
    """
    classes = test.logits.shape[1]
    counts = torch.bincount(test.labels, minlength=classes)
    met = [k for k in range(classes) if 0 < int(counts[k]) < len(test)]
    if len(met) < 2 or classes > MOST:
        return None
    if classes == 2:
        met = [1]
    logits = test.logits.double()
    found = []
    for k in met:
        others = [j for j in range(classes) if j != k]
        odds = logits[:, k] - logits[:, others].logsumexp(dim=1)
        mine = test.labels == k
        found.append(intervals.area_of_few(odds[~mine], odds[mine]))
    value = sum(each.value for each in found) / len(found)
    if any(each.low is None or each.high is None for each in found):
        return Estimate.point(value, count=len(test))
    low, high = (sum(each.interval[end] for each in found) / len(found) for end in (0, 1))
    return Estimate(value, low, high, len(test))
