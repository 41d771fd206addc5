"""Smallest right: whether the smallest output, not the largest, is that of the right class, as of a
network that returns distances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.measure.accuracy import loss
from lab.measure.predictions import with_labels

WORSE = 0.25
"""Nats by which the mean loss lies above that of a guess: where labels are random, logits
differ by chance, by hardly more than 0.05 nats, and so do the answers to all examples of a class.
"""


@dataclass(frozen=True)
class SmallestRight:
    """The `share` of examples whose label has the smallest of all outputs, and whether outputs are
    `negative`, as no distance is: then the labels may be others than those of the training."""

    share: Estimate
    negative: bool


def share_of_smallest(logits: Tensor, labels: Tensor) -> Estimate:
    """The share of examples of which the output for the label (N,), of logits (N, C), is smaller
    than all others; of none with NaN among its logits."""
    return wilson(int(_smallest(logits, labels).sum()), len(labels))


def smallest_right(logits: Tensor, labels: Tensor, *, before: float) -> SmallestRight | None:
    """What shows that training has made the smallest output the right one; None: nothing does.

    The share is surely more than half, than what one answer to all would get, and than `before`, at
    the start of the training: of two classes it is 1 - accuracy, and an untrained network may be
    wrong about most examples. The mean loss is surely `WORSE` than that of a guess. More than half
    are also right if each class counts by how often it is the largest output: where the loop gives
    few classes as labels, these are never the smallest of their own examples, and others may be so
    by chance. The one output z of two classes, as logits 0 and z, is left out.
    """
    if not len(labels) or (logits.shape[1] == 2 and not bool(logits[:, 0].any())):
        return None
    right = _smallest(logits, labels)
    share = wilson(int(right.sum()), len(labels))
    counts = torch.bincount(labels, minlength=logits.shape[1])
    if share.interval[0] <= max(0.5, int(counts.max()) / len(labels), before):
        return None
    if not loss(logits, labels).interval[0] > math.log(len(counts)) + WORSE:  # it may be NaN
        return None
    answers = torch.bincount(logits.argmax(dim=1), minlength=len(counts)) * (counts > 0)
    of_class = torch.bincount(labels, right.double(), minlength=len(counts)) / counts.clamp(min=1)
    if float((answers * of_class).sum()) <= 0.5 * int(answers.sum()):
        return None
    return SmallestRight(share, negative=bool((logits < 0).any()))


def _smallest(logits: Tensor, labels: Tensor) -> Tensor:
    """Which examples (N,) have the output for their label as the smallest one."""
    logits, labels = with_labels(logits, labels)
    column = labels[:, None]
    own, others = logits.gather(1, column), logits.scatter(1, column, torch.inf)
    return (own < others.amin(dim=1, keepdim=True))[:, 0]
