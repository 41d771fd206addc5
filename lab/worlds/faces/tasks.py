"""The tasks about faces: each is one entry at the end of this file.

The label of `person` depends on parts and their arrangement; a task about a single attribute is one
call of `value_task` or `median_task`.
"""

from functools import partial

import torch
from torch import Tensor

from lab.worlds import tasks
from lab.worlds.faces.batch import Faces
from lab.worlds.faces.world import FACES
from lab.worlds.tasks import Given, Subpopulation, Task, meets, register

FACE: Given = {"subject": ("head",), "arrangement": ("natural",)}
"""The picture shows a face, though parts may be missing."""

value_task = partial(tasks.value_task, FACES, given=FACE)
median_task = partial(tasks.median_task, FACES, given=FACE)


def _kind_of_person(faces: Faces) -> Tensor:
    """0 person, 1 missing, 2 scrambled, 3 object; -1: scrambled and incomplete."""
    v = faces.values
    complete = (v["eyes"] == 2) & (v["nose"] == 1) & (v["mouth"] == 1) & (v["ears"] == 2)
    natural = meets(faces, {"arrangement": ("natural",)})
    on_head = torch.where(
        natural, torch.where(complete, 0, 1), torch.where(complete, 2, torch.tensor(-1))
    )
    return torch.where(meets(faces, {"subject": ("head",)}), on_head, 3)


register(
    Task(
        domain=FACES,
        name="person",
        meaning="a person has two eyes, a nose, a mouth and two ears, all in their places",
        classes=("not a person", "person"),
        relevant=("subject", "arrangement", "eyes", "nose", "mouth", "ears"),
        subpopulations=(
            Subpopulation(name="person", label=1),
            Subpopulation(name="missing", label=0, weight=0.52),
            Subpopulation(name="scrambled", label=0, weight=0.38),
            Subpopulation(name="object", label=0, weight=0.10),
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
