"""How well each class is known over the measurements of a loop: which ones were forgotten."""

from __future__ import annotations

import torch
from torch import Tensor

from lab.measure import Predictions

KNOWN, UNKNOWN = 0.9, 0.1
"""Training accuracy on a class from which on it is known, and up to which it is not."""

FEWEST = 5
"""Training examples of a class without which nothing is said of it."""


class Course:
    """Training accuracy by class at each measurement, as `add` is given them."""

    def __init__(self) -> None:
        self._classes: tuple[str, ...] = ()
        self._right: list[Tensor] = []

    def add(self, train: Predictions) -> None:
        """A measurement of the training examples."""
        self._classes = train.classes
        count = len(train.classes)
        right = torch.zeros(count, dtype=torch.float64)
        hits = (train.predicted == train.labels).double()
        right.index_put_((train.labels,), hits, accumulate=True)
        number = torch.bincount(train.labels, minlength=count)
        share = right / number
        share[number < FEWEST] = torch.nan
        self._right.append(share)

    def forgotten(self) -> tuple[str, ...]:
        """The classes that are not known now, as others are, and were known at an earlier
        measurement, with another one: a network that gives one answer to all is right on one class
        and knows none."""
        if len({len(share) for share in self._right}) != 1:  # its outputs have become others
            return ()
        lost = self._right[-1] <= UNKNOWN
        found = torch.zeros_like(lost)
        for share in self._right[:-1]:
            if int((share >= KNOWN).sum()) >= 2:
                found |= (share >= KNOWN) & lost
        names = [name for name, each in zip(self._classes, found.tolist(), strict=True) if each]
        known = int((self._right[-1] >= KNOWN).sum())  # none or one of a network that broke
        return tuple(names) if min(len(names), known) >= 2 else ()
