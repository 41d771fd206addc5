"""A model's predictions on one set of examples, as plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lab.measure.given import Given, as_labels, as_tensor

TENSORS = ("logits", "labels", "clean_labels", "groups", "subpopulations")
"""The fields that have a row for each example."""

NOTED = ("copies", "clusters")
"""Those that have one if something is known."""


def check_logits(logits: Tensor) -> None:
    """Raise `ValueError` if logits are not (N, C) with two classes or more: of a single column
    every prediction would be the same."""
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(
            f"logits must be (N, C) with C of 2 or more, not {tuple(logits.shape)}: where a network"
            " returns one logit z (N,) of two classes, give torch.stack([0 * z, z], 1)"
        )
    if logits.dtype == torch.bool or logits.is_complex():
        raise ValueError(f"logits must be real numbers, not {logits.dtype}")


def check_labels(logits: Tensor, labels: Tensor) -> None:
    """Raise `ValueError` if there is not one label for each row of the logits (N, C), or one that
    is none of their columns: it would be broadcast, or count as a wrong prediction."""
    check_logits(logits)
    if logits.shape[:-1] != labels.shape:
        raise ValueError(f"{tuple(labels.shape)} labels for {tuple(logits.shape)} logits")
    if not len(labels):
        return
    least, most, classes = int(labels.min()), int(labels.max()), logits.shape[1]
    if least < 0 or most >= classes:
        raise ValueError(
            f"labels must be from 0 to {classes - 1}, the columns of the logits, not from {least}"
            f" to {most}"
        )


def with_labels(logits: Given, labels: Given) -> tuple[Tensor, Tensor]:
    """Logits (N, C) and labels (N,) int64 as tensors; `ValueError` as `check_labels` raises it, or
    for labels that are no whole numbers."""
    logits, labels = as_tensor(logits, "logits"), as_labels(labels, "labels")
    check_labels(logits, labels)
    return logits, labels


def right(logits: Given, labels: Given) -> Tensor:
    """Which predictions (N,) are right: the largest of the logits (N, C) is the label's (N,). With
    NaN among its logits a prediction is wrong. `ValueError` as `with_labels` raises it."""
    logits, labels = with_labels(logits, labels)
    return (logits.argmax(dim=1) == labels) & ~logits.isnan().any(dim=1)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions on the N examples of a split, everything on the CPU. Examples are in the order in
    which a run takes them, which is none of files.

    Args:
        split: the name of the set: train, test, validation, unbiased, conflicting,
            unseen_combinations.
        logits: float32 (N, C).
        labels: int64 (N,), as the model is trained or tested with; with label noise some of the
            training set's are wrong.
        clean_labels: int64 (N,), the truth.
        classes: the C names that labels stand for.
        groups: int64 (N,), positions in `group_names`: true class × values of the cues; -1 where a
            cue has a value of no class. Without cues each class is a group.
        subpopulations: int64 (N,), positions in `subpopulation_names`.
        copies: int64 (N,), the same number for examples that are copies of each other; None: none
            are. Values are those of all examples, intervals those of the `different` ones.
        clusters: int64 (N,), the same number for examples that belong together, as pictures of one
            patient, in all splits; None: each is independent of the others. Intervals are then
            those of independent clusters.
    """

    split: str
    logits: Tensor
    labels: Tensor
    clean_labels: Tensor
    classes: tuple[str, ...]
    groups: Tensor
    group_names: tuple[str, ...]
    subpopulations: Tensor
    subpopulation_names: tuple[str, ...]
    copies: Tensor | None = None
    clusters: Tensor | None = None

    @classmethod
    def of(
        cls,
        logits: Given,
        labels: Given,
        *,
        clean_labels: Given | None = None,
        classes: tuple[str, ...] | None = None,
        split: str = "test",
    ) -> Predictions:
        """Predictions of any model on examples of which no more is known: each class is a group,
        and all examples are one subpopulation. `ValueError` for labels or classes that are not
        those of the logits."""
        logits, labels = with_labels(logits, labels)
        names = classes or tuple(map(str, range(logits.shape[1])))
        if len(names) != logits.shape[1]:
            raise ValueError(f"{len(names)} classes for {tuple(logits.shape)} logits")
        clean = labels if clean_labels is None else true_labels(labels, clean_labels)
        return cls(
            split=split, logits=logits, labels=labels, clean_labels=clean, classes=names,
            groups=clean, group_names=names, subpopulations=torch.zeros_like(labels),
            subpopulation_names=("all",),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def cat(cls, parts: Sequence[Predictions]) -> Predictions:
        """The predictions on several parts of one split, one part after the other; which are copies
        or in clusters must not be noted of some parts alone."""
        whole: dict[str, Any] = {
            name: torch.cat([getattr(part, name) for part in parts]) for name in TENSORS
        }
        for name in NOTED:
            noted = [each for part in parts if (each := getattr(part, name)) is not None]
            if noted and len(noted) < len(parts):
                raise ValueError(f"{name} are noted of {len(noted)} of {len(parts)} parts only")
            whole[name] = torch.cat(noted) if noted else None
        return replace(parts[0], **whole)

    def copied(self) -> Predictions:
        """The same with tensors of its own, for code that may write into them."""
        return self._with(Tensor.clone)

    def where(self, chosen: Tensor) -> Predictions:
        """The same of the examples for which `chosen` (N,) bool is true."""
        return self._with(lambda tensor: tensor[chosen])

    def different(self) -> Predictions:
        """The same of the first one of all that are copies of each other."""
        if self.copies is None:
            return self
        first: dict[int, int] = {}
        for place, number in enumerate(self.copies.tolist()):
            first.setdefault(number, place)
        kept = torch.tensor(list(first.values()), dtype=torch.int64)
        return replace(self._with(lambda tensor: tensor[kept]), copies=None)

    def independent(self, first: Tensor | None = None) -> Predictions:
        """The same of examples that are surely independent: the first one of each cluster, and of
        all that are copies of each other; with `first`, (N,) bool, those before the others."""
        ordered = self
        if first is not None:
            order = (~first).long().argsort(stable=True)
            ordered = self._with(lambda tensor: tensor[order])
        found = ordered.different()
        if found.clusters is None:
            return found
        return replace(found, copies=found.clusters).different()

    def _with(self, change: Callable[[Tensor], Tensor]) -> Predictions:
        """The same with each tensor as `change` makes it."""
        tensors = {name: getattr(self, name) for name in (*TENSORS, *NOTED)}
        own: dict[str, Any] = {
            name: change(each) for name, each in tensors.items() if each is not None
        }
        return replace(self, **own)

    @property
    def probabilities(self) -> Tensor:
        """Softmax of the logits (N, C), float64."""
        return self.logits.double().softmax(dim=1)

    @property
    def predicted(self) -> Tensor:
        """The most probable class (N,)."""
        return self.logits.argmax(dim=1)

    @property
    def right(self) -> Tensor:
        """Which predictions (N,) are right by the given labels, as `right` has it."""
        return right(self.logits, self.labels)

    @property
    def not_finite(self) -> Tensor:
        """Of which examples (N,) a logit is not finite."""
        return ~self.logits.isfinite().all(dim=1)

    @property
    def mislabeled(self) -> Tensor:
        """Which given labels (N,) are not the truth."""
        return self.labels != self.clean_labels


def true_labels(labels: Tensor, clean_labels: Given) -> Tensor:
    """True labels (N,) int64 beside the given ones; `ValueError` if there are not as many."""
    clean = as_labels(clean_labels, "true labels")
    if clean.shape != labels.shape:
        raise ValueError(f"{tuple(clean.shape)} true labels for {tuple(labels.shape)} labels")
    return clean


def log_odds(logits: Tensor, classes: Tensor) -> Tensor:
    """log(p / (1 - p)) (N,) float64 of the given `classes` (N,) under logits (N, C).

    With two classes it is the difference of the two logits.
    """
    logits, column = logits.double(), classes[:, None]
    one = logits.gather(1, column)[:, 0]
    others = logits.scatter(1, column, -torch.inf).logsumexp(dim=1)
    return one - others
