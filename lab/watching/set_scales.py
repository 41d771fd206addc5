"""Whether the inputs of one of two sets are of another scale than those of the other: all numbers
of a tensor, or those at one place of it, as a column of a table or a channel of a signal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from lab.core.words import percent
from lab.watching.probes import channel_axis, probed
from lab.watching.scales import (
    COLUMNS,
    FEWEST,
    channel_differs,
    column_differs,
    filled_in_one,
    finite,
    normalized_otherwise,
    scale_differs,
    spanned,
)
from lab.watching.sets import MeasuredSet


class Rows(NamedTuple):
    """Numbers of one tensor of both sets as rows (N, P) of `test` and (M, P) of `train`. `place` is
    what is called by its number in place of {}; `pooled`: of an example there are several rows."""

    test: Tensor
    train: Tensor
    place: str
    pooled: bool


class Compared(NamedTuple):
    """A tensor of the inputs of some examples of `test` and of `train`, or some of its numbers, and
    `what` it is called."""

    test: Tensor
    train: Tensor
    what: str


def compared(train: MeasuredSet, test: MeasuredSet) -> list[Compared]:
    """The tensors of the inputs that both sets have."""
    theirs, ours = test.some(), train.some()
    several = min(len(theirs), len(ours)) > 1
    return [
        Compared(*each, f"tensor {number} of the inputs" if several else "the inputs")
        for number, each in enumerate(zip(theirs, ours, strict=False))
    ]


def scale_told(tensors: Sequence[Compared]) -> list[str]:
    """The sentence on inputs of another scale in one of the sets, if there are any."""
    for theirs, ours, what in tensors:
        if scale_differs(finite([theirs]), finite([ours])) or _normalized(theirs, ours):
            found: Compared | None = Compared(theirs, ours, what)
        else:
            found = _of_another_scale(theirs, ours, what)
        if found is None:
            continue
        goes = "goes" if found.what.startswith("number ") else "go"
        here, there = (spanned(finite([each])) for each in (found.test, found.train))
        return [
            f"{found.what} of test {goes} {here}, and of train {there}: if that is no difference of"
            " what they show, scale or normalize both alike"
        ]
    return []


def filled_told(tensors: Sequence[Compared]) -> list[str]:
    """The sentence on inputs in which one number at a place is most often the same in one of the
    sets alone, or always the same in a channel, as where that was not recorded there."""
    for theirs, ours, what in tensors:
        for rows in _rows(theirs, ours, what):
            found = filled_in_one(rows.test, rows.train)
            if found is None or (rows.pooled and max(found.one, found.other) < 1):
                continue
            in_test, in_train = percent(found.one), percent(found.other)
            return [
                f"{rows.place.format(found.place)} of test is {found.number:.4g} in {in_test} of"
                f" the examples that were looked at, and of train in {in_train}: if that is no"
                " difference of what they show, as where missing numbers were filled in one set,"
                " differences between the two come from that, and not from memory"
            ]
    return []


def _of_another_scale(theirs: Tensor, ours: Tensor, what: str) -> Compared | None:
    """The numbers at the first place of a tensor, or of the first channel, that are of another
    scale in one of the sets; None: there are none. Of whole numbers, such as words, this is not
    asked."""
    if not (theirs.is_floating_point() and ours.is_floating_point()):
        return None
    for rows in _rows(theirs, ours, what):
        place = column_differs(rows.test, rows.train, both=True)
        if place is None and rows.pooled:
            place = channel_differs(probed(ours), probed(theirs))
        if place is not None:
            numbers = rows.test[:, place], rows.train[:, place]
            return Compared(*numbers, rows.place.format(place))
    return None


def _rows(theirs: Tensor, ours: Tensor, what: str) -> Iterator[Rows]:
    """The rows that a tensor of both sets has: of signals (N, C, L) or (N, L, C) and of pictures
    the numbers of a channel, and of up to `COLUMNS` numbers each of them."""
    shape = theirs.shape[1:]
    if shape != ours.shape[1:] or theirs.is_floating_point() != ours.is_floating_point():
        return
    if theirs.is_complex() or ours.is_complex():
        return
    axis = channel_axis(shape)
    if axis is not None and shape[axis] > 1 and min(len(theirs), len(ours)) >= FEWEST:
        end = f"[:{', :' * axis}, {{}}]"
        of = what.removeprefix("the ")
        yield Rows(_by_channel(theirs), _by_channel(ours), f"numbers {of}{end}", pooled=True)
    if math.prod(shape) <= COLUMNS:
        flat, other = (each.reshape(len(each), -1) for each in (theirs, ours))
        yield Rows(flat, other, f"number {{}} of {what}", pooled=False)


def _by_channel(tensor: Tensor) -> Tensor:
    """Some numbers of each example as rows (R, C) of those of all channels at one place."""
    return probed(tensor).transpose(1, 2).flatten(0, 1)


def _normalized(theirs: Tensor, ours: Tensor) -> bool:
    """As `normalized_otherwise` says, of pictures."""
    return all(
        each.ndim == 4 and {each.shape[1], each.shape[3]} & {1, 3, 4} and each.is_floating_point()
        for each in (theirs, ours)
    ) and normalized_otherwise(probed(ours), probed(theirs))
