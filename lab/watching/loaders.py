"""Which examples of its dataset a loader takes, and how often."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler

WHOLE = (SequentialSampler, RandomSampler, WeightedRandomSampler, DistributedSampler)
"""Samplers that go through a whole dataset, of which another process may do a part."""


def sampled(loader: DataLoader[Any], what: str) -> Any:
    """The dataset of a loader, or the subset that its sampler takes; `ValueError` in one line if
    it is not known which examples that are."""
    sampler = getattr(loader.batch_sampler, "sampler", loader.sampler)
    if loader.batch_sampler is not None and not hasattr(loader.batch_sampler, "sampler"):
        sampler = loader.batch_sampler
        if isinstance(sampler, (list, tuple)):  # of batches, each of numbers
            with suppress(TypeError):
                sampler = [number for batch in sampler for number in batch]
    if isinstance(loader.dataset, IterableDataset) or not hasattr(loader.dataset, "__len__"):
        return loader.dataset
    if isinstance(sampler, WHOLE):
        drawn = _drawn(sampler)
        if drawn is not None and isinstance(sampler, SequentialSampler):
            drawn = _without_rest(drawn, loader)
        whole = drawn is None or drawn == list(range(len(loader.dataset)))
        return loader.dataset if whole else Subset(loader.dataset, drawn or [])
    is_random = isinstance(sampler, SubsetRandomSampler)
    indices: Any = getattr(sampler, "indices", ()) if is_random else sampler
    if isinstance(indices, (list, tuple, range, np.ndarray, Tensor)):
        try:
            numbers = [int(index) for index in indices]
        except (TypeError, ValueError):
            pass
        else:
            kept = numbers if is_random else _without_rest(numbers, loader)
            return Subset(loader.dataset, list(dict.fromkeys(kept)))  # in the sampler's order
    raise ValueError(
        f"{what} is a loader whose {type(sampler).__name__} may take a part of its dataset: give"
        " the dataset, or a torch.utils.data.Subset of it"
    )


def drawn_in_part(loader: DataLoader[Any]) -> tuple[int, int] | None:
    """How many examples a loader's sampler draws in an epoch, and of how many, where these are
    fewer by its `num_samples`."""
    sampler: Any = getattr(loader.batch_sampler, "sampler", loader.sampler)
    if not isinstance(sampler, (RandomSampler, WeightedRandomSampler)):
        return None
    drawn = _drawn(sampler)
    count = None if drawn is None else len(drawn)
    return (sampler.num_samples, count) if count and sampler.num_samples < count else None


def chances(loader: DataLoader[Any]) -> Tensor | None:
    """How likely a loader's sampler draws each example next, (N,) float64, if it draws them with
    replacement; those that it cannot draw are left out."""
    sampler: Any = getattr(loader.batch_sampler, "sampler", loader.sampler)
    if not getattr(sampler, "replacement", False):
        return None
    if isinstance(sampler, WeightedRandomSampler):
        weights = torch.as_tensor(sampler.weights).double()
        weights = weights[weights > 0]
        return weights / weights.sum()
    if isinstance(sampler, RandomSampler):
        count = len(sampler.data_source)
        return torch.full((count,), 1 / count, dtype=torch.float64)
    return None


def _drawn(sampler: Any) -> list[int] | None:
    """The numbers of the examples that a sampler of `WHOLE` can draw: of weighted ones those whose
    weight is not 0, of the first ones as many as it was made for; None where that is not known."""
    if isinstance(sampler, WeightedRandomSampler):
        weights = torch.as_tensor(sampler.weights)
        return [int(number) for number in weights.nonzero()[:, 0]]
    source: Any = getattr(sampler, "data_source", None)
    return list(range(len(source))) if hasattr(source, "__len__") else None


def _without_rest(numbers: list[int], loader: DataLoader[Any]) -> list[int]:
    """The numbers of examples that a loader takes always in this order, but for those of an
    incomplete last batch that it drops: no epoch has them."""
    batches = loader.batch_sampler
    if not isinstance(batches, BatchSampler) or not batches.drop_last:
        return numbers
    if type(batches).__iter__ is not BatchSampler.__iter__:  # batches of the user's own making
        return numbers
    return numbers[: len(numbers) // batches.batch_size * batches.batch_size]
