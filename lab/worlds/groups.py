"""Groups (class × values of cues or of columns), and the strength of each cue as drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.core.estimate import Estimate, wilson
from lab.worlds.counterfactuals import shows
from lab.worlds.cues import Cue, GroupedBy
from lab.worlds.drawn import DrawnWorld
from lab.worlds.examples import Examples
from lab.worlds.marks import is_of_clusters
from lab.worlds.set_names import is_of_sets
from lab.worlds.stored import StoredWorld
from lab.worlds.world import World

OF_CLUSTERS = 0.8
"""Share of the examples that have the value which is most frequent in their cluster, from which on
a column is one of clusters."""

SHUFFLES = 400
"""Random assignments of a column's values to examples, with which it is compared."""


def are_kinds(columns: Sequence[GroupedBy], pictures: int) -> bool:
    """Whether the values that columns have for all `pictures` that there are, are kinds, such as
    sites or cameras, and not clusters, such as patients, whose pictures should all be in one set,
    or names of the sets themselves."""
    return bool(columns) and not any(
        is_of_sets(each.attribute, each.words)
        or is_of_clusters(each.attribute, each.words, pictures)
        for each in columns
    )


def groups_are_kinds(world: World) -> bool:
    """Whether the groups of a world are such kinds, however many of its pictures are used."""
    whole = world.whole if isinstance(world, StoredWorld) else ()
    return are_kinds(world.grouped_by, sum(map(len, whole)))


@dataclass(frozen=True)
class MeasuredCue:
    """A cue, the share of pictures that show it, and its strength among those, as drawn."""

    cue: Cue
    shown: Estimate
    strength: Estimate


def measured(
    world: DrawnWorld, examples: Examples, *, own: Tensor | None = None
) -> list[MeasuredCue]:
    """Each cue's strength in the examples: among the pictures that show it (Wilson's interval, of
    the examples that are `own` (N,) bool: no copies of others; None: all)."""
    result = []
    labels = examples.clean_labels.cpu()
    own = torch.ones(len(examples), dtype=torch.bool) if own is None else own
    for cue in world.cues:
        visible = shows(world, examples, cue.attribute)
        agrees = (cue.says(examples.samples) == labels) & visible
        shown = wilson(int(visible.sum()), len(examples))
        strength = wilson(int(agrees.sum()), int(visible.sum()))
        alone = wilson(int((visible & own).sum()), int(own.sum()))
        agreeing = wilson(int((agrees & own).sum()), int((visible & own).sum()))
        result.append(
            MeasuredCue(
                cue=cue,
                shown=shown.with_interval_of(alone),
                strength=strength.with_interval_of(agreeing),
            )
        )
    return result


def told_by(column: GroupedBy, examples: Examples, clusters: Tensor | None = None) -> Estimate:
    """The share of examples whose class is the most frequent one among those with their value of
    the column (Wilson's interval; none of `clusters` (N,) of examples that belong together): what
    the column alone says about the label."""
    labels = examples.clean_labels.cpu()
    counts = torch.zeros(len(column.words), len(examples.classes), dtype=torch.int64)
    counts.index_put_(
        (column.says(examples.samples), labels), torch.ones_like(labels), accumulate=True
    )
    found = wilson(int(counts.amax(dim=1).sum()), len(examples))
    return found if clusters is None else Estimate.point(found.value, count=found.count)


def told_by_chance(
    column: GroupedBy, examples: Examples, clusters: Tensor | None = None
) -> Estimate:
    """What `told_by` would be on the mean if the column had nothing to do with the class, each with
    the frequencies that it has: its interval holds 95 % of `SHUFFLES` random assignments, of values
    to examples, or to `clusters` (N,) where hardly any have several values.

    It is the share of the most frequent class, or more where the values are many or rare.
    """
    labels = examples.clean_labels.cpu()
    classes = np.bincount(labels.numpy(), minlength=len(examples.classes))
    values = np.bincount(column.says(examples.samples).numpy(), minlength=len(column.words))
    random = np.random.default_rng(0)
    found = np.zeros(SHUFFLES)
    if (own := _of_clusters(column, examples, clusters)) is not None:
        value, place = own
        every = column.says(examples.samples).numpy()
        others = every[
            value[place] != every
        ]  # which few examples have beside that of their cluster
        for number in range(SHUFFLES):
            drawn = random.permutation(value)[place]
            drawn[random.permutation(len(drawn))[: len(others)]] = random.permutation(others)
            table = np.zeros((len(column.words), len(classes)), dtype=np.int64)
            np.add.at(table, (drawn, labels.numpy()), 1)
            found[number] = table.max(axis=1).sum()
        return _chance(found, len(labels))
    for number in range(SHUFFLES):
        left = classes.copy()
        for count in values:
            drawn = random.multivariate_hypergeometric(left, count)
            found[number] += drawn.max()
            left -= drawn
    return _chance(found, len(labels))


def _of_clusters(
    column: GroupedBy, examples: Examples, clusters: Tensor | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """The column's most frequent value of each cluster, and the place among these of each example;
    None: there are no clusters, or fewer than `OF_CLUSTERS` of the examples have theirs."""
    if clusters is None:
        return None
    numbers, place = np.unique(clusters.numpy(), return_inverse=True)
    values = column.says(examples.samples).numpy()
    counts = np.zeros((len(numbers), len(column.words)), dtype=np.int64)
    np.add.at(counts, (place, values), 1)
    usual: npt.NDArray[np.int64] = counts.argmax(axis=1)
    return (usual, place) if (usual[place] == values).mean() >= OF_CLUSTERS else None


def _chance(found: npt.NDArray[np.float64], count: int) -> Estimate:
    """The mean of numbers by random assignments, of so many, and the interval that holds 95 % of
    them, as shares."""
    low, high = np.quantile(found, [0.025, 0.975])
    mean = found.mean()
    value, down, up = (float(n) / count for n in (mean, min(low, mean), max(high, mean)))
    return Estimate(value, down, up, count)


def groups(examples: Examples, cues: Sequence[GroupedBy]) -> dict[str, Tensor]:
    """The groups by true class and cue values: name -> members (N,) bool on the CPU, empty groups
    included. An example whose cue has a value of no class is in none."""
    index, names = true_groups(examples, cues)
    return {name: index == place for place, name in enumerate(names)}


def true_groups(examples: Examples, cues: Sequence[GroupedBy]) -> tuple[Tensor, tuple[str, ...]]:
    """Each example's group by its true class and its values of the cues: positions (N,) int64 on
    the CPU, -1 if a cue has a value of no class, and the groups' names."""
    index = _positions(examples, examples.clean_labels, cues)
    return index, group_names(examples.classes, cues)


def group_names(classes: Sequence[str], cues: Sequence[GroupedBy]) -> tuple[str, ...]:
    """The names of all groups, such as "person,eye_color=blue": classes in order, and for each
    class all combinations of the cues' values, the last cue's fastest."""
    names = []
    for name in classes:
        for values in product(*(range(len(cue.words)) for cue in cues)):
            words = [f"{c.attribute}={c.words[v]}" for c, v in zip(cues, values, strict=True)]
            names.append(",".join(["_".join(name.split()), *words]))
    return tuple(names)


def group_index(examples: Examples, cues: Sequence[GroupedBy]) -> tuple[Tensor, tuple[str, ...]]:
    """Each example's group for training: positions (N,) int64 on the CPU, and the groups' names.

    A group is a class by the *given* label (with label noise not the true one, which an objective
    must not know) times the values of the cues; without cues each class is one. Raises
    `ValueError` if a cue has a value that stands for no class.
    """
    index = _positions(examples, examples.labels, cues)
    if bool((index < 0).any()):
        raise ValueError(
            f"{int((index < 0).sum())} of {len(examples)} examples are in no group: their values of"
            f" {', '.join(cue.attribute for cue in cues)} stand for no class"
        )
    return index, group_names(examples.classes, cues)


def _positions(examples: Examples, labels: Tensor, cues: Sequence[GroupedBy]) -> Tensor:
    """Positions (N,) int64 in `group_names`, on the CPU; -1 if a cue has a value of no class."""
    index, none = labels.cpu(), torch.zeros(len(examples), dtype=torch.bool)
    for cue in cues:
        value = cue.says(examples.samples)
        index = index * len(cue.words) + value
        none |= value < 0
    return index.masked_fill(none, -1)


def group_counts(examples: Examples, cues: Sequence[GroupedBy]) -> dict[str, int]:
    """How many of the examples each group has, by their true labels."""
    return {name: int(members.sum()) for name, members in groups(examples, cues).items()}


def given_group_counts(examples: Examples, cues: Sequence[GroupedBy]) -> dict[str, int]:
    """How many of the examples each group for training has, by their given labels."""
    index, names = _positions(examples, examples.labels, cues), group_names(examples.classes, cues)
    counts = torch.bincount(index[index >= 0], minlength=len(names)).tolist()
    return dict(zip(names, counts, strict=True))
