"""One evaluation of one model, and the sets of examples that it is evaluated on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lab.measure import Predictions, predict
from lab.models import to_input
from lab.worlds import DrawnWorld, Examples, StoredWorld, World
from lab.worlds.association import copy_keys
from lab.worlds.cues import GroupedBy
from lab.worlds.groups import true_groups

Progress = Callable[[str, int, int], None]
"""Gets what is being done, how much of it is done, and how much there is."""

BATCH = 2**20
"""Pixels of a streamed split's pictures that are held at a time: those of 1,024 at 32 px."""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """What a model is fed of N examples: `model(to_input(stored))`.

    `stored` (N, …) is what `predict` takes; `model` is the one that was asked about, or a function
    of it where the examples are not stored as pictures. `batch_size` is how many it is fed at
    once, as `predict` has it.
    """

    model: nn.Module
    stored: Tensor
    to_input: Callable[[Tensor], Tensor] = to_input
    batch_size: int | None = None


class Split(Protocol):
    """A set of labeled examples to predict."""

    def predict(self, model: nn.Module) -> Predictions:
        """The model's predictions on all of them."""

    def feed(self, model: nn.Module, count: int) -> Feed:
        """What the model is fed of the first `count` of them, or all."""


class LoadedSplit:
    """A split that is held in memory; `on_cpu` are its examples as pictures are made of them.
    `copies` and `clusters` (N,) int64 are those of `Predictions`."""

    def __init__(
        self,
        name: str,
        examples: Examples,
        cues: Sequence[GroupedBy] = (),
        copies: Tensor | None = None,
        clusters: Tensor | None = None,
    ) -> None:
        self.name, self.examples = name, examples
        self.copies, self.clusters = copies, clusters
        self.on_cpu = examples.to("cpu")
        self.groups = true_groups(self.on_cpu, cues)

    def predict(self, model: nn.Module) -> Predictions:
        """The model's predictions on all of them."""
        found = predictions_on(
            self.name, predict(model, self.examples.images), self.on_cpu, self.groups
        )
        return replace(found, copies=self.copies, clusters=self.clusters)

    def first(self, count: int) -> Examples:
        """The first `count` of them, or all."""
        return self.examples.take(slice(0, count))

    def feed(self, model: nn.Module, count: int) -> Feed:
        """What the model is fed of the first `count` of them, or all."""
        return Feed(model=model, stored=self.examples.images[:count])


@dataclass(frozen=True, kw_only=True)
class StreamedSplit:
    """A world's split of any size, of which a part is held in memory at a time."""

    name: str
    world: World
    count: int
    progress: Progress = lambda what, done, total: None

    def predict(self, model: nn.Module) -> Predictions:
        """The model's predictions on all of them."""
        what, done, parts = f"{self.name} {self.world.noun}", 0, []
        self.progress(what, 0, self.count)
        batch = max(1, BATCH // self.world.data.image_size**2)
        same = CopyNumbers(self.world, self.name)
        for examples in self.world.batches(self.name, self.count, batch):
            part = LoadedSplit(self.name, examples, self.world.grouped_by).predict(model)
            parts.append(replace(part, copies=same.of(examples)))
            done += len(part)
            self.progress(what, done, self.count)
        found = Predictions.cat(parts)
        clusters = clusters_among(self.world, self.name, self.count)
        return replace(found, copies=found.copies if same.some else None, clusters=clusters)

    def feed(self, model: nn.Module, count: int) -> Feed:
        """What the model is fed of the first `count` of them, or all."""
        return Feed(model=model, stored=self.world.load(self.name, min(count, self.count)).images)


class Evaluation:
    """One evaluation of `model`: its predictions on each split, computed once, when first used."""

    def __init__(self, model: nn.Module, splits: Mapping[str, Split]) -> None:
        self.model, self.splits = model, splits
        self._predictions: dict[str, Predictions] = {}

    def on(self, split: str) -> Predictions:
        """The model's predictions on a split."""
        if split not in self._predictions:
            self._predictions[split] = self.splits[split].predict(self.model)
        return self._predictions[split]


def splits_of(
    world: World, *, test: Split, train: Examples | None = None, num_validation: int = 0
) -> dict[str, Split]:
    """The sets that a run's model is measured on: training and test set, validation, and where the
    world has cues or unseen combinations the test set once more, with nothing but those changed."""
    splits: dict[str, Split] = {}
    if train is not None:
        splits["train"] = loaded_split(world, "train", train)
    splits["test"] = test
    if isinstance(world, DrawnWorld):
        others = {}
        if world.cues:
            others["unbiased"] = world.unbiased()
            others["conflicting"] = world.conflicting()
        if world.population.unseen_combinations:
            others["unseen_combinations"] = world.combined()
        for name, other in others.items():
            examples = other.load("test", world.data.num_test)
            splits[name] = LoadedSplit(name, examples, world.grouped_by)
    if num_validation:
        splits["validation"] = loaded_split(
            world, "validation", world.load("validation", num_validation)
        )
    return splits


def loaded_split(world: World, split: str, examples: Examples) -> LoadedSplit:
    """The first examples of a world's split, with what is known of copies and clusters."""
    return LoadedSplit(
        split, examples, world.grouped_by, copies_among(world, split, examples),
        clusters_among(world, split, len(examples)),
    )  # fmt: skip


def clusters_among(world: World, split: str, count: int) -> Tensor | None:
    """The clusters of the first examples of a split, as `Predictions` has them."""
    return world.clusters_in(split, count) if isinstance(world, StoredWorld) else None


def copies_among(world: World, split: str, examples: Examples) -> Tensor | None:
    """A number for each of the first examples of a split (N,) int64, which copies have in common;
    None: none of them is a copy."""
    same = CopyNumbers(world, split)
    numbers = same.of(examples)
    return numbers if same.some else None


class CopyNumbers:
    """Which examples of a split are copies of each other: of drawn ones those with one address, of
    pictures from disk those with the same pixels and labels. `some`: whether any were met."""

    def __init__(self, world: World, split: str) -> None:
        self.some = False
        self._world, self._split, self._count = world, split, 0
        self._known: dict[tuple[bytes, int, int], int] = {}

    def of(self, examples: Examples) -> Tensor:
        """The numbers (N,) int64 of the next examples, which copies have in common."""
        start, stop = self._count, self._count + len(examples)
        self._count = stop
        if not isinstance(self._world, StoredWorld):
            addresses = self._world.addresses(self._split, len(examples), start=start)
            self.some = self.some or bool((addresses != np.arange(start, stop)).any())
            return torch.from_numpy(addresses)
        which = enumerate(copy_keys(examples), start)
        numbers = [self._known.setdefault(each, number) for number, each in which]
        self.some = self.some or len(self._known) < stop
        return torch.tensor(numbers, dtype=torch.int64)


def predictions_on(
    name: str, logits: Tensor, examples: Examples, groups: tuple[Tensor, tuple[str, ...]]
) -> Predictions:
    """Logits (N, C) on N examples of a split, with what is known of these; `groups` are positions
    (N,) and names."""
    return Predictions(
        split=name,
        logits=logits,
        labels=examples.labels,
        clean_labels=examples.clean_labels,
        classes=examples.classes,
        groups=groups[0],
        group_names=groups[1],
        subpopulations=examples.subpopulations,
        subpopulation_names=tuple(kind.name for kind in examples.all_subpopulations),
    )
