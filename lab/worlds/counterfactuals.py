"""Counterfactuals: the same samples with one attribute redrawn and all else bit-identical.

The attribute is redrawn from its prior in the population, given that it changes: another value, or
for a continuous attribute a number on the other side of the median. So the prediction of a network
that uses this attribute alone can change at every counterfactual. Redraws that change no pixel (the
color of a part that the face lacks) are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.seeds import uniforms
from lab.worlds.drawn import DrawnWorld
from lab.worlds.examples import Examples
from lab.worlds.population import Population
from lab.worlds.samples import Samples, as_column

SPLIT = "twins"
"""The split of the samples: disjoint from training and test set."""

MEMORY = 2**28
"""Bytes that the pictures of all counterfactuals may take: with forty attributes 64
samples up to 180 px, 8 at 512 px."""


@dataclass(frozen=True, kw_only=True)
class Counterfactuals:
    """P pictures, each a counterfactual of one of M examples.

    images: uint8 (P, 3, S, S). original: int64 (P,), the example. attribute: int64 (P,), the
    position in `attributes` of what was redrawn; `relevant`: those
    that the label depends on. changes_label: bool (P,), whether the
    counterfactual is of another class by the task's rule (not where it is of none). The tensors
    live where the examples' do.
    """

    examples: Examples
    attributes: tuple[str, ...]
    relevant: tuple[str, ...]
    images: Tensor
    original: Tensor
    attribute: Tensor
    changes_label: Tensor

    def __len__(self) -> int:
        return len(self.original)

    def informative(self, name: str) -> Tensor:
        """Positions (K,) of the counterfactuals from which the reliance on `name` is computed.

        For a relevant attribute those whose label changes: every prediction should change. For a
        nuisance all of them: no prediction should.
        """
        mine = self.attribute == self.attributes.index(name)
        if name in self.relevant:
            mine = mine & self.changes_label
        return mine.nonzero()[:, 0]


def draw_counterfactuals(
    world: DrawnWorld, *, count: int, attributes: Sequence[str] | None = None
) -> Counterfactuals:
    """The counterfactuals of `count` new samples (`most_counterfactuals` at most), one for each
    attribute (None: all of the schema), without those that change no pixel."""
    population, device, size = world.population, world.device, world.data.image_size
    attributes = tuple(world.domain.schema) if attributes is None else tuple(attributes)
    count = min(count, most_counterfactuals(size, len(attributes)))
    samples = world.sample(count, split=SPLIT)
    examples = world.examples(samples)
    where = np.arange(count)
    changed = [redraw(population, samples, name, where, seed=world.seed) for name in attributes]
    everyone = Samples.cat(changed)  # (A M)
    images = world.render(everyone)
    original = torch.arange(count).repeat(len(attributes))
    attribute_of = torch.arange(len(attributes)).repeat_interleave(count)
    labels = population.task.label(everyone)
    changes = (labels != population.task.label(samples)[original]) & (labels >= 0)
    differs = (images != examples.images.repeat(len(attributes), 1, 1, 1)).flatten(1).any(dim=1)
    keep = differs.to(original.device)
    return Counterfactuals(
        examples=examples,
        attributes=attributes,
        relevant=world.relevant,
        images=images[differs],
        original=original[keep].to(device),
        attribute=attribute_of[keep].to(device),
        changes_label=changes[keep].to(device),
    )


def most_counterfactuals(size: int, attributes: int) -> int:
    """How many samples of `size` px can have a counterfactual for each of so many attributes in
    `MEMORY`."""
    return max(1, MEMORY // (3 * size * size * attributes))


def fewer_counterfactuals(asked: int, world: DrawnWorld) -> list[str]:
    """A sentence if `draw_counterfactuals` makes counterfactuals of fewer samples than were `asked`
    for."""
    size = world.data.image_size
    most = most_counterfactuals(size, len(world.domain.schema))
    if asked <= most:
        return []
    return [
        f"--counterfactuals {asked:,} is more than fit in memory at {size} px: reliance is measured"
        f" on {most:,} {world.noun}."
    ]


def redraw(
    population: Population,
    samples: Samples,
    name: str,
    indices: npt.NDArray[np.int64],
    *,
    seed: int,
    split: str = SPLIT,
) -> Samples:
    """The samples with attribute `name` redrawn so that it changes, where its prior has a choice.

    A cue takes one of its other values. `indices` (N,) are the samples' addresses in the stream.
    """
    row, old = population.domain.schema[name], samples.values[name]
    stream = (seed, split, "redraw", name)
    u, level = uniforms(indices, *stream), uniforms(indices, *stream, "level")
    cue = next((cue for cue in population.cues if cue.attribute == name), None)
    if cue is not None:
        says, classes = cue.says(samples), len(cue.options)
        step = 1 + torch.from_numpy((u * (classes - 1)).astype(np.int64))
        return samples.redrawn({name: cue.column((says + step) % classes, level)})
    now = row.option_of(old.numpy())
    mass = np.tile(row.mass(population.variation), (len(samples), 1))  # (N, K)
    mass[np.arange(len(samples)), now] = 0
    total = mass.sum(axis=1)
    ends = mass.cumsum(axis=1)
    option = (u[:, None] * total[:, None] >= ends).sum(axis=1).clip(0, mass.shape[1] - 1)
    column = as_column(row, row.within(option, level, variation=population.variation))
    return samples.redrawn({name: torch.where(torch.from_numpy(total > 0), column, old)})


def shows(world: DrawnWorld, examples: Examples, name: str) -> Tensor:
    """Which pictures (N,) bool, on the CPU, would change if attribute `name` had another value: the
    color of an absent part is not visible."""
    samples, size = examples.samples, examples.images.shape[-1]
    where = np.arange(len(samples))
    other = redraw(world.population, samples, name, where, seed=world.seed, split="shows")
    step = max(1, MEMORY // (3 * size * size))
    seen = []
    for start in range(0, len(samples), step):
        rows = slice(start, start + step)
        images = world.render(other[rows], size=size)
        seen.append((images != examples.images[rows]).flatten(1).any(dim=1).cpu())
    return torch.cat(seen)
