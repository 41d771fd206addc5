"""Populations: which attributes go together, and in what shares the kinds of picture are mixed.

Face i is a pure function of (task, variation, seed, split, i): training sets nest, and no batch
size, order or other face has a say in it.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lab.data.tasks import Task
from lab.faces import ATTRIBUTES, PARTS, STRAYS, Faces, sample_at
from lab.faces.batch import draw
from lab.seeds import uniforms

Indices = npt.NDArray[np.int64]

MAX_ATTEMPTS = 1000
"""Draws until a face of the wanted kind is found. No kind of the lab's tasks has less than 6 % of
its prior: 1 face in 10^26 would need more."""

TURNS_UP = 0.6
"""How likely a missing part lies beside the head. Of 0.3, 0.6 and 1, this left the least to a
boosted tree over cheap statistics (0.571, 0.557, 0.565) and to logistic regression (0.598, 0.593,
0.600), on 10,000 faces that it had not seen, as the drawing was then."""


@dataclass(frozen=True)
class Population:
    """The faces that a task draws: classes balanced, kinds by weight, nuisances from their priors.

    `variation` in [0, 1] says how much faces differ in the nuisances; what the label depends on
    always has its full prior.
    """

    task: Task
    variation: float = 1.0

    def sample(self, count: int, *, seed: int, split: str, start: int = 0) -> Faces:
        """The `count` faces from address (seed, split, `start`) on; `task.label` labels them."""
        if count < 0 or start < 0:
            raise ValueError(f"count and start must not be negative, not {count} and {start}")
        indices = np.arange(start, start + count)
        faces = sample_at(indices, seed=seed, split=split, variation=self.variation)
        labels = balanced_labels(indices, len(self.task.classes), seed=seed, split=split)
        kinds = draw_kinds(self.task, labels, indices, seed=seed, split=split)
        relevant = draw_relevant(self.task, kinds, indices, seed=seed, split=split)
        faces = Faces({**faces.values, **relevant}, faces.identity)
        return balance_parts(faces, indices, seed=seed, split=split, keep=self.task.relevant)


def balanced_labels(indices: Indices, classes: int, *, seed: int, split: str) -> Tensor:
    """Labels (N,) in which each block of `classes` addresses holds every class once.

    So every prefix is balanced to within one face, even a training set of four, and 'always the
    same answer' scores chance. The order within a block is random.
    """
    block, place = indices // classes, indices % classes
    keys = np.stack([uniforms(block, seed, split, "label", c) for c in range(classes)], axis=1)
    order = np.argsort(keys, axis=1)  # (N, classes), a random permutation for each block
    return torch.from_numpy(order[np.arange(len(indices)), place])


def draw_kinds(task: Task, labels: Tensor, indices: Indices, *, seed: int, split: str) -> Tensor:
    """Kinds (N,), positions in `task.kinds`, drawn by weight among those with the face's label."""
    weights = np.array(
        [
            [kind.weight * (kind.label == label) for kind in task.kinds]
            for label in range(len(task.classes))
        ]
    )
    ends = weights.cumsum(axis=1)
    u = uniforms(indices, seed, split, "kind") * ends[labels, -1]
    return torch.from_numpy((u[:, None] >= ends[labels]).sum(axis=1))


def draw_relevant(
    task: Task, kinds: Tensor, indices: Indices, *, seed: int, split: str
) -> dict[str, Tensor]:
    """The relevant attributes of faces of the given `kinds` (N,): their priors, by rejection.

    Each address keeps its first attempt that turns out to be of the wanted kind. Raises
    `ValueError` naming the kind if there is none among `MAX_ATTEMPTS`.
    """
    rows = {name: ATTRIBUTES[name] for name in task.relevant}
    values: dict[str, Tensor] = {}
    open_ = torch.arange(len(indices))
    for attempt in range(MAX_ATTEMPTS):
        where = indices[open_.numpy()]
        drawn = {
            name: draw(row, where, seed=seed, split=split, attempt=attempt)
            for name, row in rows.items()
        }
        if attempt == 0:
            values = {name: column.clone() for name, column in drawn.items()}
        hit = task.kind_of(Faces(drawn, torch.from_numpy(where))) == kinds[open_]
        for name, column in drawn.items():
            values[name][open_[hit]] = column[hit]
        open_ = open_[~hit]
        if len(open_) == 0:
            return values
    kind = task.kinds[int(kinds[open_[0]])].name
    raise ValueError(
        f"task {task.name}: no {kind!r} among {MAX_ATTEMPTS} draws from the priors of"
        f" {', '.join(rows)}"
    )


def balance_parts(
    faces: Faces, indices: Indices, *, seed: int, split: str, keep: Collection[str] = ()
) -> Faces:
    """The faces with most parts that a head lacks lying beside it, on top of the strays drawn.

    So the ink, edges and dark pixels of a picture tell little, and a network has to look where the
    parts are. Objects have marks of their own instead of parts, and get no strays for them.
    Attributes in `keep` are left as they are.
    """
    values = dict(faces.values)
    head = values["subject"] == 0
    for part in PARTS:
        row, stray = ATTRIBUTES[part], ATTRIBUTES[STRAYS[part]]
        if stray.name not in keep:
            turns_up = uniforms(indices, seed, split, "turns up", part) < TURNS_UP
            missing = (int(row.values[-1]) - values[part]) * head * torch.from_numpy(turns_up)
            values[stray.name] = (values[stray.name] + missing).clamp(max=int(stray.values[-1]))
    return Faces(values, faces.identity)
