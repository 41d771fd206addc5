"""The fresh examples of a pool: test examples in the class shares of the training examples.

What is said of members and fresh examples compares them, and a network that gives one answer to all
"knows" the members where its class is more frequent among them. Drawn test sets are from the same
distribution as the training set; those of one's own pictures need not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lab.core.compared import LACKING, in_both
from lab.core.estimate import shares_differ
from lab.core.words import first_few
from lab.worlds import Examples, StoredWorld, World
from lab.worlds.groups import true_groups
from lab.worlds.shares import Follows

FEWEST, LEAST = 30, 0.1
"""Fresh examples that must be left, and their share of the test examples of the training set's
classes: else all test examples are used, whatever their shares."""

WARNING = Follows(
    shares="a network that knows nothing but such shares does not do equally well on both sets.",
    lacking="",  # `Fresh.said` tells which are used
    judged=False,
)

CLASS, GROUP = "class", "group"
"""Whose shares are looked at."""


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """Which test examples are used as fresh ones.

    Args:
        positions: (F,) int64, in an order in which every part has about the shares of all.
        of: how many test examples there are.
        said: a sentence on the choice; empty: all are used, as shares do not surely differ.
        mixed: whose shares are not those of the training examples (`CLASS`, `GROUP`); empty: none,
            as far as can be told.
    """

    positions: Tensor
    of: int
    said: str = ""
    mixed: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "used": len(self.positions),
            "of": self.of,
            "other_shares": self.mixed or None,
            "told": self.said,
        }


def fresh_of(world: World, train: Examples, test: Examples) -> Fresh:
    """The fresh examples of a pool with these training and test examples.

    All test examples of a drawn world, and where no shares surely differ. Else, of each class of
    the training set the first so many, as many as can be had in its shares; with columns that form
    groups, and other shares of these in the two sets, of each group.
    """
    all_of_them = Fresh(positions=torch.arange(len(test)), of=len(test))
    if not isinstance(world, StoredWorld) or not len(test):
        return all_of_them
    noun = world.noun
    mine, theirs = train.clean_labels, test.clean_labels
    counted = [(CLASS, mine, theirs, world.classes)]
    if world.grouped_by:
        (own, names), (other, _) = (true_groups(each, world.grouped_by) for each in (train, test))
        if bool((own >= 0).all() & (other >= 0).all()):
            counted.insert(0, (GROUP, own, other, names))
    refused = ""
    for what, own, other, names in counted:
        counts, others = (
            torch.bincount(each, minlength=len(names)).tolist() for each in (own, other)
        )
        if not _differ(counts, others, what):
            continue
        takes = in_shares(counts, others)
        known = in_both(counts, others)
        if sum(takes) < max(FEWEST, LEAST * known):
            refused = refused or what
            continue
        lacking = [k for k, count in enumerate(counts) if count and not others[k]]
        many, faults = sum(counts[k] for k in lacking), []
        if many > LACKING * len(train):
            named = first_few([names[k] for k in lacking])
            faults.append(f"none is of {named}, as {many:,} of the {len(train):,} training {noun}")
        if refused:
            faults.append(f"their {refused} shares are others")
        said = _told(names, takes, known=known, of=len(test), noun=noun, what=what)
        if faults:
            said = f"Warning: {said} But {' and '.join(faults)}: {_follows(noun)}"
        mixed = refused or (what if faults else "")
        return Fresh(positions=_in_turn(other, takes), of=len(test), said=said, mixed=mixed)
    if not refused:
        return all_of_them
    said = (
        f"Warning: the {refused} shares of the test {noun} are not those of the training {noun},"
        f" and hardly any test {noun} could be used in those: {_follows(noun)}"
    )
    return Fresh(positions=all_of_them.positions, of=len(test), said=said, mixed=refused)


def _follows(noun: str) -> str:
    return f"what is said of fresh {noun} comes from that, too."


def in_shares(counts: Sequence[int], others: Sequence[int]) -> list[int]:
    """How many of the `others` to take at each place, as many as can be had in the shares of
    `counts`, with remainders rounded so that they add up. None at places that one of the two
    lacks; where the shares of the others do not surely differ, all at these."""
    both = [k for k, pair in enumerate(zip(counts, others, strict=True)) if all(pair)]
    takes = [0] * len(counts)
    if not both:
        return takes
    if not shares_differ([counts[k] for k in both], [others[k] for k in both]):
        return [other if count else 0 for count, other in zip(counts, others, strict=True)]
    scarce = min(both, key=lambda k: others[k] / counts[k])
    parts = {k: divmod(others[scarce] * counts[k], counts[scarce]) for k in both}
    rest = round(sum(part[1] for part in parts.values()) / counts[scarce])
    more = set(sorted(both, key=lambda k: -parts[k][1])[:rest])
    for k in both:
        takes[k] = parts[k][0] + (k in more)
    return takes


def _differ(counts: Sequence[int], others: Sequence[int], what: str) -> bool:
    """Whether the shares surely differ, or the training set lacks classes that much of the test
    set is of. (Of many rare ones each set lacks some by accident, above all of groups.)"""
    lacks = in_both(counts, others) < (1 - LACKING) * sum(others)
    return (lacks and what == CLASS) or shares_differ(counts, others)


def _in_turn(places: Tensor, takes: Sequence[int]) -> Tensor:
    """Positions of the first so many examples at each of the `places` (M,), those of each place
    spread evenly over the whole: attacks look at parts of them."""
    spread = [
        ((number + 0.5) / take, place, int(position))
        for place, take in enumerate(takes)
        for number, position in enumerate((places == place).nonzero()[:take, 0])
    ]
    return torch.tensor([position for _, _, position in sorted(spread)], dtype=torch.int64)


def _told(
    names: Sequence[str], takes: Sequence[int], *, known: int, of: int, noun: str, what: str
) -> str:
    """How many are used as fresh ones, of so many of the training set's classes."""
    if sum(takes) == of:
        return f"All {of:,} test {noun} are used as fresh ones."
    shown = first_few(
        [f"{take:,} of {name}" for take, name in zip(takes, names, strict=True) if take]
    )
    how = f"in the {what} shares of the training {noun}"
    if sum(takes) == known:
        how = f"those of a {what} that the training {noun} have, too"
    return f"Of the {of:,} test {noun} {sum(takes):,} are used as fresh ones, {how}: {shown}."
