"""Counterfactuals: the same faces with one attribute redrawn and all else bit-identical.

Redrawn means from the attribute's prior in the population, given that it changes: another value, or
a number from the other half. So a network that reads nothing but this attribute can be caught at
every counterfactual, and what changes no pixel (the color of eyes that are not there) is no
counterfactual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.seeds import uniforms
from lab.worlds.examples import Examples, examples_of
from lab.worlds.faces import ATTRIBUTES, PARTS, Faces, attribute, render
from lab.worlds.faces.batch import as_column
from lab.worlds.population import Population

SPLIT = "twins"
"""Faces that neither training nor the test set shows."""

MEMORY = 2**28
"""Bytes that the pictures of all counterfactuals may take: 64 faces up to 180 px, 8 at 512 px."""


@dataclass(frozen=True, kw_only=True)
class Counterfactuals:
    """P pictures, each a counterfactual of one of M examples.

    images: uint8 (P, 3, S, S). original: int64 (P,), the example. attribute: int64 (P,), the
    position in `attributes` of what was redrawn. changes_label: bool (P,), whether the
    counterfactual is of another class by the task's rule (not where it is of none: an eye color
    without eyes). The tensors live where the examples' do.
    """

    examples: Examples
    attributes: tuple[str, ...]
    images: Tensor
    original: Tensor
    attribute: Tensor
    changes_label: Tensor

    def __len__(self) -> int:
        return len(self.original)

    def informative(self, name: str) -> Tensor:
        """Positions (K,) of the counterfactuals that tell whether `name` is relied on as it should
        be.

        For what the label depends on, those whose label changes: every answer should change with
        it. For a nuisance all of them: no answer should.
        """
        mine = self.attribute == self.attributes.index(name)
        if name in self.examples.task.relevant:
            mine = mine & self.changes_label
        return mine.nonzero()[:, 0]


def draw_counterfactuals(
    population: Population,
    *,
    count: int,
    size: int,
    seed: int,
    device: str | torch.device = "cpu",
    attributes: Sequence[str] = tuple(ATTRIBUTES),
) -> Counterfactuals:
    """The counterfactuals of `count` new faces (`most_counterfactuals` at most), one for each
    attribute, as far as they look different."""
    count = min(count, most_counterfactuals(size, len(attributes)))
    faces = population.sample(count, seed=seed, split=SPLIT)
    examples = examples_of(population.task, faces, size=size, device=device)
    where = np.arange(count)
    changed = [redraw(population, faces, name, where, seed=seed) for name in attributes]
    everyone = Faces.cat(changed)  # (A M)
    images = render(everyone, size=size, device=device)
    original = torch.arange(count).repeat(len(attributes))
    attribute_of = torch.arange(len(attributes)).repeat_interleave(count)
    labels = population.task.label(everyone)
    changes = (labels != population.task.label(faces)[original]) & (labels >= 0)
    differs = (images != examples.images.repeat(len(attributes), 1, 1, 1)).flatten(1).any(dim=1)
    keep = differs.to(original.device)
    return Counterfactuals(
        examples=examples,
        attributes=tuple(attributes),
        images=images[differs],
        original=original[keep].to(device),
        attribute=attribute_of[keep].to(device),
        changes_label=changes[keep].to(device),
    )


def most_counterfactuals(size: int, attributes: int = len(ATTRIBUTES)) -> int:
    """How many faces of `size` px can have a counterfactual for each of so many attributes in
    `MEMORY`."""
    return max(1, MEMORY // (3 * size * size * attributes))


def fewer_counterfactuals(asked: int, *, size: int) -> list[str]:
    """A sentence if `draw_counterfactuals` makes counterfactuals of fewer faces than were `asked`
    for."""
    most = most_counterfactuals(size)
    if asked <= most:
        return []
    return [
        f"--counterfactuals {asked:,} is more than fit in memory at {size} px: reliance is measured"
        f" on {most:,} faces."
    ]


def redraw(
    population: Population,
    faces: Faces,
    name: str,
    indices: npt.NDArray[np.int64],
    *,
    seed: int,
    split: str = SPLIT,
) -> Faces:
    """The faces with attribute `name` redrawn so that it changes, where its prior has a choice.

    A cue takes one of its other values. `indices` (N,) are the faces' addresses in the stream.
    """
    row, old = attribute(name), faces.values[name]
    stream = (seed, split, "redraw", name)
    u, level = uniforms(indices, *stream), uniforms(indices, *stream, "level")
    cue = next((cue for cue in population.cues if cue.attribute == name), None)
    if cue is not None:
        says, classes = cue.says(faces), len(cue.options)
        step = 1 + torch.from_numpy((u * (classes - 1)).astype(np.int64))
        return faces.redrawn({name: cue.column((says + step) % classes, level)})
    now = row.option_of(old.numpy())
    mass = np.tile(row.mass(population.variation), (len(faces), 1))  # (N, K)
    mass[np.arange(len(faces)), now] = 0
    total = mass.sum(axis=1)
    ends = mass.cumsum(axis=1)
    option = (u[:, None] * total[:, None] >= ends).sum(axis=1).clip(0, mass.shape[1] - 1)
    column = as_column(row, row.within(option, level, variation=population.variation))
    return faces.redrawn({name: torch.where(torch.from_numpy(total > 0), column, old)})


def shows(population: Population, examples: Examples, name: str, *, seed: int) -> Tensor:
    """Which pictures (N,) bool, on the CPU, would look different if attribute `name` were another:
    the eye color of a face without eyes is not to be seen."""
    faces, size = examples.faces, examples.images.shape[-1]
    other = redraw(population, faces, name, np.arange(len(faces)), seed=seed, split="shows")
    step = max(1, MEMORY // (3 * size * size))
    seen = []
    for start in range(0, len(faces), step):
        rows = slice(start, start + step)
        images = render(other[rows], size=size, device=examples.images.device)
        seen.append((images != examples.images[rows]).flatten(1).any(dim=1).cpu())
    return torch.cat(seen)


SUBSETS = tuple(
    tuple(part for k, part in enumerate(PARTS) if number >> k & 1)
    for number in range(2 ** len(PARTS))
)
"""All sixteen sets of parts; position `number` holds part k where bit k of `number` is set."""


def with_parts(faces: Faces, parts: Sequence[str]) -> Faces:
    """The same faces as heads that have all of `parts`, in their places, and no other part."""
    whole = {part: int(attribute(part).values[-1]) if part in parts else 0 for part in PARTS}
    return faces.do(subject="head", arrangement="natural", **whole)
