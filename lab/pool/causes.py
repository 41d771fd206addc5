"""Known reasons to memorize a training example: wrong label, contradicting cue, subpopulation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lab.worlds import Cue, Examples

WRONG, CONTRADICTS, ORDINARY = "wrong label", "contradicts a cue", "ordinary"
"""Causes. A wrong label counts before a cue; ordinary are all other examples."""


def causes(examples: Examples, cues: Sequence[Cue] = ()) -> dict[str, Tensor]:
    """The members (N,) bool, on the CPU, of each cause that the examples can have: each example has
    one. A cue contradicts the true label if it shows the value of another class."""
    wrong = examples.mislabeled.cpu()
    clean = examples.clean_labels.cpu()
    contradicts = torch.zeros_like(wrong)
    for cue in cues:
        says = cue.says(examples.samples)
        contradicts |= (says >= 0) & (says != clean)
    found = {ORDINARY: ~wrong & ~contradicts}
    if bool(wrong.any()):
        found[WRONG] = wrong
    if cues:
        found[CONTRADICTS] = contradicts & ~wrong
    return found


def subpopulations(examples: Examples) -> dict[str, Tensor]:
    """The members (N,) bool of each subpopulation, of examples with right labels only; none that is
    empty."""
    place, right = examples.subpopulations.cpu(), ~examples.mislabeled.cpu()
    members = {
        kind.name: (place == i) & right for i, kind in enumerate(examples.all_subpopulations)
    }
    return {name: mask for name, mask in members.items() if bool(mask.any())}
