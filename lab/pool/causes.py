"""Known reasons to memorize a training example, or not to: wrong label, cue, copy, rarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lab.worlds import COPIED, Cue, Examples

WRONG, CONTRADICTS, RARE, ORDINARY = "wrong label", "contradicts a cue", "rare", "ordinary"
"""Causes, besides those that are planted. Of several the first counts: copied, wrong label, cue,
hard to see, rare. Ordinary are all other examples."""

RARE_SHARE = 0.05
"""The share of its class up to which a subpopulation is rare."""


def causes(
    examples: Examples, cues: Sequence[Cue] = (), planted: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """The members (N,) bool, on the CPU, of each cause that the examples can have: each example has
    one. A cue contradicts the true label if it shows the value of another class; `planted` are the
    members (N,) bool of further causes."""
    wrong = examples.mislabeled.cpu()
    clean = examples.clean_labels.cpu()
    contradicts = torch.zeros_like(wrong)
    for cue in cues:
        says = cue.says(examples.samples)
        contradicts |= (says >= 0) & (says != clean)
    rare = torch.tensor([0 < each.weight <= RARE_SHARE for each in examples.all_subpopulations])
    planted = dict(planted or {})
    copied = {COPIED: planted.pop(COPIED)} if COPIED in planted else {}
    candidates = {**copied, WRONG: wrong}
    if cues:
        candidates[CONTRADICTS] = contradicts
    candidates |= planted
    candidates[RARE] = rare[examples.subpopulations.cpu().clamp(min=0)]
    left = torch.ones_like(wrong)
    found = {}
    for name, members in candidates.items():
        if bool(members.any()) or name == CONTRADICTS:
            found[name] = members & left
            left &= ~members
    return {ORDINARY: left, **found}


def subpopulations(examples: Examples) -> dict[str, Tensor]:
    """The members (N,) bool of each subpopulation, of examples with right labels only; none that is
    empty."""
    place, right = examples.subpopulations.cpu(), ~examples.mislabeled.cpu()
    members = {
        kind.name: (place == i) & right for i, kind in enumerate(examples.all_subpopulations)
    }
    return {name: mask for name, mask in members.items() if bool(mask.any())}
