"""Datasets of PyTorch as they come: what is known of them through subsets and concatenations."""

from __future__ import annotations

from typing import Any

from torch.utils.data import ConcatDataset

INNER = ("dataset", "subset")
"""Attributes in which a wrapper keeps the dataset that it takes its examples from: torch's `Subset`
(also of `random_split`), and those of users."""


def known_classes(dataset: Any) -> list[tuple[str, ...]]:
    """The names of a dataset's classes, each way to name them once: those of a `ConcatDataset` may
    have several; () where they are not known."""
    if isinstance(dataset, ConcatDataset):
        return list(dict.fromkeys(k for each in dataset.datasets for k in known_classes(each)))
    names = getattr(dataset, "classes", None)
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        return [tuple(names)]
    for name in INNER:
        inner = getattr(dataset, name, None)
        if inner is not None and inner is not dataset and (found := known_classes(inner)) != [()]:
            return found
    return [()]
