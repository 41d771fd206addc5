"""The findings that a network knew more of its training set at an earlier evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lab.core.estimate import Estimate, wilson
from lab.core.words import first_few, in_steps, percent
from lab.measure.known_before import TRAINED
from lab.verdict.setting import Peak

MUCH = 0.1
"""How much training accuracy must have fallen."""


def peak_of(evaluations: Iterable[Mapping[str, Any]], *, before: int, classes: int) -> Peak | None:
    """The highest training accuracy of the evaluations, each with its `step`, before a step. That
    at step 0 counts only with a loss that no untrained network of so many `classes` has: its
    answers are one draw for all examples, so that many of them may be right by chance."""
    trained = TRAINED * math.log(max(2, classes))
    found = [
        Peak(each["step"], value)
        for each in evaluations
        if each["step"] < before
        and isinstance(value := each.get("accuracy/train"), float)
        and math.isfinite(value)
        and (each["step"] > 0 or (each.get("loss/train") or math.inf) < trained)
    ]
    return max(found, key=lambda peak: peak.accuracy, default=None)


def lost(
    peak: Peak | None, train: Estimate, noun: str, *, guess: float, by_loop: bool = False
) -> str:
    """The sentence that training accuracy, now `train`, is surely and much below its `peak`;
    nothing if it is not, or if the network had learned nothing then: the peak, of as many examples,
    must surely be above the accuracy of a `guess`, 0 to 1. `by_loop`: another program trained it,
    which may have gone back to the weights of an earlier step."""
    if peak is None or peak.accuracy - train.value <= MUCH or train.interval[1] >= peak.accuracy:
        return ""
    count = train.count
    if count and wilson(round(peak.accuracy * count), count).interval[0] <= guess:
        return ""
    when = f"After {in_steps(peak.step)}" if peak.step else "Before the first step"
    unless = "if these are not the weights of an earlier step, " if by_loop else ""
    return (
        f"{when} it got {percent(peak.accuracy)} of these training {noun} right: {unless}some of"
        " what it had learned it has lost again."
    )


def forgot(classes: Sequence[str], noun: str) -> str:
    """The sentence on `classes` that it knew and knows no more; nothing without any."""
    if not classes:
        return ""
    return (
        f"It has forgotten {len(classes):,} classes ({first_few(classes)}): at an earlier"
        f" measurement it got nearly all training {noun} of these right, and now hardly any. If the"
        " loop shows it one class after the other, show it earlier ones again."
    )
