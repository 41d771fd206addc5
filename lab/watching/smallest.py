"""Networks whose smallest output is the right one, such as distances: the line about them."""

from __future__ import annotations

from lab.core.estimate import Estimate
from lab.core.words import percent
from lab.measure.smallest_right import SmallestRight


def told_of_smallest(found: SmallestRight, right: Estimate | float) -> str:
    """What is to be said, in one line; `right` is the training accuracy."""
    largest = right.value if isinstance(right, Estimate) else right
    text = (
        "the smallest output of the model, not the largest, is that of the right class for"
        f" {percent(found.share.value)} of its training examples (the largest for"
        f" {percent(largest)}): outputs such as distances must be negated: return -distances, or"
        " give forward=lambda model, x: -model(x)"
    )
    if found.negative:
        text += (
            ". If they are logits, does the loop train it with other labels, such as in another"
            " order?"
        )
    return text
