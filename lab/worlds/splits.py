"""Splits: the names under which a population draws faces that no other split has."""

from __future__ import annotations

from lab.core.text import unknown

SPLITS = {
    "train": "training faces; label noise is for these alone",
    "validation": "faces that choose: early stopping and the best checkpoint go by them",
    "test": "faces that are measured only",
    "twins": "faces that are redrawn with one attribute changed, to measure reliance",
    "parts": "faces that are shown with each set of parts",
    "tried": "faces drawn before a run begins, to see that its settings can be had",
    "game": "faces of the guessing game in the tab Faces",
    "playground": "random faces of the tab Faces",
    "gallery": "faces of the gallery's pictures",
    "bench": "faces that benchmarks draw",
}
"""Every split and what it is for. A split's faces are others under another seed, too."""


def check_split(name: str) -> str:
    """The name, if it is one of `SPLITS`; `ValueError` with the nearest match otherwise.

    Any name would draw faces, with clean labels, so that a misspelt 'train' would go unnoticed.
    """
    if name not in SPLITS:
        raise ValueError(unknown("split", name, SPLITS))
    return name
