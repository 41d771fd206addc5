"""The interface of an objective: what training minimizes, as a function of logits and batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lab.models.space import Space
from lab.training.batches import Batch, Groups
from lab.training.distributed import SINGLE, Processes


@dataclass(frozen=True, kw_only=True)
class ObjectiveSpec:
    """The facts about a run that an objective gets before the first step."""

    groups: Groups
    """Names of the groups, and the training examples in each."""
    names: Sequence[str] = ()
    """What the training examples are called, by their numbers in `batch.indices`: a picture's path
    below its folder, such as cats/001.png, or its place in an array, such as x[17]. (): they are
    drawn. What is known of each of one's own pictures is found by these: the run takes them in an
    order of its own, which depends on its seed."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where logits and batches will be, and where its state should be."""
    processes: Processes = SINGLE
    """The processes of a distributed run, for an objective that needs sums over the whole batch:
    `processes.all_reduce_sum_`, a no-op in a single-process run."""


class Objective:
    """The base class of objectives: a loss of logits and batch, with state that is checkpointed.

    A subclass implements `__call__`, and the other methods if it needs them. It is made without
    arguments; constants are class attributes, so that a variant is a subclass of two lines:

        class strong(GroupDRO):
            step_size = 0.1

    The rules, which `check_objective` tests before a run and a contract test for each registered
    objective:

    - The loss is a scalar tensor with a gradient with respect to the logits, and finite for finite
      logits.
    - It is a mean over the examples of `batch`. In a distributed run each process gets its part of
      the batch; the means of all parts, weighted by their sizes, are added up. A loss that is no
      mean of per-example terms fixed beforehand needs sums over all processes: see `GroupDRO`.
    - Logits (B, C) may be bfloat16 with --precision bfloat16.
    - `state` has everything that steps change, as tensors and plain Python values, and `restore`
      takes it back: a resumed run repeats an uninterrupted one exactly. In a distributed run it
      must be the same in all processes.
    - What the network's `forward` leaves in a module that the objective's file shares with it is of
      this process's part of the batch, and need not be in `state`.
    - Random numbers come from the global generators of torch, NumPy or Python, which are seeded
      anew at every step.

    Its own parameters are not trained: only the network's are.
    """

    capturable: bool = False
    """Declared by the class that defines `__call__`: whether a CUDA graph may repeat its steps
    (`lab.training.cuda_graph`). What steps change they change in place, on the device; nothing is
    decided in Python anew at each step."""

    space: Space | None = None
    """The import space of its file; set by `create_objective`."""

    def start(self, spec: ObjectiveSpec) -> None:
        """Prepare for a run from its first step on; called once before the first `__call__`."""

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """The loss of one training step; `logits` (B, C) are the network's for `batch`, whose
        pictures are, with augmentation, the augmented ones, rounded to bytes."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__(logits, batch)")

    def state(self) -> dict[str, Any]:
        """Everything that steps change, for a checkpoint: tensors and plain Python values."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state; its tensors may be on another device."""


def is_capturable(objective: Objective) -> bool:
    """Whether the class whose `__call__` an objective has declares it `capturable`, and its
    subclasses change constants only."""
    kinds = type(objective).__mro__
    place = next(place for place, kind in enumerate(kinds) if "__call__" in vars(kind))
    changed = (
        value
        for kind in kinds[:place]
        for name, value in vars(kind).items()
        if not name.startswith("__")
    )
    return bool(vars(kinds[place]).get("capturable", False)) and not any(
        callable(value) or hasattr(value, "__get__") for value in changed
    )


Loss = Callable[[Tensor, Batch], Tensor]


class FunctionObjective(Objective):
    """A stateless objective given as a function of logits and batch."""

    def __init__(self, function: Loss) -> None:
        self.function = function

    def __call__(self, logits: Tensor, batch: Batch) -> Tensor:
        """The function's value."""
        return self.function(logits, batch)
