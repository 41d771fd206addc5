"""The sentences on perturbations: what predictions on pictures from disk depend on."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lab.core.estimate import Estimate
from lab.core.words import listed, rivals, share

NAMED = 0.1
"""A perturbation is named if the share of predictions that it changes is surely above this."""

MOST = 3
"""Perturbations that are named, at most."""

WORDS = {
    "gray": "their color is taken away",
    "hue": "their colors are exchanged",
    "blur": "they are blurred",
    "noise": "noise is added",
    "mirror": "they are mirrored",
    "shift": "they are moved a little",
}
"""What is done to pictures by each perturbation; another one is called by its name."""


def perturbed(metrics: Mapping[str, Estimate], noun: str) -> str:
    """What changes predictions most, and the patch that they need most, with how many others cannot
    be told from it; nothing if no perturbation was measured, or none surely changes many."""
    sentences = []
    found = sorted(_of(metrics, "perturbation").items(), key=lambda item: -item[1].value)
    named = [(name, value) for name, value in found if value.interval[0] > NAMED][:MOST]
    if named:
        told = listed(
            [f"when {WORDS.get(name, name)} in {share(value, first=not i)}"
             for i, (name, value) in enumerate(named)]
        )  # fmt: skip
        sentences.append(f"Its answer changes {told} of {noun}.")
    patches = _of(metrics, "occlusion")
    if patches:
        name, value = max(patches.items(), key=lambda item: item[1].value)
        if value.interval[0] > NAMED:
            others = [other for patch, other in patches.items() if patch != name]
            close = sum(value.interval[0] <= other.interval[1] for other in others)
            unsure = rivals(close, len(others))
            sentences.append(
                f"Of {len(patches)} patches it needs {_place(name)} most{unsure}: its answer"
                f" changes in {share(value)} of {noun} when that is covered."
            )
    return " ".join(sentences)


def _of(metrics: Mapping[str, Estimate], family: str) -> dict[str, Estimate]:
    start = f"{family}/"
    return {tag.removeprefix(start): m for tag, m in metrics.items() if tag.startswith(start)}


def _place(patch: str) -> str:
    """The place of a patch in words."""
    return re.sub(r"row(\d+)_column(\d+)", r"that in row \1 and column \2", patch)
