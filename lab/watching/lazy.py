"""Files that a dataset opens when it is first read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from lab.watching.generators import PARTS

CLOSED_BY = ("close", "release")
"""Methods of what is open: files, archives, databases, videos."""

DEPTH = 5
"""Datasets within datasets that are looked at."""


@contextmanager
def as_before(dataset: Any) -> Iterator[None]:
    """Inside, a dataset may be read. Afterwards attributes of it, and of datasets in it, that were
    not there or None are so again, if they are open files and the like: one that each worker of a
    loader opens must not be open already when these are started, since processes then share its
    position."""
    owners = list(_owners(dataset, DEPTH))
    before = [dict(vars(each)) for each in owners]
    try:
        yield
    finally:
        for owner, known in zip(owners, before, strict=True):
            for name, value in list(vars(owner).items()):
                if known.get(name) is not None or not _is_open(value):
                    continue
                if name in known:
                    vars(owner)[name] = None
                else:
                    del vars(owner)[name]


def _is_open(value: Any) -> bool:
    of_hdf5 = type(value).__module__.partition(".")[0] == "h5py"
    return of_hdf5 or any(callable(getattr(value, name, None)) for name in CLOSED_BY)


def _owners(dataset: Any, depth: int) -> Iterator[Any]:
    """A dataset and those in it, as far as they have attributes."""
    if isinstance(dataset, (list, tuple)):
        for each in dataset[:100]:
            yield from _owners(each, depth)
    elif depth and hasattr(dataset, "__dict__") and not isinstance(dataset, (type, Tensor)):
        yield dataset
        for name in PARTS:
            yield from _owners(vars(dataset).get(name, ()), depth - 1)
