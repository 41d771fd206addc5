"""What is doubtful of pictures from disk: said before training, and beside results.

Drawn ones are as they were made; `lab.worlds.audit` checks that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lab.core.compared import Counts, groups_serve, in_both, in_unstudied_groups
from lab.core.pictures import PAPER
from lab.core.words import first_few, percent, those
from lab.worlds.association import copy_keys, duplicates, first_ones
from lab.worlds.copies import REPEATED, Copies, copies_between, copies_told, repeated_told
from lab.worlds.examples import Examples
from lab.worlds.groups import groups_are_kinds, true_groups
from lab.worlds.kept import Progress, quiet
from lab.worlds.mean_pictures import opposite, opposite_told
from lab.worlds.shares import FIGURES, GROUPS, Follows, judged_examples, shares_told
from lab.worlds.stored import StoredWorld
from lab.worlds.world import World

DARK = 24
"""Largest number of pictures, of 255, that are told as nearly black: 12 bits stored as 16 reach 16,
and Lanczos's filter overshoots by some of it. Brighter ones whose numbers span no more have hardly
any contrast."""

MOST = 0.98
"""Share of the numbers of pictures of which the largest is looked at, where a few pixels are
bright: stars, hot pixels, a marker."""

SOME = 0.05
"""Share of nearly black pictures from which on they are told among others."""

DIM = 96
"""Largest number of pictures, of 255, whose files are looked at: 14 bits stored as 16 reach 64."""

OPENED = 20
"""Files that are looked at, at most."""

LOOKED_AT = 1000
"""Pictures from disk, of the training set's first, whose brightness is looked at."""

_CALLED = {"train": "training", "test": "test"}


def doubts_of_pictures(
    world: World,
    train: Examples,
    test: Examples,
    *,
    copies: Copies | None = None,
    then: Follows = FIGURES,
    progress: Progress = quiet,
) -> list[str]:
    """All that is doubtful of the pictures of `world` from disk, of which these are the two sets, a
    sentence each: what lies beside them, how classes are spread, shades that are lost, copies,
    clusters. None of drawn ones, which are as they were made.

    `copies` are those of the pictures, where they are known: the search for them takes seconds for
    10,000, and tells `progress` how far it is. `then` says what follows from other shares, as in
    `shares_told`.
    """
    if not isinstance(world, StoredWorld):
        return []
    twice = duplicates(train, test)
    said = world.doubts(then, sets=(train, test))
    if twice.repeated:
        are = REPEATED[0 if twice.repeated == 1 else 1]
        said.append(f"{twice.repeated:,} of {len(train):,} training pictures {are}.")
    said += repeated_told(twice.repeated_test, len(test))
    said += _dim(world, "train", train) or _dim(world, "test", test)
    said += opposite_told(opposite_sets(train, test), world.noun)
    copies = copies or copies_between(world, train, test, progress=progress)
    said += copies_told(world, copies, len(test))
    said += world.clusters_doubted(len(train), len(test))
    return said + _group_shares(world, train, test, then)


def opposite_sets(train: Examples, test: Examples) -> float | None:
    """As `lab.worlds.mean_pictures.opposite` says, of two sets of examples."""
    return opposite(train.images, train.clean_labels, test.images, test.clean_labels)


def _group_shares(
    world: StoredWorld[Any], train: Examples, test: Examples, then: Follows
) -> list[str]:
    """What is to be said of groups, class × columns, with other shares in the test set, where they
    are counted in place of classes; `then` as in `shares_told`."""
    if not world.grouped_by:
        return []
    (mine, names), (theirs, _) = (true_groups(each, world.grouped_by) for each in (train, test))
    given, clean = train.labels.cpu(), train.clean_labels.cpu()
    chosen, called = judged_examples(given if then.judged else clean, clean)
    grouped = bool((mine >= 0).all() & (theirs >= 0).all())
    if not grouped or (then.judged and bool((given != clean)[chosen].any())):
        return []

    def counts(places: torch.Tensor, number: int) -> list[int]:
        return torch.bincount(places, minlength=number).tolist()

    own, fresh = chosen & first_ones(copy_keys(train)), first_ones(copy_keys(test))
    tested = test.clean_labels.cpu()

    def pairs(mine_too: torch.Tensor, theirs_too: torch.Tensor) -> tuple[Counts, Counts]:
        """How many of those training and test examples each group has, and each class."""
        groups = counts(mine[mine_too], len(names)), counts(theirs[theirs_too], len(names))
        number = len(world.classes)
        return groups, (counts(clean[mine_too], number), counts(tested[theirs_too], number))

    kinds = groups_are_kinds(world)
    whole, different = pairs(chosen, fresh | True), pairs(own, fresh)
    judged, others = whole[0]
    if in_unstudied_groups(*different, kinds=kinds):
        unstudied = in_both(*whole[1]) - in_both(*whole[0])
        places = zip(names, judged, others, strict=True)
        named = [name for name, studied, other in places if other and not studied]
        return [
            f"{unstudied:,} of {len(test):,} test {world.noun} are of {GROUPS[1]} that the training"
            f" set lacks ({first_few(named)}): what differs between the two sets may come from"
            " that, and not from memory."
        ]
    if not groups_serve(*different, kinds=kinds):
        return []
    return shares_told(
        names, counts(mine, len(names)), others, noun=world.noun, what=GROUPS, then=then,
        judged=judged, called=called, different=different[0],
    )  # fmt: skip


def _dim(world: StoredWorld[Any], split: str, examples: Examples) -> list[str]:
    """A sentence if the first pictures of a set can hardly be from black to white."""
    what, shown = _CALLED[split], examples.images[:LOOKED_AT]
    if not len(shown):
        return []
    smallest, largest = int(shown.min()), int(shown.max())
    if largest > DIM:
        if largest - smallest <= DARK:
            return [_flat(what, smallest, largest)]
        counts = torch.bincount(shown.flatten().int().cpu(), minlength=256)
        most = int((counts.cumsum(0) >= MOST * counts.sum()).nonzero()[0])
        if most <= DARK:
            return [
                f"{percent(MOST, 0)} of the numbers of the {what} pictures are at most {most} of"
                " 255. If they hold faint light, or 10 or 12 bits in files of 16, beside a few"
                " bright pixels, stretch what matters from black to white: what is between is lost."
            ]
        black = (shown.amax(dim=(1, 2, 3)) <= DARK).nonzero()[:, 0].tolist()
        return [_black(world, split, black, len(shown))] if len(black) >= SOME * len(shown) else []
    if largest > DARK:
        first = (world.item(split, place) for place in range(min(OPENED, len(examples))))
        if not all(map(world.has_unused_bits, first)):
            return []
        return [
            f"the {what} pictures are dark: their files have 16 bits, and the upper two are not"
            f" used, so that their largest number is {largest} of 255. If they hold 14 bits,"
            " multiply them by 4: three quarters of all shades are lost."
        ]
    return [
        f"the {what} pictures are nearly black: their largest number is {largest} of 255. If they"
        " hold 10 or 12 bits in files of 16, or masks of 0 and 1, stretch them from black to white:"
        " what is between is lost."
    ]


def _black(world: StoredWorld[Any], split: str, places: Sequence[int], count: int) -> str:
    """The sentence on nearly black pictures at `places` of the first `count`, where others are
    not: as those of another camera."""
    first = world.name(split, places[0])
    return (
        f"of {count:,} {_CALLED[split]} pictures {those(len(places), 'is', 'are')} nearly black (no"
        f" number above {DARK} of 255), {first} the first, and the others are not. If these hold 10"
        " or 12 bits in files of 16, stretch them from black to white: what is between is lost."
    )


def _flat(what: str, smallest: int, largest: int) -> str:
    """The sentence on pictures that have hardly any contrast."""
    return (
        f"the {what} pictures have hardly any contrast: all their numbers are from {smallest} to"
        f" {largest} of 255. If they hold measurements in files of 16 bits, such as Hounsfield"
        " units plus 32,768, stretch what matters from black to white: what is between is lost."
        + " If they are gray on transparent ground: that lies over middle gray (128)."
        * (smallest <= PAPER[0] <= largest)
    )
