"""What is doubtful of the two sets that a watcher was given; sentences without a full stop."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from lab.core.words import off, those
from lab.watching.sets import MeasuredSet
from lab.worlds.mean_pictures import opposite, opposite_told

REPEATED = 0.9
"""Share of the training examples that are different ones, below which it is said."""


def redrawn_told(what: str, parts: Collection[str]) -> str:
    """The sentence on a set, train or test, of which `parts` of an example, inputs or labels, are
    others each time that it is read."""
    why = " (random augmentation)" if "inputs" in parts else ""
    advice = "; clean= is for measuring without it"
    if what == "test":
        advice = ": give test a dataset without it, as clean= is for train alone"
    return (
        f"{what} gives other {' and '.join(parts)} each time that it is read{why}, and one draw of"
        f" each is measured{advice}"
    )


def opposite_sets(train: MeasuredSet, test: MeasuredSet) -> float | None:
    """As `lab.worlds.mean_pictures.opposite` says; None of other inputs than pictures, and where
    those of both sets are of different sizes."""
    if train.thumbnails is None or test.thumbnails is None:
        return None
    if train.thumbnails.shape[1:] != test.thumbnails.shape[1:]:
        return None
    return opposite(train.thumbnails, train.labels, test.thumbnails, test.labels)


def shape_told(train: MeasuredSet, test: MeasuredSet) -> list[str]:
    """The sentence on inputs of another shape in one of the sets, if each has one."""
    if None in (train.form, test.form) or train.form == test.form:
        return []
    ours, theirs = (_shapes(each.form) for each in (train, test))
    return [
        f"the inputs of test are of the shape {theirs}, and those of train of {ours}: if the model"
        " answers otherwise to inputs of another size, differences between the two come from that,"
        " and not from memory"
    ]


def _shapes(form: tuple[tuple[int, ...], ...] | None) -> str:
    return ", ".join(map(str, form or ()))


def differences_told(train: MeasuredSet, test: MeasuredSet, opposite: float | None) -> list[str]:
    """What is to be said of inputs that are not finite, and of pictures that are dark where those
    of the other set are bright, as `opposite` has it."""
    said = []
    for chosen in (train, test):
        if chosen.broken:
            said.append(
                f"{chosen.source.what}: inputs are not finite in {chosen.broken:,} of the"
                f" {len(chosen):,} examples that are measured"
            )
    return said + [each.removesuffix(".") for each in opposite_told(opposite, "pictures")]


def overlap_told(
    train: MeasuredSet, test: MeasuredSet, *, shared: int, relabeled: int, alike: int
) -> list[str]:
    """The sentence on test examples that are training examples, too, where there are some, or are
    the same as some, maybe by chance; `relabeled` of them have other labels there."""
    least = "at least " if train.is_sample else ""
    one = shared + alike == 1
    what = "it has another label there" if one else "they have other labels there"
    if shared:
        return [
            f"test and train share examples, {least}{shared:,} of the {len(test):,} of test that"
            f" are measured: what is said of the test set is {off(relabeled / shared, what=what)}"
        ]
    if alike:
        of = f"of the {len(test):,} examples of test that are measured"
        return [
            f"{least}{those(alike, f'{of} is the same', f'{of} are the same')}"
            " as examples of train: if that is no chance, as where some were copied before the sets"
            f" were divided, what is said of the test set is {off(relabeled / alike, what=what)}"
        ]
    return []


def unscaled_told(train: MeasuredSet, test: MeasuredSet) -> list[str]:
    """The sentence on pictures as files have them, which most loops scale."""
    if not (train.unscaled or test.unscaled):
        return []
    return [
        "the inputs are whole numbers up to 255: if your loop scales or normalizes them before the"
        " model gets them, do it in a transform, or in forward= too"
    ]


def repeated_told(count: int, different: int) -> list[str]:
    """The sentence on a training set of `count` examples of which surprisingly few are different
    ones."""
    if different >= REPEATED * count:
        return []
    return [
        f"train takes some examples several times: its {count:,} are {different:,} different ones,"
        " each of which counts as often as it is taken"
    ]


def copies_told(chosen: MeasuredSet, copies: Tensor) -> str:
    """The sentence on the `copies` (N,), as `MeasuredSet.copies` has them, among the examples of a
    set."""
    number = len(chosen) - len(set(copies.tolist()))
    measured = " that are measured" if chosen.is_sample else ""
    return (
        f"of {len(chosen):,} examples of {chosen.source.what}{measured}"
        f" {those(number, 'is a copy of an earlier one', 'are copies of earlier ones')}: intervals"
        " take an example and its copies for one"
    )
