"""Binary classifiers of one output: whether the loop takes another threshold than 0 for it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

NEAR = 0.3
"""The medians of the two classes lie no farther than this from 0 and 1, where outputs were trained
to be these numbers."""

SURE = 1e-3
"""The probability of so many answers that the other threshold betters, if it were no better."""

GAIN = 0.1
"""Share of the examples of which the answer must become right, the others that become wrong taken
off."""

RARE = 0.05
"""Share of the examples that the rarer class has at least, to be asked about."""


class Threshold(NamedTuple):
    """Outputs above `value` (`below`: beneath it) are of class 1; `right` of `examples` answers are
    then right, and `at_zero` of them at 0."""

    value: float
    below: bool
    right: int
    at_zero: int
    examples: int

    @property
    def told(self) -> str:
        """What is to be said about it, in one line."""
        under = ", beneath which class 1 lies" if self.below else ""
        return (
            "the one output of the model is taken for a logit, above 0 for class 1, by which"
            f" {self.at_zero:,} of {self.examples:,} training examples are right; with a threshold"
            f" of {self.value:.3g}{under}, {self.right:,} are. If your loop has such a one, give"
            f" forward=lambda model, x: {self.code}"
        )

    @property
    def code(self) -> str:
        """A function of the model and inputs whose threshold is 0."""
        if self.below:
            return f"{self.value:.3g} - model(x)"
        return f"model(x) {'-' if self.value >= 0 else '+'} {abs(self.value):.3g}"


def other_threshold(scores: Tensor, labels: Tensor, *, one_sided: bool) -> Threshold | None:
    """The threshold at which outputs (N,) surely tell the `labels` (N,), 0 or 1, better apart than
    at 0; None: there is none that is plausible.

    That a threshold of another place fits better is so of many networks: before they have learned,
    and where one class weighs more in the loss. So it is asked only where the outputs themselves
    speak against 0: where the classes lie at 0 and 1, the targets of a squared error and of
    distances with a margin, of which 0.5 is the threshold; and where they are `one_sided`: never
    below 0 (or never above), by what makes them. There the best threshold of all is taken. The
    examples whose answers differ between both thresholds decide, by Hoeffding's bound for a fair
    coin, times the number of thresholds that were tried.
    """
    scores, labels = scores.double(), labels.bool()
    if not bool(scores.isfinite().all()) or min(labels.sum(), (~labels).sum()) < RARE * len(labels):
        return None
    at_zero = (scores > 0) == labels
    medians = [scores[labels == label].median().item() for label in (False, True)]
    if abs(medians[0]) <= NEAR and abs(medians[1] - 1) <= NEAR:
        plain = _better(0.5, False, scores, labels, at_zero, tried=1)
        if plain or not one_sided:
            return plain
    if not one_sided:
        return None
    order = scores.argsort()
    ranked, values = labels[order].long(), scores[order]
    # right answers if the first k + 1 are of class 0, and the others of class 1
    right = (1 - ranked).cumsum(0) + ranked.sum() - ranked.cumsum(0)
    apart = values[1:] > values[:-1]
    found: list[Threshold] = []
    for below, each in ((False, right[:-1]), (True, len(ranked) - right[:-1])):
        place = int(torch.where(apart, each, -1).argmax())
        value = values[place : place + 2].mean().item()
        better = _better(value, below, scores, labels, at_zero, tried=2 * len(scores))
        found += [better] if better else []
    return max(found, key=lambda each: each.right) if found else None


def _better(
    value: float, below: bool, scores: Tensor, labels: Tensor, at_zero: Tensor, *, tried: int
) -> Threshold | None:
    """The threshold, if it is surely and by `GAIN` better."""
    there = ((scores < value) if below else (scores > value)) == labels
    won, lost = int((there & ~at_zero).sum()), int((at_zero & ~there).sum())
    chance = math.exp(-((won - lost) ** 2) / (2 * max(1, won + lost))) * tried
    if won - lost < GAIN * len(scores) or chance > SURE:
        return None
    return Threshold(value, below, int(there.sum()), int(at_zero.sum()), len(scores))
