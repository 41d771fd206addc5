"""What a dataset makes when it is first read, such as an open file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import Tensor

from lab.watching.generators import PARTS

KEPT = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset)
"""Kinds of what may stay where a dataset has made it, beside tensors and arrays: results that it
keeps to be faster."""

DEPTH = 5
"""Datasets within datasets that are looked at."""


@contextmanager
def as_before(dataset: Any) -> Iterator[None]:
    """Inside, a dataset may be read. Afterwards its attributes, and those of datasets in it, that
    were not there or None are so again, unless they are numbers or containers: a file that is
    opened in each worker of a loader must not be open already when these are started, since
    processes then share its position."""
    owners = list(_owners(dataset, DEPTH))
    before = [dict(vars(each)) for each in owners]
    try:
        yield
    finally:
        for owner, known in zip(owners, before, strict=True):
            for name, value in list(vars(owner).items()):
                if known.get(name) is not None or isinstance(value, (*KEPT, Tensor, np.ndarray)):
                    continue
                if name in known:
                    vars(owner)[name] = None
                else:
                    del vars(owner)[name]


def _owners(dataset: Any, depth: int) -> Iterator[Any]:
    """A dataset and those in it, as far as they have attributes."""
    if isinstance(dataset, (list, tuple)):
        for each in dataset[:100]:
            yield from _owners(each, depth)
    elif depth and hasattr(dataset, "__dict__") and not isinstance(dataset, (type, Tensor)):
        yield dataset
        for name in PARTS:
            yield from _owners(vars(dataset).get(name, ()), depth - 1)
