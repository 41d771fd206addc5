"""Groups, label by cue values, and how strong a cue came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.worlds.counterfactuals import shows
from lab.worlds.cues import Cue
from lab.worlds.drawn import DrawnWorld
from lab.worlds.examples import Examples


@dataclass(frozen=True)
class MeasuredCue:
    """A cue, the share of pictures that show it, and its strength among those, as drawn."""

    cue: Cue
    shown: Estimate
    strength: Estimate


def measured(world: DrawnWorld, examples: Examples) -> list[MeasuredCue]:
    """Each cue's strength in the examples: among the pictures that show it (Wilson's interval)."""
    result = []
    labels = examples.clean_labels.cpu()
    for cue in world.cues:
        visible = shows(world, examples, cue.attribute)
        agrees = (cue.says(examples.samples) == labels) & visible
        result.append(
            MeasuredCue(
                cue=cue,
                shown=wilson(int(visible.sum()), len(examples)),
                strength=wilson(int(agrees.sum()), int(visible.sum())),
            )
        )
    return result


def groups(examples: Examples, cues: Sequence[Cue]) -> dict[str, Tensor]:
    """The groups, class by cue values: name -> members (N,) bool on the CPU; empty ones too."""
    labels = examples.clean_labels.cpu()
    says = [cue.says(examples.samples) for cue in cues]
    found = {}
    for label, name in enumerate(examples.classes):
        for spoken in product(range(len(examples.classes)), repeat=len(cues)):
            members = labels == label
            words = ["_".join(name.split())]
            for cue, said, one in zip(cues, says, spoken, strict=True):
                members = members & (said == one)
                words.append(f"{cue.attribute}={cue.words[one]}")
            found[",".join(words)] = members
    return found


def group_counts(examples: Examples, cues: Sequence[Cue]) -> dict[str, int]:
    """How many of the examples each group has."""
    return {name: int(members.sum()) for name, members in groups(examples, cues).items()}
