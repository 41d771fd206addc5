"""Counterfactual pairs: training examples of two classes that differ in one relevant attribute.

Counterfactually augmented training data (Kaushik et al., "Learning the difference that makes a
difference with counterfactually-augmented data", ICLR 2020): a person and, in the same batch, the
same face without its nose. What both pictures show cannot tell their labels apart, so that the
gradient of a pair is about the one thing that does. A network gets pictures and labels as always,
and is not told which examples are pairs, nor what differs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from lab.core.seeds import Indices, uniforms
from lab.worlds.counterfactuals import redraw
from lab.worlds.drawn import DrawnWorld
from lab.worlds.examples import Examples
from lab.worlds.samples import Samples
from lab.worlds.unseen_combinations import avoid

STREAM = "pairs"
"""The name of the random streams that decide on pairs."""

ATTEMPTS = 20
"""Redraws of one attribute until the class is the wanted one; without success the example stays as
it is. A face that is a person becomes none at the first one."""


def load_pairs(
    world: DrawnWorld, count: int, *, start: int, share: float, keep: Tensor | None = None
) -> Examples:
    """The training examples that `world.load("train", count, start=start, keep=keep, online=True)`
    gives, of which a `share` of the pairs (of the K-tuples, for K classes) are counterfactual.

    Addresses n·K to n·K + K - 1 hold an example of each class. Of a pair that is chosen, the last
    class's example stays, and the others become the same picture with one relevant attribute
    redrawn, so that each keeps its class. Cues keep the values that they had, and so their
    strength. Example i is a pure function of the same address as without pairs.
    """
    samples = _sample(world, count, start=start, share=share)
    labels = world.given_labels(world.task.label(samples), "train", start=start)
    if keep is not None:
        samples, labels = samples.take(keep), labels[keep]
    return replace(world.examples(samples), labels=labels.to(world.device))


def replaced(world: DrawnWorld, count: int, *, share: float) -> int:
    """How many of the first `count` training examples have a counterfactual in their place."""
    plain, paired = world.sample(count, split="train"), _sample(world, count, start=0, share=share)
    return int((plain.identity != paired.identity).sum())


def _sample(world: DrawnWorld, count: int, *, start: int, share: float) -> Samples:
    classes = len(world.classes)
    first, last = start // classes * classes, -(-(start + count) // classes) * classes
    samples = world.sample(last - first, split="train", start=first)
    samples = _paired(world, samples, np.arange(first, last), share)
    return samples[start - first : start - first + count]


def _paired(world: DrawnWorld, samples: Samples, indices: Indices, share: float) -> Samples:
    """Whole tuples of samples with the addresses `indices` (N,), a share of them counterfactual."""
    classes = len(world.classes)
    labels = world.task.label(samples)
    order = labels.view(-1, classes).argsort(dim=1) + torch.arange(0, len(labels), classes)[:, None]
    chosen = torch.from_numpy(uniforms(indices[::classes], world.seed, STREAM, "share") < share)
    for label in range(classes - 1):
        members = order[chosen, label]
        anchors = samples.take(order[chosen, -1])
        kept = {cue.attribute: samples[cue.attribute][members] for cue in world.cues}
        changed, found = _changed(world, anchors.redrawn(kept), indices[members.numpy()], label)
        samples = _put(samples, members[found], changed.take(found))
    population = world.population
    if not population.unseen_combinations:
        return samples
    return avoid(
        population.unseen_combinations, samples, indices, seed=world.seed, split=STREAM,
        variation=population.variation,
    )  # fmt: skip


def _changed(
    world: DrawnWorld, samples: Samples, indices: Indices, label: int
) -> tuple[Samples, Tensor]:
    """The samples, each with one relevant attribute redrawn so that its class is `label` and its
    subpopulation one of the world's; and for which (N,) that was found."""
    task, population = world.task, world.population
    names = [name for name in world.relevant if name not in population.always]
    possible = torch.tensor(
        [kind.weight > 0 and kind.label == label for kind in world.subpopulations]
    )
    found = torch.zeros(len(samples), dtype=torch.bool)
    for attempt in range(ATTEMPTS if names else 0):
        rest = (~found).nonzero()[:, 0]
        if len(rest) == 0:
            break
        where, tried = indices[rest.numpy()], samples.take(rest)
        which = uniforms(where, world.seed, STREAM, "attribute", attempt) * len(names)
        columns = {}
        for number, name in enumerate(names):
            mine = torch.from_numpy(which.astype(np.int64) == number)
            other = redraw(
                population, tried, name, where, seed=world.seed, split=f"{STREAM} {attempt}"
            )
            columns[name] = torch.where(mine, other[name], tried[name])
        tried = tried.redrawn(columns)
        subpopulations = task.subpopulation_of(tried)
        hit = (subpopulations >= 0) & possible[subpopulations.clamp(min=0)]
        samples = _put(samples, rest[hit], tried.take(hit))
        found[rest[hit]] = True
    return samples, found


def _put(samples: Samples, places: Tensor, others: Samples) -> Samples:
    """The samples with `others` at `places` (M,)."""
    values = {
        name: column.index_copy(0, places, others.values[name])
        for name, column in samples.values.items()
    }
    return replace(
        samples, values=values, identity=samples.identity.index_copy(0, places, others.identity)
    )
