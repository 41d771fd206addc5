"""Whether a loop feeds its network examples of the test set, and which of the training set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from lab.watching.backward import Backward
from lab.watching.coverage import Coverage, Part
from lab.watching.given import GivenSets
from lab.watching.kept import Call
from lab.watching.known import Known, rounding_of
from lab.watching.probes import COUNTED, probed
from lab.watching.shown import Shown

FEW, SOME = 2, 0.05
"""How many inputs of a loop must be test examples, and which share of all that were seen, for it to
be told."""

CERTAIN, LITTLE = 8, 0.01
"""The same where every training example is known, so that none is taken for a test example that it
is a copy of."""

PHASE, MUCH = 16, 0.25
"""The same of the inputs between two measurements: a loop may train on test examples at its end
alone."""

SURE = 3.0
"""Standard deviations of the number of test examples that chance makes, above which there must be
more."""

MATCHED = 0.25
"""Inputs of a loop are compared up to rounding if fewer than this share of the unchanged training
examples that are expected among them are exactly the same as measured examples, and not fewer are
so then: what a loop changes, as by noise or mixing, comes near to other examples by chance."""

WAITING = 2**13
"""Inputs that wait for the next search, at most."""


@dataclass(frozen=True)
class Fed:
    """Inputs of a loop: so many `rows` were seen, and `tested` of them are test examples, of which
    chance makes so many as `expected`."""

    rows: int = 0
    tested: int = 0
    expected: float = 0.0

    def __add__(self, other: Fed) -> Fed:
        return Fed(
            self.rows + other.rows, self.tested + other.tested, self.expected + other.expected
        )

    def are(self, least: int, share: float) -> bool:
        """Whether as many as `least` of them are, and this share, beside those by chance."""
        chance = self.expected + SURE * sqrt(self.expected)
        return self.tested - chance >= max(least, share * self.rows)


class Tested:
    """Searches inputs of a loop that trains on `sets` for examples of the test set which are not in
    the training set. `train` and `test` are what the network gets when it is measured on those.

    `fed`: of how many inputs of the loop how many are such; `told`: whether these are enough for it
    to be said; `trains`: whether the loop makes backward passes. As soon as one was noticed, inputs
    count that one came from.
    """

    def __init__(self, sets: GivenSets, train: Shown, test: Shown) -> None:
        self._sets, self._train, self._test = sets, train, test
        self._waiting: list[list[tuple[Tensor, Backward]]] = []  # probes that were not searched yet
        self._rows = 0  # how many there are
        self._chance: dict[str, float] = {}  # of being a test example, by how they are compared
        self._coverage = Coverage()
        self.trains = False
        self.fed = Fed()
        self.told = False

    @property
    def _knows_all(self) -> bool:
        """Whether every training example is known."""
        return self._train.count == self._sets.train.source.count

    @property
    def knows_part(self) -> bool:
        """Whether only some of the test examples are searched for."""
        return self._test.count < self._sets.test.source.count

    @property
    def part(self) -> Part | None:
        """The part of the training examples that the loop goes through; None: it may be all of
        them, or it is not known."""
        if not self._train.is_whole or self._train.known is None:
            return None
        return self._coverage.part(self._train.known, self._sets.train.source.count)

    def keep(self, calls: list[Call]) -> None:
        """Take the inputs of some calls in one step over, if they have the shape of those that are
        measured."""
        shape = self._train.shape
        if shape is None:
            return
        fitting = [each for each in calls if each.rows[0].numel() == shape.numel()]
        if not fitting:
            return
        self._waiting.append(
            [(probed(rows.reshape(len(rows), *shape)), trained) for rows, trained in fitting]
        )
        self._rows += sum(len(each.rows) for each in fitting)
        if self._rows > WAITING and len(self._waiting) > 1:
            del self._waiting[::2]
            self._rows = sum(len(rows) for each in self._waiting for rows, _ in each)

    def search(self) -> None:
        """Search those that were kept since the last time."""
        waiting, self._waiting, self._rows = self._waiting, [], 0
        if not (self._train.is_whole and self._test.is_whole):
            return
        train, test = self._train.known, self._test.known
        if train is None or test is None or train.probes.shape[1:] != test.probes.shape[1:]:
            return
        self.trains = self.trains or any(each.came for step in waiting for _, each in step)
        steps = [
            [rows for rows, trained in step if trained.came or not self.trains] for step in waiting
        ]
        for step in filter(None, steps):
            self._coverage.note(step, train)
        calls = [rows for step in steps for rows in step]
        new = Fed()
        for are_floats in (True, False):
            some = [rows for rows in calls if rows.is_floating_point() is are_floats]
            if some:
                new += self._searched(torch.cat(some), train, test)
        self.fed += new
        certain = self._knows_all and self.fed.are(CERTAIN, LITTLE)
        self.told = self.told or certain or self.fed.are(FEW, SOME) or new.are(PHASE, MUCH)

    def _searched(self, rows: Tensor, train: Known, test: Known) -> Fed:
        """What the probes `rows` (N, C, S) are. Those that are no training examples that are known
        may be others, or changed ones, and are test examples as often by chance as known ones
        are."""
        expected = MATCHED * len(rows) * self._train.count / self._sets.train.source.count
        rounding = rounding_of(rows)
        same = train.equal(rows, rounding), test.equal(rows, rounding)
        found = self._counted(same, rounding, lambda: test.equal(train.probes, rounding))
        if int((same[0] | same[1]).sum()) >= max(1.0, expected):
            return found
        if not self._knows_all and train.probes[0].numel() < COUNTED:
            return found  # others that are not known may come near by chance
        same = train.near(rows), test.near(rows)
        if int((same[0] | same[1]).sum()) < expected:
            return found
        near = self._counted(same, "near", lambda: test.near(train.probes))
        return max(found, near, key=lambda fed: fed.tested - fed.expected)

    def _counted(self, same: tuple[Tensor, Tensor], how: str, chance: Callable[[], Tensor]) -> Fed:
        """What inputs are of which it is known whether each is the `same` (N,) bool as a training
        and as a test example; by `chance` training examples are so (M,) bool, compared as `how`
        says."""
        studied, tested = same
        if how not in self._chance:
            self._chance[how] = float(chance().double().mean())
        others = int((~studied).sum())
        return Fed(len(studied), int((tested & ~studied).sum()), others * self._chance[how])
