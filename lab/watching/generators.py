"""Random generators that a dataset keeps for itself, and their states."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
"""Kinds of random generators that a dataset may keep."""


PARTS = ("dataset", "datasets", "subset", "transform", "transforms", "target_transform")
"""Attributes of a dataset in which random generators of its own are looked for."""


def generators_of(owner: Any, depth: int = 5) -> Iterator[Any]:
    """Random generators that are attributes of a dataset, of the datasets in it, and of their
    transforms."""
    if isinstance(owner, GENERATORS):
        yield owner
    elif isinstance(owner, (list, tuple)):
        for each in owner[:100] if depth else ():
            yield from generators_of(each, depth - 1)
    elif depth and hasattr(owner, "__dict__") and not isinstance(owner, (type, Tensor)):
        for name, each in list(vars(owner).items()):
            if isinstance(each, GENERATORS) or callable(each) or name in PARTS:
                yield from generators_of(each, depth - 1)


def state_of(generator: Any) -> Any:
    """The state of a generator of `GENERATORS`, which `restore` takes."""
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    if isinstance(generator, np.random.Generator):
        return copy.deepcopy(generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return generator.getstate()


def restore(generator: Any, state: Any) -> None:
    """Bring a generator back to a state."""
    if isinstance(generator, torch.Generator):
        generator.set_state(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.setstate(state)


def as_plain(state: Any) -> Any:
    """A generator's state with the bytes of its arrays in place of these."""
    if isinstance(state, (np.ndarray, Tensor)):
        return np.asarray(state).tobytes()
    if isinstance(state, Mapping):
        return {name: as_plain(each) for name, each in state.items()}
    if isinstance(state, (list, tuple)):
        return [as_plain(each) for each in state]
    return state
