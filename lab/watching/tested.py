"""Whether a loop feeds its network examples of the test set."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lab.watching.fed import COUNTED, Shown, are_among, probed
from lab.watching.given import GivenSets
from lab.watching.loop import CALLS, MORE

FEW, SOME = 2, 0.05
"""How many inputs of a loop must be test examples, and which share of all that were seen, for it to
be told."""

CERTAIN, LITTLE = 8, 0.01
"""The same where every training example is known, so that none is taken for a test example that it
is a copy of."""

PHASE, MUCH = 16, 0.25
"""The same of the inputs between two measurements: a loop may train on test examples at its end
alone."""


@dataclass(frozen=True)
class Fed:
    """Inputs of a loop: so many `rows` were seen, and `tested` of them are test examples."""

    rows: int = 0
    tested: int = 0

    def __add__(self, other: Fed) -> Fed:
        return Fed(self.rows + other.rows, self.tested + other.tested)

    def are(self, least: int, share: float) -> bool:
        """Whether as many as `least` of them are, and this share."""
        return self.tested >= max(least, share * self.rows)


class Tested:
    """Searches inputs of a loop that trains on `sets` for examples of the test set which are not in
    the training set. `train` and `test` are what the network gets when it is measured on those.

    `fed`: of how many inputs of the loop how many are such; `told`: whether these are enough for it
    to be said.
    """

    def __init__(self, sets: GivenSets, train: Shown, test: Shown) -> None:
        self._sets, self._train, self._test = sets, train, test
        self._waiting: list[Tensor] = []  # probes that were not searched yet
        self.fed = Fed()
        self.told = False

    def keep(self, calls: list[Tensor]) -> None:
        """Take the inputs of some calls over, if they have the shape of those that are measured."""
        shape = self._train.shape
        if shape is None or not calls[0].is_floating_point():
            return
        fitting = [each for each in calls if each[0].numel() == shape.numel()]
        if not fitting:
            return
        rows = torch.cat([each.reshape(len(each), *shape) for each in fitting])
        self._waiting.append(probed(rows[: MORE * CALLS]))

    def search(self) -> None:
        """Search those that were kept since the last time. Where not all training examples are
        measured, others may be the same as test examples by chance if they are short."""
        waiting, self._waiting = self._waiting, []
        train, test = self._train.probes, self._test.probes
        if not waiting or train is None or test is None or train.shape[1:] != test.shape[1:]:
            return
        if self._sets.train.is_sample and waiting[0][0].numel() < COUNTED:
            return
        new = Fed()
        for few in torch.split(torch.cat(waiting), MORE):
            found = are_among(few, test) & ~are_among(few, train)
            new += Fed(len(few), int(found.sum()))
        self.fed += new
        certain = not self._sets.train.is_sample and self.fed.are(CERTAIN, LITTLE)
        self.told = self.told or certain or self.fed.are(FEW, SOME) or new.are(PHASE, MUCH)
