"""Datasets of PyTorch as they come: what is known of them through subsets and concatenations."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import ConcatDataset

INNER = ("dataset", "subset")
"""Attributes in which a wrapper keeps the dataset that it takes its examples from: torch's `Subset`
(also of `random_split`), and those of users."""

SAME = 0.75
"""Share of the examples of a class that have one other label, above which it is no noise."""


def known_classes(dataset: Any) -> list[tuple[str, ...]]:
    """The names of a dataset's classes, each way to name them once: those of a `ConcatDataset` may
    have several; () where they are not known, as where a `target_transform` gives the labels other
    numbers than the names have."""
    if isinstance(dataset, ConcatDataset):
        return list(dict.fromkeys(k for each in dataset.datasets for k in known_classes(each)))
    names = getattr(dataset, "classes", None)
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        return [() if _renumbered(dataset, names) else tuple(names)]
    for name in INNER:
        inner = getattr(dataset, name, None)
        if inner is not None and inner is not dataset and (found := known_classes(inner)) != [()]:
            return list(dict.fromkeys(() if _renumbered(dataset, n) else n for n in found))
    return [()]


def renumbers(
    dataset: Any, names: Sequence[str], numbers: Sequence[int], labels: Sequence[Any]
) -> bool:
    """Whether the `names` of a dataset's classes are those of the numbers that it keeps, in
    `targets`, and not of the `labels` that its examples `numbers` come with, as where `__getitem__`
    makes `int(y == 3)` of `y`: most examples of a class then have one other label. Labels that are
    random, some of which are wrong, or texts are not meant."""
    places = np.asarray(numbers, dtype=np.int64)
    while not hasattr(dataset, "targets"):
        inner = next((i for n in INNER if (i := getattr(dataset, n, None)) is not None), None)
        if inner is None or not hasattr(inner, "__len__"):
            return False
        taken = getattr(dataset, "indices", None)
        if taken is not None and len(taken) == len(dataset):
            places = np.asarray(taken)[places]
        elif len(inner) != len(dataset):
            return False
        dataset = inner
    kept, given = np.asarray(dataset.targets), np.asarray(labels)
    if kept.ndim != 1 or given.ndim != 1 or {kept.dtype.kind, given.dtype.kind} - set("iub"):
        return False
    if len(kept) != len(dataset) or not 0 <= kept.min(initial=0) <= kept.max() < len(names):
        return False
    before = kept[places]
    for value in np.unique(before):
        now, counts = np.unique(given[before == value], return_counts=True)
        if now[counts.argmax()] != value and counts.max() > SAME * counts.sum():
            return True
    return False


def _renumbered(dataset: Any, names: Sequence[str]) -> bool:
    """Whether a dataset's own `target_transform` makes other labels than the places of the names
    (`lambda y: 1 - y`, several classes in one), so that the names are those of others."""
    change = getattr(dataset, "target_transform", None)
    if not callable(change):
        return False
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        return not all(_stands_for(change, number, name) for number, name in enumerate(names))
    except Exception:  # a program's own: it may take something else than numbers
        return True
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _stands_for(change: Callable[[int], Any], number: int, name: str) -> bool:
    """Whether the label that becomes of a number is still this, its one-hot row, or the name."""
    label = change(number)
    if isinstance(label, str):
        return label == name
    values = torch.as_tensor(label)
    return int(values if values.numel() == 1 else values.argmax()) == number
