"""Splits: the names of disjoint streams of pictures."""

from __future__ import annotations

from lab.core.text import unknown

SPLITS = {
    "train": "training set; label noise is for this alone",
    "validation": "pictures that choose: early stopping and the best checkpoint go by them",
    "test": "pictures that are measured only",
    "twins": "samples that are redrawn with one attribute changed, to measure reliance",
    "parts": "samples that are shown with each set of components",
    "tried": "samples drawn before a run begins, to see that its settings can be had",
    "game": "faces of the guessing game in the tab Faces",
    "playground": "random faces of the tab Faces",
    "gallery": "faces of the gallery's pictures",
    "bench": "faces that benchmarks draw",
}
"""Every split and what it is for. A split's pictures are others under another seed, too."""


def check_split(name: str) -> str:
    """The name, if it is one of `SPLITS`; `ValueError` with the nearest match otherwise.

    Any name would draw pictures, with clean labels, so that a misspelt 'train' would go unnoticed.
    """
    if name not in SPLITS:
        raise ValueError(unknown("split", name, SPLITS))
    return name
