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


def judged(tag: str, measured: Collection[str]) -> str:
    """The tag of the figure that stands for the plain `tag` where so many are `measured`: itself if
    nothing does."""
    return next((one[tag] for one in INSTEAD if tag in one and one[tag] in measured), tag)
