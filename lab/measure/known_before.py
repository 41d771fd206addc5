"""Known before: whether a network knew the test examples before it was trained on the training
set, as one does whose weights come from an earlier training on some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure.intervals import mean

KNOWN_BEFORE = "accuracy/test_before_training"
"""The tag of accuracy on the test set before training, where that shows that it was known."""

TRAINED = 0.75
"""Share of the loss of a guess below which that of a network is before training if it was trained
before: the random outputs of a new one have about that of a guess, or more."""


CAPPED = 0.3
"""The same share where no example counts with more than the loss of a guess: a network that knows
most of them by heart errs on the others with large losses. `tests/test_known_before.py` counts how
many new networks are below this and `TRAINED`."""


def known_before(
    figures: Mapping[str, Estimate | float], labels: Tensor, losses: Tensor | None = None
) -> Estimate | None:
    """Accuracy on the test set before training, if it is surely above that of one answer to all,
    and the loss is surely below `TRAINED` of what the shares of the classes give, or the mean of
    the `losses` (N,), where they are given and none counts with more, below `CAPPED`; else None.

    `figures` are the metrics of that measurement by tag, of which accuracy/test and loss/test are
    used, with their intervals; `labels` (N,) are those of the test set.
    """
    right, loss = figures.get("accuracy/test"), figures.get("loss/test")
    if not isinstance(right, Estimate) or not isinstance(loss, Estimate) or not len(labels):
        return None
    shares = torch.bincount(labels).double() / len(labels)
    guess = float(torch.special.entr(shares).sum())
    small = loss.interval[1] < TRAINED * guess
    if losses is not None:
        small |= mean(losses.clamp(max=guess)).interval[1] < CAPPED * guess
    return right if small and right.interval[0] > float(shares.max()) else None


def known_at_first(evaluations: Sequence[Mapping[str, Any]], labels: Tensor) -> Estimate | None:
    """`known_before` by the first of a run's evaluations, as `metrics.jsonl` has them: each with
    its `step`, and numbers by tag (None: not finite), the ends of intervals among them. None, too,
    if the first one that there is came after step 0."""
    if not evaluations or evaluations[0]["step"] != 0:
        return None
    figures = {tag: _read(evaluations[0], tag, len(labels)) for tag in _USED}
    return known_before({tag: read for tag, read in figures.items() if read is not None}, labels)


_USED = ("accuracy/test", "loss/test")


def _read(line: Mapping[str, Any], tag: str, count: int) -> Estimate | None:
    """A figure of `count` examples with its interval; None where any of its numbers is missing."""
    numbers = [line.get(name) for name in (tag, f"{tag}_low", f"{tag}_high")]
    if not all(isinstance(number, (int, float)) for number in numbers):
        return None
    value, low, high = map(float, numbers)  # type: ignore[arg-type]
    return Estimate(value, low, high, count)
