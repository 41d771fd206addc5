"""The user's examples as a world, and as the splits that the evaluators measure on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from lab.core.config import DataConfig
from lab.evaluators import LoadedSplit
from lab.evaluators.evaluation import Feed, predictions_on
from lab.measure import Predictions, predict
from lab.measure.predict import BATCH
from lab.watching.network import Change, Reader
from lab.watching.outputs import Forward, plain_forward
from lab.watching.sets import NAMED, MeasuredSet
from lab.watching.shown import Shown
from lab.worlds import Examples, Samples, World
from lab.worlds.tasks import Subpopulation


@dataclass(frozen=True, kw_only=True)
class WatchedWorld(World):
    """The examples of a watched run, by split: "train" and "test"."""

    data: DataConfig
    names: tuple[str, ...]
    sets: dict[str, Examples]
    digest: str
    called: str
    seed: int = 0
    device: str | torch.device = "cpu"

    @property
    def noun(self) -> str:
        """What they are called."""
        return self.called

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.names

    @property
    def subpopulations(self) -> tuple[Subpopulation, ...]:
        """As `subpopulations_of` has it."""
        return subpopulations_of(self.names)

    @property
    def version(self) -> str:
        """A digest of the inputs and labels, as watch-0123456789ab."""
        return f"watch-{self.digest}"

    def load(
        self,
        split: str,
        count: int,
        *,
        start: int = 0,
        keep: Tensor | None = None,
        online: bool = False,
    ) -> Examples:
        """The examples that are measured, as `World.load` says."""
        if split not in self.sets:
            raise ValueError(f"a watched run has the splits train and test, not {split!r}")
        examples = self.sets[split].take(slice(start, start + count))
        return examples if keep is None else examples.take(keep)


def subpopulations_of(classes: tuple[str, ...]) -> tuple[Subpopulation, ...]:
    """One subpopulation for each class, as long as there are few."""
    if len(classes) > NAMED:
        return ()
    return tuple(Subpopulation(name=name, label=label) for label, name in enumerate(classes))


def examples_of(chosen: MeasuredSet, clean_labels: Tensor, classes: tuple[str, ...]) -> Examples:
    """Examples as the lab's tables and pictures take them; black pixels where the inputs are no
    pictures."""
    images = chosen.thumbnails
    if images is None:
        images = torch.zeros(len(chosen), 3, 1, 1, dtype=torch.uint8)
    subpopulations = subpopulations_of(classes)
    return Examples(
        images=images,
        labels=chosen.labels,
        clean_labels=clean_labels,
        subpopulations=clean_labels if subpopulations else torch.zeros_like(clean_labels),
        classes=classes,
        all_subpopulations=subpopulations,
        samples=Samples({}, chosen.positions, schema={}),
    )


class WatchedSplit(LoadedSplit):
    """A split whose examples the network is fed as the user's training loop would feed it."""

    def __init__(
        self,
        name: str,
        examples: Examples,
        chosen: MeasuredSet,
        *,
        forward: Forward = plain_forward,
        change: Change | None = None,
        groups: tuple[Tensor, tuple[str, ...]] | None = None,
        count: int | None = None,
        shown: Shown | None = None,
        copies: Tensor | None = None,
        clusters: Tensor | None = None,
    ) -> None:
        first = slice(0, count)
        super().__init__(
            name,
            examples.take(first),
            copies=None if copies is None else copies[first],
            clusters=None if clusters is None else clusters[first],
        )
        self._chosen, self._forward, self._change = chosen, forward, change
        self._shown = shown
        if groups is not None:
            self.groups = groups

    def predict(self, model: nn.Module) -> Predictions:
        """The network's predictions on all of them. Of a network that got its shapes in the loop
        there may be more columns than classes are known: they are no class's."""
        fed = self.feed(model, len(self.examples))
        logits = predict(fed.model, fed.stored, to_input=fed.to_input, batch_size=fed.batch_size)
        found = predictions_on(self.name, logits, self.on_cpu, self.groups)
        known = len(found.classes)
        more = tuple(f"column {number}" for number in range(known, logits.shape[1]))
        return replace(
            found,
            classes=(*found.classes, *more),
            copies=self.copies,
            clusters=self.clusters,
        )

    def feed(self, model: nn.Module, count: int) -> Feed:
        """Positions, which a function of the network takes."""
        reader = Reader(
            model, self._chosen.inputs, forward=self._forward, change=self._change,
            shown=self._shown, batch=self._chosen.batch,
        )  # fmt: skip
        positions = torch.arange(min(count, len(self.examples)))
        batch = self._chosen.batch
        at_once = None if batch is None else max(1, BATCH // batch) * batch  # no parts of batches
        return Feed(model=reader, stored=positions, to_input=torch.clone, batch_size=at_once)
