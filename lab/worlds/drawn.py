"""The drawn world: pictures from attributes, which can be intervened on one at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lab.core.config import DataConfig
from lab.worlds.cues import Cue
from lab.worlds.domain import Domain
from lab.worlds.examples import Examples
from lab.worlds.noise import Indices
from lab.worlds.planted import COPIED, HARD, OBSCURED, is_obscured, obscure, originals
from lab.worlds.population import Population, population_of
from lab.worlds.samples import Samples
from lab.worlds.splits import check_split
from lab.worlds.tasks import Subpopulation, Task
from lab.worlds.version import drawing_version
from lab.worlds.world import World, check_training_end


@dataclass(frozen=True, kw_only=True)
class DrawnWorld(World):
    """The pictures of a population, drawn on `device` at `data.image_size` px."""

    population: Population
    data: DataConfig
    seed: int
    device: str | torch.device = "cpu"

    @classmethod
    def of(cls, data: DataConfig, *, seed: int, device: str | torch.device = "cpu") -> DrawnWorld:
        """The world that data settings describe; `ValueError` in one line if they cannot work."""
        return cls(population=population_of(data), data=data, seed=seed, device=device)

    @property
    def domain(self) -> Domain:
        """The kind of drawing."""
        return self.population.domain

    @property
    def task(self) -> Task:
        """The task, which defines the labels."""
        return self.population.task

    @property
    def endless(self) -> bool:
        """A drawing has no end."""
        return True

    @property
    def noun(self) -> str:
        """What its pictures are called."""
        return self.domain.noun

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels."""
        return self.task.classes

    @property
    def subpopulations(self) -> tuple[Subpopulation, ...]:
        """The subpopulations, with their weights."""
        return self.task.subpopulations

    @property
    def relevant(self) -> tuple[str, ...]:
        """Attributes that the label depends on."""
        return self.task.relevant

    @property
    def nuisances(self) -> tuple[str, ...]:
        """All other attributes."""
        return self.task.nuisances

    @property
    def components(self) -> tuple[str, ...]:
        """Attributes (parts) whose presence the label depends on."""
        return self.task.components

    @property
    def cues(self) -> tuple[Cue, ...]:
        """Nuisances tied to the label."""
        return self.population.cues

    @property
    def version(self) -> str:
        """Of the drawing and the task, whatever the population, as shapes-0123456789ab."""
        return drawing_version(self.task.name, _load)

    def unbiased(self) -> DrawnWorld:
        """The same pictures, but with cues independent of the label."""
        return replace(self, population=self.population.unbiased())

    def conflicting(self) -> DrawnWorld:
        """The same pictures, but every cue contradicts the label."""
        return replace(self, population=self.population.conflicting())

    def combined(self) -> DrawnWorld:
        """The same pictures, but each shows one of the unseen combinations."""
        return replace(self, population=self.population.combined())

    def sample(self, count: int, *, split: str, start: int = 0) -> Samples:
        """What `load` draws, without the pictures."""
        if split == "train" and self.data.copies:
            indices = self.addresses(split, count, start=start)
            return self.population.sample_at(indices, seed=self.seed, split=split)
        return self.population.sample(count, seed=self.seed, split=split, start=start)

    def addresses(self, split: str, count: int, *, start: int = 0) -> Indices:
        """The numbers of examples, but a copy has that of what it is a copy of."""
        indices = super().addresses(split, count, start=start)
        if split == "train" and self.data.copies:
            return originals(indices, share=self.data.copies, seed=self.seed)
        return indices

    def own(self, split: str, count: int) -> Tensor:
        """Which of the first `count` examples are no copies of earlier ones: (N,) bool."""
        return torch.from_numpy(self.addresses(split, count) == np.arange(count))

    def planted(self, split: str, count: int) -> dict[str, Tensor]:
        """Copies, with what they are copies of, and pictures that are hard to see."""
        data, indices = self.data, self.addresses(split, count)
        found = {}
        if split == "train" and data.copies:
            found[COPIED] = torch.from_numpy(np.bincount(indices, minlength=count)[indices] > 1)
        if split in OBSCURED and data.obscured:
            hard = is_obscured(indices, share=data.obscured, seed=self.seed, split=split)
            found[HARD] = torch.from_numpy(hard)
        return found

    def render(self, samples: Samples, *, size: int | None = None) -> Tensor:
        """Their pictures (N, 3, S, S) uint8 on the world's device; None: the world's own size."""
        size = self.data.image_size if size is None else size
        return self.domain.render(samples, size=size, device=self.device)

    def examples(self, samples: Samples) -> Examples:
        """Samples with their pictures and true labels."""
        labels = self.task.label(samples).to(self.device)
        return Examples(
            samples=samples,
            images=self.render(samples),
            labels=labels,
            clean_labels=labels,
            subpopulations=self.task.subpopulation_of(samples).to(self.device),
            classes=self.classes,
            all_subpopulations=self.subpopulations,
        )

    def load(
        self,
        split: str,
        count: int,
        *,
        start: int = 0,
        keep: Tensor | None = None,
        online: bool = False,
    ) -> Examples:
        """The examples of a split, as `World.load` says."""
        check_split(split)
        if split == "train" and not online:
            check_training_end(self, start, count)
        if keep is not None:
            return self._draw(split, count, start, keep)
        data = self.data
        noise = (data.label_noise, data.label_noise_kind) if split == "train" else ()
        device = str(self.device)
        planted = data.copies, data.obscured
        key = (
            self.population, data.image_size, noise, planted, split, count, self.seed, device, start
        )  # fmt: skip
        examples = _memory.get(key)
        if examples is None:
            examples = self._draw(split, count, start)
            _memory.put(key, examples)
        return examples

    def _draw(self, split: str, count: int, start: int, keep: Tensor | None = None) -> Examples:
        samples = self.sample(count, split=split, start=start)
        labels = self.given_labels(self.task.label(samples), split, start=start)
        indices = self.addresses(split, count, start=start)
        if keep is not None:
            samples, labels, indices = samples.take(keep), labels[keep], indices[keep.cpu().numpy()]
        examples = replace(self.examples(samples), labels=labels.to(self.device))
        hard = is_obscured(indices, share=self.data.obscured, seed=self.seed, split=split)
        if not hard.any():
            return examples
        images = examples.images.clone()
        images[hard] = obscure(images[hard], indices[hard], seed=self.seed, split=split)
        return replace(examples, images=images)


def _load(data: DataConfig) -> Examples:
    """The training set of a run with seed 0."""
    return DrawnWorld.of(data, seed=0).load("train", data.num_train)


def remember(size: int) -> None:
    """Cache drawn examples from now on, least recently used ones removed first, up to `size` bytes
    of pictures. Cached tensors are returned as they are and must not be changed. 0 (the initial
    state): no cache."""
    _memory.size = size
    _memory.forget()


class _Memory:
    """Examples by what they were drawn from, bounded by the bytes of their pictures."""

    def __init__(self) -> None:
        self.size = 0
        self._known: OrderedDict[Hashable, Examples] = OrderedDict()

    def get(self, key: Hashable) -> Examples | None:
        """The examples, if they are known."""
        if key in self._known:
            self._known.move_to_end(key)
        return self._known.get(key)

    def put(self, key: Hashable, examples: Examples) -> None:
        """Keep the examples, if they are not too many, and forget those used longest ago."""
        if examples.images.nbytes <= self.size:
            self._known[key] = examples
            self.forget()

    def forget(self) -> None:
        """Forget those used longest ago, until the others fit."""
        while self._known and sum(e.images.nbytes for e in self._known.values()) > self.size:
            self._known.popitem(last=False)


_memory = _Memory()
