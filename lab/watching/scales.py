"""Whether numbers are of another scale than others: all together, or those of one column of a table
or of one channel."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

BEYOND, MANY = 0.25, 0.25
"""Inputs are of another scale if a share of more than `MANY` of their numbers lies outside of the
others' range by more than `BEYOND` of its width."""

TIMES = 3.0
"""They are, too, if they scatter more than so many times as much, or as little."""

LITTLE = 0.1
"""Share of the range that holds four fifths of the numbers at a place by which noise may move them
out of it."""

FAR, COLUMNS = 5.0, 256
"""The numbers at one place of rows of a table are of another scale if they are spread so many times
as far, or as little; and as many places a table has, at most."""

POWERS = 0.25, 1.0, 2.0
"""By the means of these powers of their distances from the median, each: a few large numbers, as of
an income or a flux, make the last one much larger, and hardly the first."""

FILLED = 0.5
"""The numbers at one place are filled in one of two sets if one number is by more than this share
more frequent there: among `FEWEST` rows of one population chance hardly makes so much of it."""

FEWEST = 32
"""Rows of a table by which its columns are compared, at least; twice as many on the other side. And
pictures by which the spreads of channels are."""

SORTED = 2**17
"""Numbers of a channel of which the ranges are those, at most."""

NORMALIZED, ABOUT, SURELY = 1.5, 0.75, 4.0
"""Pictures are normalized otherwise if the standard deviation of each channel is so many times as
large, or as small, and its logarithm differs by so many standard errors; of other measures the
logarithm must differ by a share of that."""

ALONE = 2.0
"""The same for a channel of another scale beside others that are not."""


def finite(calls: list[Tensor]) -> Tensor:
    """The finite numbers (N,) of several tensors."""
    found = torch.cat([part.reshape(-1) for part in calls])
    return found[found.isfinite()]


def scale_differs(fed: Tensor, asked: Tensor) -> bool:
    """Whether the numbers that a loop feeds a network, (N,), are of another scale than those that
    it is measured on, (M,): by far out of their range, or scattered far more or less. Of whole
    numbers in both, such as words, this is not asked."""
    if min(len(fed), len(asked)) < 2 or not (fed.is_floating_point() or asked.is_floating_point()):
        return False
    low, high = asked.min(), asked.max()
    margin = BEYOND * (high - low)
    outside = ((fed < low - margin) | (fed > high + margin)).float().mean()
    if outside > MANY:
        return True
    ratios = [float(_spread(fed, power) / _spread(asked, power)) for power in POWERS]
    return min(ratios) > TIMES or 0 < max(ratios) < 1 / TIMES


def column_differs(fed: Tensor, asked: Tensor, *, both: bool = False) -> int | None:
    """The place at which the numbers of rows of a table, (N, P), are of another scale than those of
    others, (M, P), by far: the ranges that hold a half and four fifths of them are both `FAR` times
    as wide, or as narrow, and more than `MANY` of them lie outside of the others' range, unlike
    those of a class, or of a time, that a loop may take first, by more than noise moves them. With
    `both`, which is for rows of whole sets, as many of the others outside of theirs count, too, and
    so does a place at which most numbers of each set lie far outside of the range of the other.
    None: there is none, or there are too few rows to tell."""
    few, more, places = *sorted((len(fed), len(asked))), fed.shape[1]
    if few < FEWEST or more < 2 * FEWEST or places != asked.shape[1] or not 0 < places <= COLUMNS:
        return None
    least, most = torch.full((places,), torch.inf), torch.zeros(places)
    margin = torch.zeros(places)
    for end in (0.25, 0.1):
        ends = torch.tensor([end, 1 - end], dtype=torch.float64)
        theirs, ours = (
            torch.nanquantile(each.double(), ends, dim=0).diff(dim=0)[0] for each in (fed, asked)
        )
        ratio = torch.where((theirs > 0) & (ours > 0), theirs / ours, 1.0).float()
        least, most = torch.minimum(least, ratio), torch.maximum(most, ratio)
        margin = LITTLE * torch.minimum(theirs, ours).float()
    outside = _outside(fed, asked, margin)
    if both:
        outside = torch.maximum(outside, _outside(asked, fed, margin))
    apart = torch.where(outside > MANY, torch.maximum(least, 1 / most), 0.0)
    if both:
        apart[_beyond(fed, asked) & _beyond(asked, fed)] = torch.inf
    return int(apart.argmax()) if float(apart.max()) > FAR else None


class Filled(NamedTuple):
    """A `place` in rows of a table at which one `number` stands in a share of `one` set and `other`
    of the other one, both 0 to 1."""

    place: int
    number: float
    one: float
    other: float


def filled_in_one(rows: Tensor, others: Tensor) -> Filled | None:
    """The place at which one number is by more than `FILLED` more frequent in rows of a table,
    (N, P), than in others, (M, P), or the reverse, as where it was not recorded in one set and
    missing numbers were filled. Only finite numbers count, of which both have `FEWEST` or more
    there. None: there is none."""
    if rows.shape[1] != others.shape[1] or not rows.numel() or not others.numel():
        return None
    rows, others = rows.double(), others.double()
    counts = [each.isfinite().sum(dim=0) for each in (rows, others)]
    enough = torch.minimum(*counts) >= FEWEST
    found = []
    for each in (rows, others):
        middle = each.where(each.isfinite(), torch.nan).nanmedian(dim=0).values
        one, other = (
            (numbers == middle).sum(dim=0) / count
            for numbers, count in zip((rows, others), counts, strict=True)
        )
        apart = torch.where(enough, (one - other).abs(), 0.0)
        place = int(apart.argmax())
        numbers = middle[place], one[place], other[place]
        found.append((float(apart[place]), Filled(place, *map(float, numbers))))
    most, told = max(found)
    return told if most > FILLED else None


def normalized_otherwise(one: Tensor, other: Tensor) -> bool:
    """Whether pictures (N, C, S) seem to be normalized by other numbers than others (M, C, S): each
    channel is of another scale by `NORMALIZED`, in the same direction."""
    return bool(_of_other_scales(one, other, NORMALIZED).all(dim=1).any())


def channel_differs(one: Tensor, other: Tensor) -> int | None:
    """The first channel of pictures or records (N, C, S) that is of another scale than that of
    others, (M, C, S), by `ALONE`; None: there is none."""
    found = _of_other_scales(one, other, ALONE).any(dim=0)
    return int(found.nonzero()[0]) if found.any() else None


def _of_other_scales(one: Tensor, other: Tensor, times: float) -> Tensor:
    """Which channels of (N, C, S) are of a larger, or smaller, scale than those of (M, C, S), so
    many `times`: (2, C) bool. By far, and in the same direction, the spread of all numbers is
    another one, beyond what the examples differ in it, and so are the upper quartile of the spreads
    within an example, and the ranges of all numbers and of four fifths of them: unlike where some
    pictures, or places, are bright, or edges are filled."""
    if min(len(one), len(other)) < FEWEST or one.shape[1] != other.shape[1]:
        return torch.zeros(2, one.shape[1], dtype=torch.bool)
    whole, within, wide, middle, errors = [], [], [], [], []
    for each in (one.double(), other.double()):
        away = (each - each.mean(dim=(0, 2), keepdim=True)).square().mean(dim=2)  # (N, C)
        variance = away.mean(dim=0).clamp(min=1e-30)
        whole.append(variance.log() / 2)
        errors.append(away.std(dim=0) / variance / len(each) ** 0.5 / 2)
        within.append(each.std(dim=2).quantile(0.75, dim=0).clamp(min=1e-30).log())
        numbers = each.transpose(0, 1).flatten(1)[:, :: math.ceil(each[:, 0].numel() / SORTED)]
        ends = torch.tensor([0.0, 0.1, 0.9, 1.0]).double()
        least, low, high, most = numbers.quantile(ends, dim=1)
        wide.append((most - least).clamp(min=1e-30).log())
        middle.append((high - low).clamp(min=1e-30).log())
    far, near = torch.tensor([math.log(times), math.log(times) * ABOUT]).double()
    surely = torch.maximum(far, SURELY * torch.hypot(*errors))
    bounds = ((whole, surely), (within, near), (wide, near), (middle, near))
    ways = [
        torch.stack([sign * (ours - theirs) > bound for (ours, theirs), bound in bounds])
        for sign in (1, -1)
    ]
    return torch.stack([every.all(dim=0) for every in ways])


def _outside(rows: Tensor, others: Tensor, margin: Tensor) -> Tensor:
    """The share (P,) of the numbers at each place of `rows` (N, P) that lie outside of the range of
    those of `others` (M, P), by more than a `margin` (P,)."""
    low, high = _range(others)
    return ((rows < low - margin) | (rows > high + margin)).float().mean(dim=0)


def _beyond(rows: Tensor, others: Tensor) -> Tensor:
    """The places (P,) bool at which more than half of the numbers of `rows` (N, P) lie outside of
    the range of those of `others` (M, P), by `BEYOND` of its width, which is not 0."""
    low, high = _range(others)
    far = _outside(rows, others, BEYOND * (high - low).clamp(min=0)) > 0.5
    return far & (high > low)


def _range(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest finite number (P,) at each place of rows (N, P); inf and -inf where
    there is none."""
    known = rows.isfinite()
    low = torch.where(known, rows, torch.inf).amin(dim=0)
    return low, torch.where(known, rows, -torch.inf).amax(dim=0)


def spanned(numbers: Tensor) -> str:
    """From the least to the largest, in words."""
    return f"from {numbers.min().item():.4g} to {numbers.max().item():.4g}"


def _spread(numbers: Tensor, power: float) -> Tensor:
    """How far they are from their median: the mean of that to some power, and its root."""
    away = (numbers.double() - numbers.double().median()).abs()
    return (away**power).mean() ** (1 / power)
