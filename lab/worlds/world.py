"""The world: a source of labeled pictures, bound to a run's data settings, seed and device.

Every world loads examples of a split. A world that is drawn (`lab.worlds.drawn.DrawnWorld`) also
has the attributes of each picture, and can intervene on them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from lab.core.config import DataConfig
from lab.worlds.cues import Cue, GroupedBy
from lab.worlds.examples import Examples
from lab.worlds.noise import Indices, corrupt
from lab.worlds.tasks import Subpopulation


class World(ABC):
    """Labeled pictures by split and number.

    Example i of a split is the same whatever else is loaded; training sets nest in their size, and
    no two splits share a picture.
    """

    data: DataConfig
    """The settings, with the numbers of pictures that there are."""
    seed: int
    device: str | torch.device
    """Where examples are put."""

    @property
    @abstractmethod
    def noun(self) -> str:
        """The plural noun for its pictures in messages."""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """The names that the labels stand for."""

    @property
    @abstractmethod
    def subpopulations(self) -> tuple[Subpopulation, ...]:
        """The subpopulations that the classes are made of."""

    @property
    def endless(self) -> bool:
        """Whether it has unlimited examples, as online training needs."""
        return False

    @property
    def relevant(self) -> tuple[str, ...]:
        """Attributes that the label depends on; (): not known."""
        return ()

    @property
    def nuisances(self) -> tuple[str, ...]:
        """All other attributes."""
        return ()

    @property
    def components(self) -> tuple[str, ...]:
        """Attributes (parts) whose presence the label depends on."""
        return ()

    @property
    def cues(self) -> tuple[Cue, ...]:
        """Nuisances tied to the label."""
        return ()

    @property
    def grouped_by(self) -> Sequence[GroupedBy]:
        """What the groups are formed by, with the class; (): each class is a group."""
        return self.cues

    def names_of(self, split: str, count: int) -> tuple[str, ...]:
        """The names of the first `count` examples of a split, such as files; (): they have none."""
        return ()

    @property
    @abstractmethod
    def version(self) -> str:
        """A name that changes with the pictures or labels: what a run was trained on."""

    @abstractmethod
    def load(
        self,
        split: str,
        count: int,
        *,
        start: int = 0,
        keep: Tensor | None = None,
        online: bool = False,
    ) -> Examples:
        """The `count` examples of a split from number `start` on.

        `split` is one of `lab.worlds.SPLITS`, above all "train", "validation" and "test". The
        training set ends at `data.num_train`; with `online` it goes on without end, where the world
        is `endless`. `keep` (M,) are positions among the examples: only these are loaded and
        returned. None: all. Label noise is for the split "train"; every other split has clean
        labels. Raises `ValueError` for another split's name, and beyond the last example.
        """

    def given_labels(self, clean: Tensor, split: str, *, start: int) -> Tensor:
        """The labels (N,) that the examples of a split from number `start` on are given: of the
        training set some of the true ones, `clean`, are corrupted, as the settings say."""
        return corrupt(
            clean,
            share=self.data.label_noise if split == "train" else 0.0,
            kind=self.data.label_noise_kind,
            classes=len(self.classes),
            seed=self.seed,
            split=split,
            indices=self.addresses(split, len(clean), start=start),
        )

    def addresses(self, split: str, count: int, *, start: int = 0) -> Indices:
        """What the `count` examples of a split from number `start` on (N,) are functions of: their
        numbers, but a copy has the number of what it is a copy of."""
        return np.arange(start, start + count)

    def planted(self, split: str, count: int) -> dict[str, Tensor]:
        """Which of the first `count` examples of a split (N,) bool were made to be memorized or
        not, by what `lab.worlds.planted` calls them; only what there can be."""
        return {}

    def batches(self, split: str, count: int, batch: int | None = None) -> Iterator[Examples]:
        """The examples of `load`, `batch` at a time, for sets that do not fit in memory.

        None: as many as have a million pixels (1024 at 32 px). Raises `ValueError` as `load` does.
        """
        if batch is None:
            batch = max(1, 2**20 // self.data.image_size**2)
        if batch < 1:
            raise ValueError(f"a batch has 1 example or more, not {batch}")
        for start in range(0, count, batch):
            yield self.load(split, min(batch, count - start), start=start)

    def available(self, split: str) -> int | None:
        """How many examples a split has; None: no end."""
        return None

    def doubts(self) -> list[str]:
        """Warnings about the pictures, a sentence each; usually none."""
        return []


def check_training_end(world: World, start: int, count: int) -> None:
    """Raise `ValueError` if training examples beyond the last are asked for."""
    end = world.data.num_train
    if start + count > end:
        raise ValueError(
            f"the training set has {end:,} {world.noun} (num_train), {start + count:,} were asked"
            " for: raise num_train"
            + (", or say online=True for those that come after them" if world.endless else "")
        )
