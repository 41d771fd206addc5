"""Tasks: functions from attributes to labels, which divide attributes into relevant ones and
nuisances.

A task is one entry in the module of its drawing. A task about a single attribute is one call of
`value_task` or `median_task`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from lab.core.text import unknown
from lab.worlds.domain import Domain
from lab.worlds.samples import Samples
from lab.worlds.schema import find


@dataclass(frozen=True, kw_only=True)
class Subpopulation:
    """A kind of picture within a class."""

    name: str
    label: int
    weight: float = 1.0
    """Its share of the examples with this label, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A function from samples of a domain to labels, and the subpopulations that are drawn.

    `subpopulation_of` gives each sample's position in `subpopulations`, or -1 for mixes that are
    not drawn; it may read the `relevant` attributes only. `otherwise` is the label of such mixes;
    -1: there is none.
    """

    domain: Domain
    name: str
    meaning: str
    classes: tuple[str, ...]
    relevant: tuple[str, ...]
    subpopulations: tuple[Subpopulation, ...]
    subpopulation_of: Callable[[Samples], Tensor]
    otherwise: int = -1

    def label(self, samples: Samples) -> Tensor:
        """The true label (N,) int64 of each sample, a position in `classes`."""
        labels = torch.tensor([*(kind.label for kind in self.subpopulations), self.otherwise])
        return labels[self.subpopulation_of(samples)]  # -1 picks the last entry

    @property
    def chance(self) -> float:
        """Accuracy of a guess, as all classes are equally frequent: 1 / number of classes."""
        return 1 / len(self.classes)

    @property
    def nuisances(self) -> tuple[str, ...]:
        """The attributes that the label does not depend on, in the order of the schema."""
        return tuple(name for name in self.domain.schema if name not in self.relevant)

    @property
    def components(self) -> tuple[str, ...]:
        """The components whose presence the label depends on; () unless it depends on all of
        them."""
        every = self.domain.components
        return every if every and set(every) <= set(self.relevant) else ()


_TASKS: dict[str, Task] = {}


def register(task: Task) -> Task:
    """Make a task known by its name; `ValueError` if the name is taken or the entry is unsound."""
    if task.name in _TASKS:
        raise ValueError(f"there is a task called {task.name!r} already")
    for name in task.relevant:
        task.domain.attribute(name)
    for label, meaning in enumerate(task.classes):
        share = sum(kind.weight for kind in task.subpopulations if kind.label == label)
        if abs(share - 1) > 1e-9:
            raise ValueError(f"task {task.name}: subpopulations of {meaning!r} have shares that sum"
                             f" to {share:g}, not 1")  # fmt: skip
    _TASKS[task.name] = task
    return task


def get_task(name: str) -> Task:
    """The task called `name`; `ValueError` with the nearest match if there is none."""
    if name not in _TASKS:
        raise ValueError(f"--task: {unknown('task', name, _TASKS)}")
    return _TASKS[name]


def list_tasks(domain: Domain | None = None) -> list[str]:
    """The names of all tasks, or of those of one domain, in the order of their registration."""
    return [name for name, task in _TASKS.items() if domain in (None, task.domain)]


# Conditions on what must be in the picture: attribute -> the values that are allowed.
Given = Mapping[str, Sequence[str | int]]


def value_task(
    domain: Domain,
    name: str,
    attribute_name: str,
    meaning: str,
    *,
    classes: Mapping[str, Sequence[str | int]] | None = None,
    given: Given = MappingProxyType({}),
) -> Task:
    """A task whose label is a categorical or count attribute, on pictures that are as `given`.

    `classes` maps a class's name to its values, which become its subpopulations; values in no class
    are not drawn. None: every value is a class of its own.
    """
    row = domain.attribute(attribute_name)
    groups = classes or {str(value): (value,) for value in row.values}
    subpopulations: list[Subpopulation] = []
    table = [-1] * len(row.values)
    for label, (group, values) in enumerate(groups.items()):
        for value in values:
            table[int(row.code(value))] = len(subpopulations)
            kind = group if len(values) == 1 else str(value)
            subpopulations.append(Subpopulation(name=kind, label=label, weight=1 / len(values)))
    return Task(
        domain=domain,
        name=name,
        meaning=meaning,
        classes=tuple(groups),
        relevant=(*given, attribute_name),
        subpopulations=tuple(subpopulations),
        subpopulation_of=partial(_kind_by_value, attribute_name, tuple(table), given),
    )


def median_task(
    domain: Domain,
    name: str,
    attribute_name: str,
    meaning: str,
    *,
    below: str,
    above: str,
    given: Given = MappingProxyType({}),
    margin: float = 0.1,
) -> Task:
    """A task whose label is whether a continuous attribute is `below` or `above` its median.

    Values within the quantiles 0.5 ± `margin` are not drawn, so that the classes are visibly
    different.
    """
    low, high = domain.attribute(attribute_name).quantile(np.array([0.5 - margin, 0.5 + margin]))
    return Task(
        domain=domain,
        name=name,
        meaning=meaning,
        classes=(below, above),
        relevant=(*given, attribute_name),
        subpopulations=(Subpopulation(name=below, label=0), Subpopulation(name=above, label=1)),
        subpopulation_of=partial(_kind_by_median, attribute_name, float(low), float(high), given),
    )


def meets(samples: Samples, given: Given) -> Tensor:
    """Which samples (N,) bool meet every condition."""
    met = torch.ones(len(samples), dtype=torch.bool)
    for name, values in given.items():
        codes = torch.tensor([int(find(samples.schema, name).code(value)) for value in values])
        met &= torch.isin(samples.values[name], codes)
    return met


def _kind_by_value(name: str, table: tuple[int, ...], given: Given, samples: Samples) -> Tensor:
    subpopulations = torch.tensor(table)[samples.values[name]]
    return torch.where(meets(samples, given), subpopulations, -1)


def _kind_by_median(name: str, low: float, high: float, given: Given, samples: Samples) -> Tensor:
    value = samples.values[name]
    side = torch.where(value > high, 1, torch.where(value < low, 0, -1))
    return torch.where(meets(samples, given), side, -1)
