"""Tasks: what a label says about a picture, and therefore which attributes are nuisances.

A task is one entry at the end of this file. `person` asks for parts and their arrangement; asking
for any single attribute is one call of `value_task` or `median_task`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lab.core.text import unknown
from lab.worlds.faces import ATTRIBUTES, Faces, attribute


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One sort of picture within a class: scrambled faces among those that are no person."""

    name: str
    label: int
    weight: float = 1.0
    """Share of the pictures with this label, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A function from faces to labels, and the kinds of picture that its population mixes.

    `subpopulation_of` gives each face's position in `kinds`, or -1 for mixes that are not drawn; it
    may read the `relevant` attributes only. `otherwise` is the label of such mixes; -1: there is
    none.
    """

    name: str
    meaning: str
    classes: tuple[str, ...]
    relevant: tuple[str, ...]
    subpopulations: tuple[Kind, ...]
    subpopulation_of: Callable[[Faces], Tensor]
    otherwise: int = -1

    def label(self, faces: Faces) -> Tensor:
        """The true label (N,) int64 of each face, a position in `classes`."""
        labels = torch.tensor([*(kind.label for kind in self.subpopulations), self.otherwise])
        return labels[self.subpopulation_of(faces)]  # kind -1 picks the last entry

    @property
    def chance(self) -> float:
        """Accuracy of a guess, as all classes are equally frequent: 1 / number of classes."""
        return 1 / len(self.classes)

    @property
    def nuisances(self) -> tuple[str, ...]:
        """The attributes that the label does not depend on, in the order of the table."""
        return tuple(name for name in ATTRIBUTES if name not in self.relevant)


_TASKS: dict[str, Task] = {}


def register(task: Task) -> Task:
    """Make a task known by its name; `ValueError` if the name is taken or the entry is unsound."""
    if task.name in _TASKS:
        raise ValueError(f"there is a task called {task.name!r} already")
    for name in task.relevant:
        attribute(name)
    for label, meaning in enumerate(task.classes):
        share = sum(kind.weight for kind in task.subpopulations if kind.label == label)
        if abs(share - 1) > 1e-9:
            raise ValueError(f"task {task.name}: kinds of {meaning!r} have shares that sum to"
                             f" {share:g}, not 1")  # fmt: skip
    _TASKS[task.name] = task
    return task


def get_task(name: str) -> Task:
    """The task called `name`; `ValueError` with the nearest match if there is none."""
    if name not in _TASKS:
        raise ValueError(unknown("task", name, _TASKS))
    return _TASKS[name]


def list_tasks() -> list[str]:
    """The names of all tasks, `person` first."""
    return list(_TASKS)


# Conditions on what must be in the picture: attribute -> the values that are allowed.
Given = Mapping[str, Sequence[str | int]]

FACE: Given = {"subject": ("head",), "arrangement": ("natural",)}
"""The picture shows a face, though parts may be missing."""


def value_task(
    name: str,
    attribute_name: str,
    meaning: str,
    *,
    classes: Mapping[str, Sequence[str | int]] | None = None,
    given: Given = FACE,
) -> Task:
    """A task that asks for a categorical or count attribute, on pictures that are as `given`.

    `classes` maps a class's name to its values, which become its kinds; values in no class are not
    drawn. None: every value is a class of its own.
    """
    row = attribute(attribute_name)
    groups = classes or {str(value): (value,) for value in row.values}
    kinds: list[Kind] = []
    table = [-1] * len(row.values)
    for label, (group, values) in enumerate(groups.items()):
        for value in values:
            table[int(row.code(value))] = len(kinds)
            kind = group if len(values) == 1 else str(value)
            kinds.append(Kind(name=kind, label=label, weight=1 / len(values)))
    return Task(
        name=name,
        meaning=meaning,
        classes=tuple(groups),
        relevant=(*given, attribute_name),
        subpopulations=tuple(kinds),
        subpopulation_of=partial(_kind_by_value, attribute_name, tuple(table), given),
    )


def median_task(
    name: str,
    attribute_name: str,
    meaning: str,
    *,
    below: str,
    above: str,
    given: Given = FACE,
    margin: float = 0.1,
) -> Task:
    """A task that asks whether a continuous attribute is `below` or `above` its median.

    Values within the quantiles 0.5 ± `margin` are not drawn, so that the answer can be seen.
    """
    low, high = attribute(attribute_name).quantile(np.array([0.5 - margin, 0.5 + margin]))
    return Task(
        name=name,
        meaning=meaning,
        classes=(below, above),
        relevant=(*given, attribute_name),
        subpopulations=(Kind(name=below, label=0), Kind(name=above, label=1)),
        subpopulation_of=partial(_kind_by_median, attribute_name, float(low), float(high), given),
    )


def _as_given(faces: Faces, given: Given) -> Tensor:
    """Which faces (N,) meet every condition."""
    met = torch.ones(len(faces), dtype=torch.bool)
    for name, values in given.items():
        codes = torch.tensor([int(attribute(name).code(value)) for value in values])
        met &= torch.isin(faces.values[name], codes)
    return met


def _kind_by_value(name: str, table: tuple[int, ...], given: Given, faces: Faces) -> Tensor:
    kinds = torch.tensor(table)[faces.values[name]]
    return torch.where(_as_given(faces, given), kinds, -1)


def _kind_by_median(name: str, low: float, high: float, given: Given, faces: Faces) -> Tensor:
    value = faces.values[name]
    side = torch.where(value > high, 1, torch.where(value < low, 0, -1))
    return torch.where(_as_given(faces, given), side, -1)


def _kind_of_person(faces: Faces) -> Tensor:
    """0 person, 1 missing, 2 scrambled, 3 object; -1: scrambled and incomplete."""
    v = faces.values
    complete = (v["eyes"] == 2) & (v["nose"] == 1) & (v["mouth"] == 1) & (v["ears"] == 2)
    natural = _as_given(faces, {"arrangement": ("natural",)})
    on_head = torch.where(
        natural, torch.where(complete, 0, 1), torch.where(complete, 2, torch.tensor(-1))
    )
    return torch.where(_as_given(faces, {"subject": ("head",)}), on_head, 3)


register(
    Task(
        name="person",
        meaning="a person has two eyes, a nose, a mouth and two ears, all in their places",
        classes=("not a person", "person"),
        relevant=("subject", "arrangement", "eyes", "nose", "mouth", "ears"),
        subpopulations=(
            Kind(name="person", label=1),
            Kind(name="missing", label=0, weight=0.52),
            Kind(name="scrambled", label=0, weight=0.38),
            Kind(name="object", label=0, weight=0.10),
        ),
        subpopulation_of=_kind_of_person,
        otherwise=0,
    )
)

register(
    median_task(
        "open_mouth", "mouth_open", "whether the mouth is open",
        below="closed mouth", above="open mouth", given={**FACE, "mouth": (1,)},
    )
)  # fmt: skip

register(
    value_task(
        "count_eyes", "eyes", "how many eyes the face has",
        classes={"no eyes": (0,), "one eye": (1,), "two eyes": (2,)},
    )
)  # fmt: skip

register(
    value_task(
        "glasses", "glasses", "whether the face wears glasses",
        classes={"no glasses": ("none",), "glasses": ("round", "square")},
    )
)  # fmt: skip

register(
    median_task(
        "smiling", "smile", "whether the corners of the mouth point up",
        below="not smiling", above="smiling", given={**FACE, "mouth": (1,)}, margin=0.15,
    )
)  # fmt: skip

register(
    value_task("eye_color", "eye_color", "the color of the eyes", given={**FACE, "eyes": (1, 2)})
)
