"""Logits that are not finite: how they are counted, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping

from lab.core.estimate import Estimate
from lab.core.words import listed, spoken

NOT_FINITE = "answers/not_finite_"
"""The tags of the shares of each set's examples of which a logit is not finite, without the set."""

ONE_COLOR = "are these pictures of one color, and does it divide by a picture's standard deviation?"
"""What makes logits that are not finite, before any training."""


def not_finite(metrics: Mapping[str, Estimate | float], noun: str) -> str:
    """Of how many examples of each set a logit is not finite, as '1 of 60 training faces and 2 of
    300 test faces'; empty if all are finite."""
    told = []
    for tag, figure in metrics.items():
        if tag.startswith(NOT_FINITE) and isinstance(figure, Estimate) and figure.count:
            number, name = round(figure.value * figure.count), tag.removeprefix(NOT_FINITE)
            if number:
                name = "training" if name == "train" else spoken(name)
                told.append(f"{number:,} of {figure.count:,} {name} {noun}")
    return listed(told) if told else ""
