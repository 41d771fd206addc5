"""Near copies among pictures from disk: the same photograph saved twice, which a test set must not
share with the training set, and which two classes must not share.

A near copy of a picture differs from it by at most `CLOSE` (root mean square over all pixels and
channels, of 255) and by at most `FAINT` of the contrast of either: what saving as JPEG, another
file format, or scaling there and back do. These errors cancel in averages over patches, which
another color of a part does not: averages differ by at most `EVEN`, or by the share `PATCHES` of
what the pixels do. Of some test pictures those are looked for, too, that are training pictures of
the same class mirrored or turned by right angles, as by augmentation before the sets were split.
Pictures that were cut, or turned by other angles, are not found.

Averages over patches are compared first, each with each. Pixels are compared where the averages are
close. Where that holds for very many pairs, as among pictures of one scene, a picture is compared
with the most similar ones only, and what is counted is a lower bound.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lab.core.words import off, other_answers, those
from lab.worlds.examples import Examples
from lab.worlds.kept import Progress, quiet
from lab.worlds.stored import StoredWorld

CLOSE = 8.0
"""Root mean square of the difference, of 255. Saving drawn faces as JPEG of quality 95 makes 5 to
10, the most similar of 400 are 30 apart."""

FAINT = 0.2
"""The same as a share of the picture's contrast, the standard deviation within its channels (root
mean square of the three): dark or even pictures are all alike, and so are those of one tint."""

EVEN = 2.1
"""Root mean square of the difference of averages over patches, of 255, up to which they count as
the same: what is left of errors that do not cancel, such as rounding in one direction."""

PATCHES = 0.8
"""The same as a share of the difference of the pixels: photographs, drawings and colored lines that
were saved as JPEG of quality 60 or more, as WebP or as GIF, or scaled there and back, and then made
32 or 64 pixels large, are nearly all within it; where a part has another color it is about 0.9."""

REPEATED = "is a copy of an earlier one", "are copies of earlier ones"
"""What copies are, one and several, after their number."""

MOST = 20_000
"""Pictures of a set that are compared, at most: 20,000 with as many in 2 to 7 processor seconds."""

COMPARED = (("test", "train"), ("train", "train"), ("test", "test"))
"""Sets that are compared: each picture of the first with those of the second."""

TURNED, TURNED_BYTES = 5000, 2**28
"""Pictures of each set that are compared mirrored and turned, at most, and bytes of all of these:
where sets were augmented before they were split, many are copies."""

TOLD = 3
"""Pairs that a warning names."""

WORK = 3 * 2**30
"""Numbers of pixels that are compared, about: a million pairs of 32 px."""

LEAST = 4
"""Similar pictures with which each one is compared at least, if it has so many."""

_COARSE = 8
"""Patches to a side whose averages are compared first."""

_ROUNDING = 0.01
"""By what share of `CLOSE` squared the distances of averages may be wrong."""

_BLOCK = 2**21
"""Distances that are held at a time."""

_PART = 2**18
"""Numbers of pixels that are held as floats at a time, few enough for a processor's cache."""


@dataclass(frozen=True)
class NearCopies:
    """`pairs` (K, 2) int64 on the CPU, sorted: positions of a picture and of its near copy.
    `complete`: whether these are all; otherwise some pictures had more similar ones than they were
    compared with."""

    pairs: Tensor
    complete: bool


def near_copies(
    images: Tensor,
    others: Tensor | None = None,
    *,
    work: int = WORK,
    done: Callable[[int], None] = lambda number: None,
) -> NearCopies:
    """The near copies of `images` (N, 3, S, S) uint8 among `others` (M, 3, S, S) uint8; None: among
    later `images`.

    `work` bounds the pixels that are compared beyond those of `LEAST` pictures for each. `done`
    gets how many pairs were added to those whose averages are compared.
    """
    within, others = others is None, images if others is None else others
    found, complete = [torch.empty(0, 2, dtype=torch.int64)], True
    if not len(images) or not len(others):
        return NearCopies(found[0], complete)
    pixels = images[0].numel()
    most = max(LEAST, work // (pixels * len(images)))
    theirs = _Averages.of(others)
    mine = theirs if within else _Averages.of(images)
    center = theirs.values.mean(dim=0)  # small numbers have small rounding errors
    for each in {id(one): one for one in (mine, theirs)}.values():
        each.values.sub_(center)
    lengths = theirs.values.square().sum(dim=1)
    # |a - b|^2 is |b|^2 - 2 a b, which is compared, and |a|^2
    bounds = (mine.apart.square() + _ROUNDING * CLOSE**2) * pixels
    bounds -= mine.values.square().sum(dim=1)
    start = 0
    while start < len(images):
        first = start if within else 0
        stop = min(start + max(1, _BLOCK // (len(others) - first)), len(images))
        block, columns = mine.values[start:stop], theirs.values[first:]
        distances = torch.addmm(lengths[None, first:], block, columns.T, alpha=-2)
        if within:  # with itself and with earlier ones, whose pairs are known
            square = distances[:, : stop - start]
            square.masked_fill_(torch.ones_like(square, dtype=torch.bool).tril_(), torch.inf)
        candidates, whole = _similar(distances, bounds[start:stop, None], most)
        complete = complete and whole
        if len(candidates):
            candidates += torch.tensor([start, first])
            near = torch.empty(len(candidates), dtype=torch.bool)
            for low, high in _ranges(len(candidates), _PART // pixels):
                near[low:high] = _near(images, others, mine, theirs, candidates[low:high])
            if near.any():
                found.append(candidates[near])
        done(distances.numel())
        start = stop
    return NearCopies(torch.cat(found), complete)


def equal_pairs(images: Tensor, others: Tensor, pairs: Tensor) -> Tensor:
    """Whether the pictures of each of some `pairs` (K, 2) are the same in all pixels: (K,) bool."""
    equal = torch.empty(len(pairs), dtype=torch.bool)
    for low, high in _ranges(len(pairs), _PART // images[0].numel() if len(images) else 1):
        one, two = (
            some.index_select(0, where.to(some.device)).cpu().flatten(1)
            for some, where in ((images, pairs[low:high, 0]), (others, pairs[low:high, 1]))
        )
        equal[low:high] = (one == two).all(dim=1)
    return equal


def copies_between(
    world: StoredWorld[Any], train: Examples, test: Examples, *, progress: Progress = quiet
) -> Copies:
    """The near copies in and between a training and a test set, of the first `MOST` of each; exact
    copies count as near."""
    sets = {"train": train.images[:MOST], "test": test.images[:MOST]}
    labels = {"train": train.clean_labels[:MOST].cpu(), "test": test.clean_labels[:MOST].cpu()}
    given = train.labels[:MOST].cpu()
    counts = {split: len(some) for split, some in sets.items()}
    every = (*labels.values(), given)
    told = hashlib.sha256(b"\0".join(each.numpy().tobytes() for each in every))
    rule = (
        f"near copies and labels, the more frequent ones, by patches {CLOSE} {FAINT} {EVEN}"
        f" {PATCHES} {WORK} {TURNED} {TURNED_BYTES} {told.hexdigest()}"
    )

    def found() -> list[list[int]]:
        return Copies.of(sets, labels, given, progress).rows()

    return Copies.from_rows(world.once(rule, found, **counts))


def copies_told(world: StoredWorld[Any], copies: Copies, num_test: int) -> list[str]:
    """A sentence on test pictures, of `num_test`, of which there is a copy in the training set, and
    one on copies with different labels. Where not all were looked for, one more says so."""
    said = shared_told(world, copies, num_test)
    if number := copies.torn:
        least = "" if copies.complete else "at least "
        one = number == 1 and copies.complete
        what = "1 pair of pictures is" if one else f"{number:,} pairs of pictures are"
        said.append(
            f"{least}{what} the same, or nearly, but of different classes:"
            f" {_pairs(world, copies.torn_pairs, number)}. A network to which they"
            " look the same is wrong on some of them."
        )
    if not copies.complete:
        said.append(
            f"so many pictures look alike (by averages over {_COARSE} x {_COARSE} patches) that"
            " only the most similar ones were compared pixel by pixel: there may be more near"
            " copies than are counted."
        )
    return said


def repeated_told(number: int, count: int) -> list[str]:
    """A sentence on the `number` of `count` test pictures that equal an earlier one, with the same
    label; none if there are none."""
    if not number:
        return []
    return [
        f"of {count:,} test pictures {those(number, *REPEATED)}: intervals take a picture and its"
        " copies for one."
    ]


def shared_told(world: StoredWorld[Any], copies: Copies, num_test: int) -> list[str]:
    """A sentence on test pictures, of `num_test`, of which there is a copy in the training set, and
    one on those of which there is a mirrored or turned one; none if there are none."""
    return _shared_told(world, copies, num_test) + _turned_told(world, copies, num_test)


def _turned_told(world: StoredWorld[Any], copies: Copies, num_test: int) -> list[str]:
    if not (number := copies.turned):
        return []
    least = "" if copies.all_turned else "at least "
    are = "are training pictures" if number > 1 else "is a training picture"
    return [
        f"{least}{number:,} of {num_test:,} test pictures {are} mirrored or turned, or nearly:"
        f" {_pairs(world, copies.turned_pairs, number)}. If they were made of the same photograph,"
        " as by augmentation before the sets were split, test accuracy is too good: put all"
        " pictures of a photograph into one set."
    ]


def _shared_told(world: StoredWorld[Any], copies: Copies, num_test: int) -> list[str]:
    if not (number := copies.shared):
        return []
    least = "at least " if copies.may_share_more(num_test) else ""
    are = "are training pictures" if number > 1 else "is a training picture"
    it = "them" if number > 1 else "it"
    what = "they have other labels there" if number > 1 else "it has another label there"
    is_off = off(copies.relabeled / number, what=what)
    nearly, then = "", f"The network has studied {it}, so that test accuracy is {is_off}."
    if copies.exact < number:
        nearly = f", or nearly ({copies.exact:,} exactly)" if copies.exact else ", or nearly"
        same = (
            "As far as they are the same photographs"
            if number > 1
            else "If both are the same photograph"
        )
        then = f"{same}, the network has studied {it}, and test accuracy is {is_off}."
    return [
        f"{least}{number:,} of {num_test:,} test pictures {are}, too{nearly}:"
        f" {_pairs(world, copies.shared_pairs, number)}. {then}"
    ]


@dataclass(frozen=True)
class _Averages:
    """Of N pictures: `values` (N, 3 * 8 * 8), whose distance in float32 is no more than that of the
    pixels, and `bounds` (N,), how far a near copy may be away (root mean square)."""

    values: Tensor
    bounds: Tensor

    @property
    def apart(self) -> Tensor:
        """How far the averages of a near copy may be away (root mean square): (N,)."""
        return torch.minimum(self.bounds, (PATCHES * self.bounds).clamp(min=EVEN))

    @classmethod
    def of(cls, images: Tensor) -> _Averages:
        count, _, _, size = images.shape
        patch = torch.arange(size) * _COARSE // size
        member = (patch[:, None] == torch.arange(_COARSE)).float()  # (S, 8)
        # By Cauchy and Schwarz a sum over n pixels, divided by the root of n, is no longer.
        member /= member.sum(dim=0).clamp(min=1).sqrt()
        values, contrast = torch.empty(count, 3 * _COARSE**2), torch.empty(count)
        for low, high in _ranges(count, _PART // images[0].numel()):
            part = images[low:high].cpu().float()
            values[low:high] = (member.T @ (part @ member)).flatten(1)
            part -= part.mean(dim=(2, 3), keepdim=True)  # of each channel: a tint is no contrast
            contrast[low:high] = part.flatten(1).norm(dim=1) / images[0].numel() ** 0.5
        return cls(values, (FAINT * contrast).clamp(max=CLOSE))


@dataclass(frozen=True)
class Copies:
    """The near copies in a training and a test set: how many test pictures are `shared` (`exact`:
    those of them that are the same in all pixels), how many pairs are `torn` between classes, how
    many test pictures, none of them shared, are mirrored or `turned` training pictures
    (`all_turned`: there are no more), and the first of each by `COMPARED`'s number, and by the
    positions in its two sets. `relabeled`: how many of the shared ones are copies of training
    pictures that are given other labels, as `other_answers` has it."""

    shared: int
    torn: int
    complete: bool
    shared_pairs: list[list[int]]
    torn_pairs: list[list[int]]
    turned: int = 0
    turned_pairs: list[list[int]] = field(default_factory=list)
    all_turned: bool = True
    exact: int = 0
    relabeled: int = 0

    def may_share_more(self, num_test: int) -> bool:
        """Whether more of the `num_test` test pictures may be shared than are known to be."""
        return not self.complete and self.shared < min(num_test, MOST)

    @classmethod
    def of(
        cls, sets: dict[str, Tensor], labels: dict[str, Tensor], given: Tensor, progress: Progress
    ) -> Copies:
        """Those of sets of pictures with their true labels, and the given ones (N,) in training."""
        counts = {split: len(some) for split, some in sets.items()}
        total, compared = counts["train"] * counts["test"], 0
        total += sum(number * (number + 1) // 2 for number in counts.values())
        most = max(1, TURNED_BYTES // max(1, len(_TURNS) * sets["test"][:1].numel()))
        few = min(TURNED, most, counts["test"])
        total += len(_TURNS) * few * min(TURNED, counts["train"])

        def done(number: int) -> None:
            nonlocal compared
            compared = min(total, compared + number)
            progress("comparing pictures", compared, total)

        shared, exact, relabeled, torn, complete = 0, 0, 0, 0, True
        known: set[int] = set()
        shared_pairs: list[list[int]] = []
        torn_pairs: list[list[int]] = []
        for k, (one, two) in enumerate(COMPARED):
            among = None if one == two else sets[two]
            near = near_copies(sets[one], among, work=WORK // len(COMPARED), done=done)
            pairs, complete = near.pairs, complete and near.complete
            if one != two:
                equal = equal_pairs(sets[one], sets[two], pairs)
                order = (2 * pairs[:, 0] + ~equal).argsort(stable=True)
                pairs, equal = pairs[order], equal[order]
                earlier = torch.cat([torch.tensor([-1]), pairs[:-1, 0]])
                first = pairs[:, 0] != earlier[: len(pairs)]  # of each picture, an equal one if any
                firsts, exact = pairs[first], int(equal[first].sum())
                shared, known = len(firsts), set(firsts[:, 0].tolist())
                shared_pairs = [[k, *pair] for pair in firsts[:TOLD].tolist()]
            if one != two:
                agree = labels[one][pairs[:, 0]] == given[pairs[:, 1]]
                own, others = (Counter(pairs[each][:, 0].tolist()) for each in (agree, ~agree))
                relabeled = math.ceil(sum(other_answers(own[i], others[i]) for i in known))
            apart = pairs[labels[one][pairs[:, 0]] != labels[two][pairs[:, 1]]]
            torn += len(apart)
            torn_pairs += [[k, *pair] for pair in apart[:TOLD].tolist()]
        turned, whole = _turned(sets, labels, few, done)
        turned = {i: j for i, j in turned.items() if i not in known}
        whole = whole and few == counts["test"] and counts["train"] <= TURNED
        pairs_told = [[0, i, j] for i, j in sorted(turned.items())[:TOLD]]
        return cls(
            shared, torn, complete, shared_pairs, torn_pairs[:TOLD], len(turned), pairs_told, whole,
            exact, relabeled,
        )  # fmt: skip

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int]]) -> Copies:
        (shared, torn, complete, named, turned, more, whole, exact, relabeled), *pairs = rows
        lists = [list(pair) for pair in pairs]
        some, others = lists[:named], lists[named:]
        return cls(
            shared, torn, bool(complete), some, others[more:], turned, others[:more], bool(whole),
            exact, relabeled,
        )  # fmt: skip

    def rows(self) -> list[list[int]]:
        """As numbers, which can be kept."""
        head = [self.shared, self.torn, int(self.complete), len(self.shared_pairs)]
        head += [self.turned, len(self.turned_pairs), int(self.all_turned), self.exact]
        head += [self.relabeled]
        return [head, *self.shared_pairs, *self.turned_pairs, *self.torn_pairs]


_TURNS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda x: x.flip(3),
    lambda x: x.flip(2),
    lambda x: x.rot90(1, (2, 3)),
    lambda x: x.rot90(2, (2, 3)),
    lambda x: x.rot90(3, (2, 3)),
    lambda x: x.transpose(2, 3),
    lambda x: x.transpose(2, 3).flip((2, 3)),
)
"""The mirror images and turns of a square, but for itself."""


def _turned(
    sets: dict[str, Tensor], labels: dict[str, Tensor], few: int, done: Callable[[int], None]
) -> tuple[dict[int, int], bool]:
    """Of the first `few` test pictures those that are, mirrored or turned, near copies of one of
    the first `TURNED` training pictures of the same class, with the first such one of each; and
    whether these are all."""
    turned = torch.cat([turn(sets["test"][:few]) for turn in _TURNS])
    near = near_copies(turned, sets["train"][:TURNED], work=WORK // len(COMPARED), done=done)
    found: dict[int, int] = {}
    for place, j in near.pairs.tolist():
        i = place % few
        if labels["test"][i] == labels["train"][j]:
            found[i] = min(j, found.get(i, j))
    return found, near.complete


def _pairs(world: StoredWorld[Any], pairs: Sequence[Sequence[int]], number: int) -> str:
    """Pairs by the names of their files, the training picture first."""
    named = [
        f"{world.name(two, j)} and {world.name(one, i)}"
        if one != two
        else f"{world.name(one, i)} and {world.name(two, j)}"
        for k, i, j in pairs
        for one, two in (COMPARED[k],)
    ]
    more = number - len(named)
    return "; ".join(named) + (f"; and {more:,} more" if more else "")


def _similar(distances: Tensor, bounds: Tensor, most: int) -> tuple[Tensor, bool]:
    """Where `distances` (R, M) are within `bounds` (R, 1), as positions (K, 2), sorted: in each row
    the `most` smallest; and whether these are all."""
    similar = distances <= bounds
    number = np.count_nonzero(similar.numpy())  # in a tenth of torch's time
    if number <= most or most >= distances.shape[1]:
        return similar.nonzero() if number else torch.empty(0, 2, dtype=torch.int64), True
    values, columns = distances.topk(most + 1, largest=False)
    whole = not bool((values[:, -1:] <= bounds).any())
    columns, order = columns[:, :-1].sort(dim=1)
    rows, places = (values[:, :-1].gather(1, order) <= bounds).nonzero(as_tuple=True)
    return torch.stack([rows, columns[rows, places]], dim=1), whole


def _near(
    images: Tensor, others: Tensor, mine: _Averages, theirs: _Averages, pairs: Tensor
) -> Tensor:
    """Whether each of a few pairs (K, 2) is near, by all pixels: (K,) bool."""
    one, two = (
        some.index_select(0, where.to(some.device)).cpu().flatten(1)
        for some, where in ((images, pairs[:, 0]), (others, pairs[:, 1]))
    )
    root = one.shape[1] ** 0.5
    apart: Tensor = torch.linalg.vector_norm(one.float().sub_(two), dim=1) / root
    patches = (mine.values[pairs[:, 0]] - theirs.values[pairs[:, 1]]).norm(dim=1) / root
    near: Tensor = apart <= torch.minimum(mine.bounds[pairs[:, 0]], theirs.bounds[pairs[:, 1]])
    near &= patches <= (PATCHES * apart).clamp(min=EVEN)
    return near


def _ranges(count: int, step: int) -> Iterator[tuple[int, int]]:
    """Ends of ranges that cover 0 to `count`, of `step` (1 or more) each."""
    step = max(1, step)
    return ((low, min(low + step, count)) for low in range(0, count, step))
