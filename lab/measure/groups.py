"""Accuracy by group: what an average hides."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure.accuracy import accuracy


def group_accuracies(
    logits: Tensor, labels: Tensor, groups: Mapping[str, Tensor]
) -> dict[str, Estimate]:
    """The accuracy of each group that has faces: name -> members (N,) bool in, share out."""
    return {
        name: accuracy(logits[members], labels[members])
        for name, members in groups.items()
        if bool(members.any())
    }


def worst(accuracies: Mapping[str, Estimate]) -> tuple[str, Estimate]:
    """The group with the lowest accuracy, with that group's own interval.

    Sagawa et al., "Distributionally robust neural networks for group shifts", ICLR 2020. A minimum
    over groups leans to the low side: the smaller the groups, the more.
    """
    assert accuracies, "there is a group"
    name = min(accuracies, key=lambda name: accuracies[name].value)
    return name, accuracies[name]
