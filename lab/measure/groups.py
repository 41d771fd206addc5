"""Accuracy by group, and of the worst group."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lab.core.estimate import Estimate
from lab.measure.accuracy import accuracy


def group_accuracies(
    logits: Tensor, labels: Tensor, groups: Mapping[str, Tensor]
) -> dict[str, Estimate]:
    """The accuracy of each group that has examples; `groups` maps names to members, bool (N,)."""
    return {
        name: accuracy(logits[members], labels[members])
        for name, members in groups.items()
        if bool(members.any())
    }


def worst(accuracies: Mapping[str, Estimate]) -> tuple[str, Estimate]:
    """The group with the lowest accuracy, with that group's own interval.

    Sagawa et al., "Distributionally robust neural networks for group shifts", ICLR 2020. The
    minimum over groups is biased downwards, the more the smaller the groups are.
    """
    assert accuracies, "there is a group"
    name = min(accuracies, key=lambda name: accuracies[name].value)
    return name, accuracies[name]
