"""Examples: faces with their pictures and labels, ready for training and measuring."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lab.core.config import DataConfig
from lab.worlds.faces import Faces, render
from lab.worlds.noise import corrupt
from lab.worlds.population import Population, population_of
from lab.worlds.splits import check_split
from lab.worlds.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Examples:
    """N labeled pictures. `faces` stay on the CPU; the tensors live on one device."""

    faces: Faces
    images: Tensor  # (N, 3, S, S) uint8
    labels: Tensor  # (N,) int64, as given to the network: label noise included
    clean_labels: Tensor  # (N,) int64, the truth
    subpopulations: Tensor  # (N,) int64, positions in task.subpopulations
    task: Task

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that the labels stand for."""
        return self.task.classes

    @property
    def mislabeled(self) -> Tensor:
        """Which labels (N,) are wrong."""
        return self.labels != self.clean_labels

    def take(self, index: slice | Tensor | Sequence[int]) -> "Examples":
        """The examples at `index`: a slice, a boolean mask (N,) or positions (M,)."""
        on_cpu = index.cpu() if isinstance(index, Tensor) else index
        there = index.to(self.labels.device) if isinstance(index, Tensor) else index
        return replace(
            self,
            faces=self.faces.take(on_cpu),
            images=self.images[there],
            labels=self.labels[there],
            clean_labels=self.clean_labels[there],
            subpopulations=self.subpopulations[there],
        )

    def to(self, device: str | torch.device) -> "Examples":
        """The same examples with their tensors on `device`."""
        return replace(
            self,
            images=self.images.to(device),
            labels=self.labels.to(device),
            clean_labels=self.clean_labels.to(device),
            subpopulations=self.subpopulations.to(device),
        )


def draw_examples(
    config: DataConfig,
    *,
    split: str,
    count: int,
    seed: int,
    device: str | torch.device = "cpu",
    start: int = 0,
    keep: Tensor | None = None,
    population: Population | None = None,
    online: bool = False,
) -> Examples:
    """The `count` examples of a split from number `start` on, pictures drawn on `device`.

    `split` is one of `lab.worlds.SPLITS`, above all "train", "validation" and "test". The training
    set ends at `config.num_train`; with `online` it goes on without end, as a run with --online has
    it. Every other split has no end. `keep` (M,) are positions among the examples: only these are
    drawn and returned. None: all. Label noise is for the split "train"; every other split has clean
    labels. `population` is the one that `config` describes, or another: unbiased, conflicting.
    Raises `ValueError` for another split's name, and for training faces beyond the last.
    """
    check_split(split)
    if split == "train" and not online and start + count > config.num_train:
        raise ValueError(
            f"the training set has {config.num_train:,} faces (num_train), {start + count:,} were"
            " asked for: raise num_train, or say online=True for the faces that come after them"
        )
    population = population or population_of(config)
    if keep is not None:
        return _draw(config, population, split, count, seed, device, start, keep)
    noise = (config.label_noise, config.label_noise_kind) if split == "train" else ()
    key = (population, config.image_size, noise, split, count, seed, str(device), start)
    examples = _memory.get(key)
    if examples is None:
        examples = _draw(config, population, split, count, seed, device, start)
        _memory.put(key, examples)
    return examples


def remember(size: int) -> None:
    """Keep drawn examples from now on, the last ones used, up to `size` bytes of pictures: whoever
    draws the same ones again gets them, and must not change them. 0: none, as it is at first."""
    _memory.size = size
    _memory.forget()


def _draw(
    config: DataConfig,
    population: Population,
    split: str,
    count: int,
    seed: int,
    device: str | torch.device,
    start: int,
    keep: Tensor | None = None,
) -> Examples:
    task = population.task
    faces = population.sample(count, seed=seed, split=split, start=start)
    clean = task.label(faces)
    labels = corrupt(
        clean,
        share=config.label_noise if split == "train" else 0.0,
        kind=config.label_noise_kind,
        classes=len(task.classes),
        seed=seed,
        split=split,
        start=start,
    )
    if keep is not None:
        faces, labels = faces.take(keep), labels[keep]
    examples = examples_of(task, faces, size=config.image_size, device=device)
    return replace(examples, labels=labels.to(device))


def examples_of(
    task: Task, faces: Faces, *, size: int, device: str | torch.device = "cpu"
) -> Examples:
    """Faces drawn at `size` px on `device`, with their true labels."""
    labels = task.label(faces).to(device)
    return Examples(
        faces=faces,
        images=render(faces, size=size, device=device),
        labels=labels,
        clean_labels=labels,
        subpopulations=task.subpopulation_of(faces).to(device),
        task=task,
    )


def draw_batches(
    config: DataConfig, *, split: str, count: int, seed: int, batch: int | None = None
) -> Iterator[Examples]:
    """The examples of `draw_examples`, `batch` at a time, for sets that do not fit in memory.

    None: as many as have a million pixels (1024 at 32 px). Raises `ValueError` as `draw_examples`
    does.
    """
    if batch is None:
        batch = max(1, 2**20 // config.image_size**2)
    if batch < 1:
        raise ValueError(f"a batch has 1 example or more, not {batch}")
    for start in range(0, count, batch):
        size = min(batch, count - start)
        yield draw_examples(config, split=split, count=size, seed=seed, start=start)


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
