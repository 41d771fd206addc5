"""How the inputs that a loop feeds a network differ from those that it is measured on: the same
examples, or changed ones."""

from __future__ import annotations

import math
from itertools import permutations
from typing import NamedTuple

import torch
from torch import Tensor

from lab.watching.known import Known, are_finite, rounding_of
from lab.watching.probes import COUNTED, channel_axis, probed
from lab.watching.turns import Turn, orders, turns

ALIKE = 0.9995
"""Correlation from which on two inputs show the same, up to a factor and a summand."""

AGREE = 0.03
"""Factors agree up to this share of them, and summands up to this share of a standard deviation."""

LITTLE = 0.1
"""A change by no more than this share, which moves the mean by no more than this share of a
standard deviation, is not told."""

ROUNDED = 1e-3
"""What a mean is moved by where nothing is changed but rounding, at most, of inputs of which any
change is told."""

NUMBERS = 6
"""Numbers of an input from which on changes of all in the same way are looked for, but for their
order: two of fewer numbers are correlated by chance."""

LEAST, MOST = 6, 0.9
"""A change is one that the loop makes of all inputs if it is found in so many of them at least, and
in this share of those that were found among the measured ones: chance that changes half of them
does so to all of six in 1.6 % of loops, and to 15 of 16 in 0.03 %."""

MANY = 0.25
"""Share of the training examples among a loop's inputs that must be found for a change to be told:
others may be cropped or mirrored by chance."""

LEFT, MADE_UP = 0.98, 0.1
"""Numbers are left out by chance if a factor makes up for it to this share, by which fewer than a
share `LEFT` of them remain."""

SURE = 3.0
"""Standard deviations of the number of training examples among a loop's inputs of which the probes
are known, by which fewer may be found."""

EVEN = 0.5
"""Inputs are normalized each by itself if their means and spreads differ by less than this share of
what those of the measured ones do."""

BLANK = 0.1
"""Share of zeros in the inputs of the loop above that in the measured ones, from which on their
means say nothing: parts are cut off or left out."""

TRIED = 64
"""Inputs in which changes are looked for, at most."""

APART = 1.0
"""Standard deviations of the numbers of a channel by which its mean must be another one. Zeros, or
anything else that is constant, in place of up to a half of each input shift it by less."""


class Difference(NamedTuple):
    """How the inputs that a loop feeds differ from those that are measured: in words that go on
    with "the loop feeds the model" (empty: not, or as chance changes them: augmentation, noise,
    mixtures, attacks), with `code` that does the same. `known`: whether some are among the measured
    ones as they are; `found`: whether they are measured ones that are changed in one way."""

    known: bool
    said: str = ""
    found: bool = False
    code: str = "normalize(x)"


def difference(
    rows: Tensor, shown: Tensor, *, expected: float, fed_as: torch.Size | None = None
) -> Difference:
    """That of the inputs `rows` (N, …) from those that are measured, of which `shown` (M, C, S) are
    the probes; `expected` is how many of them are among the others if nothing is changed. `fed_as`
    is the shape in which the loop feeds them, where it is another one with as many numbers. Of
    whole numbers in both, such as words, means are not compared, since augmentation may change
    some."""
    are_words = not (rows.is_floating_point() or shown.is_floating_point())
    rows, shown = rows.float(), shown.float()
    fed = probed(rows)
    measured = Known(shown)
    exactly = measured.equal(fed, rounding_of(fed))
    same = exactly if are_words else exactly | measured.near(fed)
    known, some = int(same.sum()), bool(exactly.any())
    if known > expected / 2:
        return Difference(True)
    finite, rest = are_finite(fed), shown[are_finite(shown)]
    if int(finite.sum()) < LEAST or len(rest) < LEAST:
        return Difference(some)
    rows, fed, same, shown = rows[finite], fed[finite], same[finite], rest
    others = rows[~same][:TRIED]
    least = 0.0 if are_words else LITTLE
    members = min(1.0, expected / len(rows))
    needed = MANY * members * len(others) * float(_are_varied(shown).double().mean())
    needed -= SURE * math.sqrt(len(others) * members * (1 - members))
    changed, found = _changed(
        probed(others), shown, known, others.shape[1:], least=least, needed=needed
    )
    if changed is None:
        changed = _turned(others, shown, known + found, needed, fed_as or others.shape[1:])
    if changed is None and not (known or are_words) and found <= MOST * len(others):
        changed = _shifted(fed, shown)
    return (changed or Difference(False))._replace(known=some)


def _are_varied(probes: Tensor) -> Tensor:
    """Which probes (M, C, S) have no constant channel, (M,) bool: such are found however they are
    scaled."""
    return (probes.amax(dim=2) > probes.amin(dim=2)).all(dim=1)


def _are_left_out(by: Tensor, fed: Tensor, shown: Tensor) -> bool:
    """Whether `fed` (N, C, S) have 0 in place of some numbers, or channels, and the others are
    those of `shown` times a factor, `by` (C,), that makes up for it, as dropout does."""
    filled = float((shown != 0).double().mean().clamp(min=1e-12))
    left = float((fed != 0).double().mean()) / filled
    error = SURE * left * math.sqrt((1 - filled) / (filled * fed.numel()))
    remaining = 1 / by
    made_up = (remaining - left).abs() < max(MADE_UP * left, error)
    return bool((made_up & (remaining < LEFT)).all())


def _turned(
    rows: Tensor, shown: Tensor, known: int, needed: float, fed_as: torch.Size
) -> Difference | None:
    """Whether nearly all examples among `rows` (N, …) are mirrored or turned in the same way, or
    have their axes in another order, in which their shape is `fed_as`; `known` more are not. As
    many as are `needed` must be found."""
    if shown.shape[2] < COUNTED:
        return None
    shape = rows.shape[1:]
    tried = [
        _changed(probed(turn.undone(rows)), shown, known, shape, turn, needed=needed)
        for turn in (*turns(shape), *orders(shape, fed_as))
    ]
    every = known + sum(found for _, found in tried)
    return next((each for each, found in tried if each and found >= MOST * every), None)


def _changed(
    fed: Tensor,
    shown: Tensor,
    known: int,
    shape: torch.Size,
    turn: Turn | None = None,
    *,
    least: float = LITTLE,
    needed: float = 0.0,
) -> tuple[Difference | None, int]:
    """How the examples among `fed`, inputs of this `shape`, are changed, where it is the same way
    in nearly all; and how many of them show what one of `shown` does, however it is changed.
    `known` more are as they are; `turn`: of all of `fed` this was undone; `least`: as `LITTLE`;
    `needed`: how many must be found."""
    if fed.shape[2] < NUMBERS or not len(fed):
        return None, 0
    match, order, every = _matches(fed, shown)
    alike = order >= 0
    found = int(alike.sum())
    if found < max(LEAST, needed):
        return None, found
    number = int(order[alike].mode().values)
    chosen = order == number
    given, made = shown[match[chosen]][:, list(every[number])].double(), fed[chosen].double()
    spread = made.std(dim=2)
    factor = _signs(given, made) * spread / given.std(dim=2)
    summand = made.mean(dim=2) - factor * given.mean(dim=2)
    by, added = factor.median(dim=0).values, summand.median(dim=0).values
    within = AGREE * spread.median(dim=0).values
    as_far = (factor - by).abs() <= AGREE * by.abs()
    usual = as_far & ((summand - added).abs() <= within)
    enough = max(LEAST, MOST * (known + found))
    if usual.all(dim=1).sum() >= enough:
        little = least * spread.median(dim=0).values + (0.0 if least else ROUNDED)
        moved = (made.mean(dim=2) - given.mean(dim=2)).median(dim=0).values.abs()
        plain = bool(((by - 1).abs() <= LITTLE).all() & (moved <= little).all())
        scaled = bool((added.abs() <= within).all()) and not number and not turn
        if (plain and not number and not turn) or (scaled and _are_left_out(by, fed, shown)):
            return None, found
        pairs = [] if plain else list(zip(by.tolist(), added.tolist(), strict=True))
        return _told(turn, every[number] if number else (), pairs, shape), found
    enough = max(enough, 2 * needed)  # else by chance, among rows that are nearly parallel
    if len(made) >= enough and _are_even(made, given):
        said = "each training example normalized by its own mean and spread"
        return Difference(False, f"{said}, and it is measured on them as they are", True), found
    if as_far.all(dim=1).sum() >= enough and _have_even_means(made, given):
        said = (
            "each training example shifted by a number of its own, as by its mean or its last one"
        )
        return Difference(False, f"{said}, and it is measured on them as they are", True), found
    return None, found


def _are_even(made: Tensor, given: Tensor) -> bool:
    """Whether the means and spreads of `made` (N, C, S) differ much less than those of `given`."""
    far = []
    for each in (made.flatten(1), given.flatten(1)):
        spread = each.std(dim=1)
        far.append((spread.log().std(), each.mean(dim=1).std() / spread.median()))
    return all(bool(mine < EVEN * others) for mine, others in zip(*far, strict=True))


def _have_even_means(made: Tensor, given: Tensor) -> bool:
    """Whether the means of channels of `made` (N, C, S) differ much less than those of `given`."""
    theirs, ours = (each.mean(dim=2).std(dim=0) for each in (made, given))
    return bool((theirs < EVEN * ours).all())


def _matches(fed: Tensor, shown: Tensor) -> tuple[Tensor, Tensor, list[tuple[int, ...]]]:
    """Which of `shown` each of `fed` (N,) shows, up to a factor and a summand of each channel and
    the order of the channels, the number of which in the list of all orders is given, too (N,), -1
    where it shows none. The first order is that in which they are."""
    channels = range(fed.shape[1])
    theirs, ours = _standardized(fed), _standardized(shown)
    every = sorted(permutations(channels)) if len(channels) <= 4 else [tuple(channels)]
    place = torch.zeros(len(fed), dtype=torch.long)
    order = torch.full_like(place, -1)
    for number, way in enumerate(every):
        least = (theirs[:, 0] @ ours[:, way[0]].T).abs()
        for c in channels[1:]:
            least = torch.minimum(least, (theirs[:, c] @ ours[:, way[c]].T).abs())
        value, nearest = least.max(dim=1)
        new = (value > ALIKE) & (order < 0)
        place[new], order[new] = nearest[new], number
    return place, order, every


def _standardized(numbers: Tensor) -> Tensor:
    """Numbers (N, C, S) with mean 0 and length 1 along the last axis; constant ones are 0."""
    away = numbers - numbers.mean(dim=2, keepdim=True)
    length = away.norm(dim=2, keepdim=True)
    constant = length <= 1e-5 * numbers.norm(dim=2, keepdim=True).clamp(min=1e-12)
    return torch.where(constant, 0.0, away / length.clamp(min=1e-30))


def _signs(one: Tensor, other: Tensor) -> Tensor:
    """The signs (N, C) of the correlations of two of (N, C, S)."""
    product = (one - one.mean(dim=2, keepdim=True)) * (other - other.mean(dim=2, keepdim=True))
    return product.sum(dim=2).sign()


def _told(
    turn: Turn | None, way: tuple[int, ...], changes: list[tuple[float, float]], shape: torch.Size
) -> Difference:
    """A change in words: how they are turned, the order of the channels, and a factor and a summand
    for each, of inputs of a `shape`."""
    told, code = [], ""
    if turn:
        told.append(turn.said)
        code = turn.code
    if way:
        told.append(f"with their channels in the order {', '.join(map(str, way))}")
        before = "..." if channel_axis(shape) else ":"
        code = f"{code or 'x'}[{before}, {list(way)}]"
    if changes:
        parts = list(dict.fromkeys(_formula(by, added) for by, added in changes))
        each = ", channel by channel" if len(parts) > 1 else ""
        told.append(f"as {'; '.join(parts)}{each}")
        code = f"normalize({code or 'x'})"
    said = f"its training examples {' and '.join(told)}, and it is measured on "
    return Difference(False, f"{said}{'x itself' if changes else 'them as they are'}", True, code)


def _formula(factor: float, summand: float) -> str:
    """factor * x + summand."""
    by = "" if abs(factor - 1) < 0.005 else f"{factor:.3g} "
    if abs(summand) < 0.001 * max(1.0, abs(factor)):
        return f"{by}x"
    return f"{by}x {'+' if summand > 0 else '-'} {abs(summand):.3g}"


def _shifted(fed: Tensor, shown: Tensor) -> Difference | None:
    """Whether the mean of a channel is another one: for most inputs beyond that of any measured
    input, and by more than `APART`. Of rows of one channel each number is asked, too: whether that
    holds for most of them, or for one of a few."""
    if (fed == 0).float().mean() > (shown == 0).float().mean() + BLANK:
        return None
    theirs, ours = fed.mean(dim=2), shown.mean(dim=2)
    away = _away(theirs, ours, fed, shown)
    if bool(away.any()):
        worst = int(away.argmax())
        where = f" in channel {worst}" if fed.shape[1] > 1 else ""
        return _means(theirs[:, worst], ours[:, worst], where)
    if fed.shape[1] == 1:
        theirs, ours = fed[:, 0], shown[:, 0]
        away = _away(theirs, ours, fed.transpose(1, 2), shown.transpose(1, 2))
        varied = int((ours.amax(dim=0) > ours.amin(dim=0)).sum())
        if (away > 0).sum() > (0 if fed.shape[2] < COUNTED else varied / 2):
            worst = int(away.argmax())
            return _means(theirs[:, worst], ours[:, worst], f" of their number {worst}")
    return None


def _away(theirs: Tensor, ours: Tensor, fed: Tensor, shown: Tensor) -> Tensor:
    """How far the means of channels (N, C) and (M, C) lie apart, in standard deviations of their
    numbers, (N, C, S) and (M, C, S); 0 where that is no other mean, as `_shifted` says."""
    low, high = ours.amin(dim=0), ours.amax(dim=0)
    usual = theirs.median(dim=0).values
    beyond = ((usual > high) | (usual < low)) & (high > low)
    spreads = [each.transpose(0, 1).flatten(1).std(dim=1) for each in (fed, shown)]
    apart = (theirs.mean(dim=0) - ours.mean(dim=0)).abs()
    apart = apart / torch.maximum(*spreads).clamp(min=1e-12)
    return torch.where(beyond & (apart > APART), apart, 0.0)


def _means(theirs: Tensor, ours: Tensor, where: str) -> Difference:
    return Difference(
        False,
        f"inputs with a mean of {theirs.mean().item():.3g}{where}, and it is measured on inputs"
        f" with a mean of {ours.mean().item():.3g}",
    )
