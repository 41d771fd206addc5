"""Whether the inputs of one of two sets are of another scale than those of the other: all numbers
of a tensor, or those at one place of it, as a column of a table or a channel of a signal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from lab.core.words import percent
from lab.watching.probes import probed
from lab.watching.scales import (
    COLUMNS,
    FEWEST,
    column_differs,
    filled_in_one,
    finite,
    normalized_otherwise,
    scale_differs,
    spanned,
)
from lab.watching.sets import MeasuredSet

POOLED = 2**15
"""Numbers of a channel that are compared, about."""


class Rows(NamedTuple):
    """Numbers of one tensor of both sets as rows (N, P) of `test` and (M, P) of `train`. `place` is
    what is called by its number in place of {}; `pooled`: of an example there are several rows."""

    test: Tensor
    train: Tensor
    place: str
    pooled: bool


def scale_told(train: MeasuredSet, test: MeasuredSet) -> list[str]:
    """The sentence on inputs of another scale in one of the sets, if there are any."""
    for theirs, ours, what in _tensors(train, test):
        told = what, theirs, ours
        if not (scale_differs(finite([theirs]), finite([ours])) or _normalized(theirs, ours)):
            found = next(_of_another_scale(theirs, ours, what), None)
            if found is None:
                continue
            told = found
        goes = "goes" if told[0].startswith("number") else "go"
        here, there = (spanned(finite([each])) for each in told[1:])
        return [
            f"{told[0]} of test {goes} {here}, and of train {there}: if that is no difference of"
            " what they show, scale or normalize both alike"
        ]
    return []


def filled_told(train: MeasuredSet, test: MeasuredSet) -> list[str]:
    """The sentence on inputs in which one number at a place is most often the same in one of the
    sets alone, or always the same in a channel, as where that was not recorded there."""
    for theirs, ours, what in _tensors(train, test):
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


def _tensors(train: MeasuredSet, test: MeasuredSet) -> Iterator[tuple[Tensor, Tensor, str]]:
    """The tensors of some examples of test, of train, and what they are called."""
    theirs, ours = test.some(), train.some()
    for number, (one, other) in enumerate(zip(theirs, ours, strict=False)):
        several = min(len(theirs), len(ours)) > 1
        yield one, other, f"tensor {number} of the inputs" if several else "the inputs"


def _of_another_scale(
    theirs: Tensor, ours: Tensor, what: str
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """What is of another scale in one of the sets, and its numbers in both."""
    for rows in _rows(theirs, ours, what):
        place = column_differs(rows.test, rows.train, both=True)
        if place is not None:
            yield rows.place.format(place), rows.test[:, place], rows.train[:, place]


def _rows(theirs: Tensor, ours: Tensor, what: str) -> Iterator[Rows]:
    """The rows that a tensor of both sets has: of signals (N, C, L) or (N, L, C) and of pictures
    the numbers of a channel, and of up to `COLUMNS` numbers each of them."""
    shape = theirs.shape[1:]
    if shape != ours.shape[1:] or not (theirs.is_floating_point() and ours.is_floating_point()):
        return
    if len(shape) > 1 and min(len(theirs), len(ours)) >= FEWEST:
        ends = {1: "[:, {}]", theirs.ndim - 1: f"[{':, ' * len(shape)}{{}}]"}
        if len(shape) > 2:  # of pictures the shorter one is that of the channels
            axis = min(ends, key=lambda axis: theirs.shape[axis])
            ends = {axis: ends[axis]}
        for axis, end in ends.items():
            if 1 < theirs.shape[axis] <= COLUMNS:
                place = f"numbers {what.removeprefix('the ')}{end}"
                yield Rows(_pooled(theirs, axis), _pooled(ours, axis), place, pooled=True)
    if math.prod(shape) <= COLUMNS:
        flat, other = (each.reshape(len(each), -1) for each in (theirs, ours))
        yield Rows(flat, other, f"number {{}} of {what}", pooled=False)


def _pooled(tensor: Tensor, axis: int) -> Tensor:
    """Rows (R, C) of the numbers along an axis of C, of about `POOLED` places of all examples."""
    found = tensor.movedim(axis, -1)
    found = found.reshape(len(found), -1, found.shape[-1])
    return found[:, :: math.ceil(found[..., 0].numel() / POOLED)].flatten(0, 1)


def _normalized(theirs: Tensor, ours: Tensor) -> bool:
    """As `normalized_otherwise` says, of pictures."""
    return all(
        each.ndim == 4 and {each.shape[1], each.shape[3]} & {1, 3, 4} and each.is_floating_point()
        for each in (theirs, ours)
    ) and normalized_otherwise(probed(ours), probed(theirs))
