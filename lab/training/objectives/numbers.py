"""What a trial of an objective knows of a run's training examples: numbers, names and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lab.training.batches import Batch, Groups

ROUNDING = 1e-4
"""Relative difference of two losses that counts as none."""


@dataclass(frozen=True)
class Numbering:
    """The numbers of a run's training examples, from 0: of the `count` of its training set, or of
    the `stream` of all that the steps of online training get (None: it is not online). `names` are
    those of the examples, as `ObjectiveSpec` has them, and `groups` those of the groups: for each
    class the same number, in the order of the classes; (): each class is one."""

    count: int
    stream: int | None = None
    names: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many numbers `batch.indices` may have, 1 or more: they are from 0 to below it."""
        return max(1, self.count if self.stream is None else self.stream)

    @property
    def told(self) -> str:
        """The last of them, in words."""
        if self.stream is None:
            return f"the last training example (number {self.total - 1:,} in batch.indices)"
        return (
            "the examples of the last step (with --online each step has new ones, up to number"
            f" {self.total - 1:,} in batch.indices)"
        )


def tried_groups(count: int, classes: int, names: Sequence[str]) -> Groups:
    """Groups with these names for a trial (each class as one, if there are none), with `count`
    examples among them, as evenly as may be."""
    names = tuple(names) if names and len(names) % classes == 0 else tuple(map(str, range(classes)))
    more = count % len(names)
    return Groups(names, tuple(count // len(names) + (k < more) for k in range(len(names))))


def in_groups(labels: Tensor, groups: Groups, classes: int) -> Tensor:
    """In which of them (N,) examples with these labels are: in those of their class in turn."""
    each = len(groups.names) // classes
    return labels * each + torch.arange(len(labels), device=labels.device) % each


class _Noted(tuple[str, ...]):
    """Names, and whether they were looked at."""

    used = False

    def __iter__(self) -> Iterator[str]:
        self.used = True
        return super().__iter__()

    def __getitem__(self, place: Any) -> Any:
        self.used = True
        return super().__getitem__(place)


def goes_by_numbers(
    ask: Callable[[Batch, Sequence[str]], Tensor], batch: Batch, names: Sequence[str]
) -> bool:
    """Whether an objective's first loss is another one for the same logits and labels of examples
    with other numbers, though it does not look at the `names` that these stand for; False where it
    cannot be asked. (What it keeps of each example in training is the same for all at first.)

    `ask` gives the first loss of a new objective for a batch, and for examples with these names.
    """
    if len(names) < 2:
        return False
    noted, losses = _Noted(names), []
    try:
        for shift in (0, len(names) // 2):
            indices = (batch.indices + shift) % len(names)
            losses.append(ask(replace(batch, indices=indices), noted).detach())
    except Exception:  # objectives are anybody's code, and this is for a warning only
        return False
    one, other = losses
    return not noted.used and not torch.allclose(
        one, other, rtol=ROUNDING, atol=ROUNDING, equal_nan=True
    )
