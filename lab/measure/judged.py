"""By which figures memorization is judged: the plain ones, or what stands for them where the plain
ones differ between training and test set for another reason."""

from __future__ import annotations

from collections.abc import Collection

from lab.measure import class_shares, right_labels

ACCURACY, GAP, AUC = "accuracy/train", "gap/accuracy", "memorization/membership_auc"
"""The plain ones."""

INSTEAD: tuple[dict[str, str], ...] = tuple(
    dict(zip((ACCURACY, GAP, AUC), others, strict=True))
    for others in (
        class_shares.BY_GROUP,
        class_shares.BY_CLASS,
        (right_labels.ACCURACY, right_labels.GAP, right_labels.AUC),
    )
)
"""What stands for each; of several that are measured, the first: groups or classes have other
shares in the test set, and labels are wrong in the training set alone."""

GROUPS, CLASSES, RIGHT = "at group shares", "at class shares", "by right labels"
"""What the figures of each of `INSTEAD` are called."""

RIGHT_GROUPS, RIGHT_CLASSES = f"{GROUPS} {RIGHT}", f"{CLASSES} {RIGHT}"
"""The first two where they are of the rightly labeled training examples alone."""

WRONG_LABELS = "memorization/mislabeled_fitted"
"""Measured wherever some training labels are known to be wrong."""


def judged(tag: str, measured: Collection[str]) -> str:
    """The tag of the figure that stands for the plain `tag` where so many are `measured`: itself if
    nothing does."""
    return next((one[tag] for one in INSTEAD if tag in one and one[tag] in measured), tag)


def kind(tag: str, measured: Collection[str]) -> str:
    """What the figure that stands for the plain `tag` is called; empty if that is itself."""
    found = judged(tag, measured)
    names = (GROUPS, CLASSES, RIGHT)
    if by_right_labels(measured):
        names = (RIGHT_GROUPS, RIGHT_CLASSES, RIGHT)
    kinds = zip(INSTEAD, names, strict=True)
    return next((name for one, name in kinds if found in one.values()), "")


def by_right_labels(measured: Collection[str]) -> bool:
    """Whether what stands for the plain figures where so many are `measured` is of the rightly
    labeled training examples alone: some labels are wrong, and the right ones are enough."""
    return right_labels.GAP in measured


def alike(tag: str, one: Collection[str], other: Collection[str]) -> bool:
    """Whether what stands for the plain `tag` in two runs, of which so many are measured, is the
    same figure, so that they can be compared. Without wrong labels the plain figure is that of the
    right labels; where shares do not surely differ, it is that at the shares of the test set."""
    kinds = {kind(tag, one), kind(tag, other)}
    if len(kinds) == 1:
        return True
    if kinds in ({GROUPS, RIGHT_GROUPS}, {CLASSES, RIGHT_CLASSES}):
        return WRONG_LABELS not in (other if by_right_labels(one) else one)
    if "" not in kinds:
        return False
    plain, else_ = (one, other) if not kind(tag, one) else (other, one)
    if kind(tag, else_) == RIGHT:
        return WRONG_LABELS not in plain
    return (WRONG_LABELS in plain) == (WRONG_LABELS in else_) and not by_right_labels(else_)
