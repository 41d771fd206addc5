"""Whether an objective asks for answers: whether the largest logit is the label's where its loss is
smallest. Tried on free logits, before a run, for a warning only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lab.training.batches import Batch

Asked = Callable[[Tensor, Batch], Tensor]
"""The loss of logits (N, C) and a batch of N."""

Fault = Literal["", "differences", "others"]

FAR = 30.0
"""What is added to one class's logit of all examples: far beyond the others, so that it is the
answer to all of them."""

LOGIT = 2.0
"""A right logit, of others that are its negative, with which losses are not yet 0."""

SAME = 1e-4
"""Relative difference of two losses that counts as none: float32 has 1e-6 of `FAR`."""

SHIFTED = 5
"""Classes to whose logits a number is added, one after the other, at most."""

START = 0.5
"""Standard deviation of the logits before a descent: about those of an untrained network."""

RATE, STEPS = 0.2, 100
"""Adam's steps on free logits: enough for 100 * 0.2 = 20, where a softmax is certain."""

BETAS = 0.9, 0.999
"""Adam's, as usual (Kingma & Ba, ICLR 2015)."""

ROWS, CLASSES = 32, 16
"""Examples, two of a class in a row, and their classes at most."""

MARGIN = 8.0
"""How much larger than the label's the largest logit is at least, where it must be another one (and
the label's than all others, where that must be the largest): more than what a loss adds to logits
of rare classes, 6.9 for one of a thousand, and so much that no softmax takes both for likely."""

LEFT = 0.05
"""Of what the loss falls from the start, so much counts as nothing."""

MANY = 0.2
"""Share of the examples that can have another answer at no cost, from which on it is said: of an
expected value of three classes it is the class in the middle, a third of them."""

SECONDS = 1.0
"""Time of the processor after which nothing is said; a cross-entropy takes a tenth of it."""


class _Slow(Exception):
    """It takes too long."""


def answers_fault(
    ask: Callable[[], Asked], batch: Callable[[Tensor], Batch], *, classes: int, bounded: bool
) -> Fault:
    """What is wrong with taking the largest logit for the answer that an objective trains:
    "differences": only those between examples count, so that no class need be the largest for any;
    "others": its loss is smallest where the label's logit is the largest, and as small where it is
    not. Empty: nothing is, or it cannot be told.

    `ask` makes a new objective, in the state before the first step, and `batch` a batch of examples
    with these labels. `bounded`: it would not raise a right logit above others without an end, nor
    go by a softmax.

    Logits of their own are descended three times: free, with another logit than the label's as the
    largest, and with the label's as the largest. The examples that lose nothing by the second are
    asked about once more by themselves, so that it is not because a loss leaves out its highest
    parts. Where answers must be other ones, they are what the objective is for: a teacher's, or
    those for which labels with a known noise stand. (Not so where it is `bounded`: then outputs
    mean something else.) Where no wrong answer costs anything, they were left out.
    """
    descent = _Descent(ask, deadline=time.thread_time() + SECONDS)
    try:
        if descent.by_differences(batch, classes):
            return "differences"
        some = torch.linspace(0, classes - 1, min(classes, CLASSES)).round().long()
        labels = some[torch.arange(ROWS) // 2 % len(some)]
        return "others" if descent.other_answers(batch(labels), classes, bounded) else ""
    except _Slow:
        return ""


class _Descent:
    """An objective, and the time until which it may be asked."""

    def __init__(self, ask: Callable[[], Asked], *, deadline: float) -> None:
        self._ask, self._deadline = ask, deadline

    def by_differences(self, batch: Callable[[Tensor], Batch], classes: int) -> bool:
        """Whether the loss stays the same when the same numbers are added to the logits of all
        examples, whichever class these make the largest. Of that class there are few, so that a
        loss that leaves out the worst half notices."""
        matters = False
        for label in range(min(classes, SHIFTED)):
            labels = (label + 1 + torch.arange(16)) % classes
            labels[labels == label] = (label + 1) % classes
            labels[-2:] = label
            logits = LOGIT * _certain(labels, classes)
            moved = logits + FAR * one_hot(torch.tensor(label), classes)
            asked, these = self._ask(), batch(labels)
            one, other, none = (
                self._loss(asked, each, these) for each in (logits, moved, 0 * logits)
            )
            if not abs(one - other) <= SAME * max(abs(one), abs(none - one)):
                return False
            matters |= one != none
        return matters

    def other_answers(self, batch: Batch, classes: int, bounded: bool) -> bool:
        """Whether the loss is as small where the largest logit is not the label's."""
        labels = batch.labels
        hot = one_hot(labels, classes).bool()
        start = START * torch.randn(hot.shape, generator=torch.Generator().manual_seed(0))
        free = self._descended(start, batch, lambda logits: logits)
        wrong = self._descended(start, batch, lambda logits: _apart(logits, hot, right=False))
        asked = self._ask()
        first, least = (self._loss(asked, each, batch) for each in (start, free))
        nothing = LEFT * (first - least)
        if not (math.isfinite(nothing) and nothing > 0):
            return False

        def costs(row: int) -> float:
            changed = free.clone()
            changed[row] = wrong[row]
            return self._loss(asked, changed, batch) - least

        idle = [row for row in range(len(labels)) if costs(row) <= nothing / len(labels)]
        if len(idle) < MANY * len(labels):
            return False
        chosen = torch.tensor(idle)
        some = Batch(*(t[chosen] for t in (batch.images, labels, batch.groups, batch.indices)))
        asked = self._ask()
        first, least, other = (
            self._loss(asked, each[chosen], some) for each in (start, free, wrong)
        )
        sure = [
            self._loss(
                asked, RATE * STEPS * _certain((some.labels + step) % classes, classes), some
            )
            for step in (0, 1, max(1, classes // 2))
        ]
        least, worst = min(least, sure[0]), max(sure[1:])  # it may have got stuck before
        nothing = LEFT * (min(first, worst) - least)
        if not (math.isfinite(nothing) and nothing > 0 and other - least <= nothing):
            return False
        if bounded:
            return True
        right = self._descended(start, batch, lambda logits: _apart(logits, hot, right=True))
        return self._loss(self._ask(), right[chosen], some) - least <= nothing

    def _descended(self, start: Tensor, batch: Batch, shape: Callable[[Tensor], Tensor]) -> Tensor:
        """The logits of a `shape` after Adam's steps, in which its state goes on as in training."""
        logits, asked = start.clone(), self._ask()
        mean, square = torch.zeros_like(start), torch.zeros_like(start)
        for step in range(1, STEPS + 1):  # by hand: torch.optim takes a second to be imported
            free = logits.requires_grad_()
            (gradient,) = torch.autograd.grad(asked(shape(free), batch), free)
            mean = BETAS[0] * mean + (1 - BETAS[0]) * gradient
            square = BETAS[1] * square + (1 - BETAS[1]) * gradient.square()
            scale = (square / (1 - BETAS[1] ** step)).sqrt() + 1e-8
            logits = logits.detach() - RATE * mean / (1 - BETAS[0] ** step) / scale
            self._hurry()
        return shape(logits).detach()

    def _loss(self, asked: Asked, logits: Tensor, batch: Batch) -> float:
        self._hurry()
        return float(asked(logits.clone().requires_grad_(), batch).detach())

    def _hurry(self) -> None:
        if time.thread_time() > self._deadline:
            raise _Slow


def _certain(labels: Tensor, classes: int) -> Tensor:
    """Logits (N, C) of which the label's is 1, and all others are -1."""
    return 2 * one_hot(labels, classes).float() - 1


def _apart(logits: Tensor, hot: Tensor, *, right: bool) -> Tensor:
    """The logits (N, C) with that of the label, one-hot in `hot`, at least `MARGIN` above the
    largest of the others (`right`), or at least so much below it."""
    others = logits.masked_fill(hot, -math.inf).amax(dim=1, keepdim=True)
    mine = torch.maximum(logits, others + MARGIN)
    if not right:
        mine = torch.minimum(logits, others - MARGIN)
    return torch.where(hot, mine, logits)
