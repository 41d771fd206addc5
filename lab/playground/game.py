"""Games: a face, how a run was trained, and the question which class it predicts; and the face that
a round of the mystery networks begins with."""

from __future__ import annotations

from typing import Any

import torch

from lab.core.seeds import uniforms
from lab.playground.answers import picture
from lab.playground.describe_run import conditions
from lab.playground.errors import RequestError
from lab.playground.logdir import RunEntry, summary
from lab.playground.model_cache import LoadedRun, face_world
from lab.playground.reasons import reasons
from lab.playground.request import write_face
from lab.worlds.faces import Faces, render

CANDIDATES = 24
"""Faces from which a round takes the first that the run classifies correctly, or wrongly."""

PICTURE = 256
"""Side of the picture, in pixels."""

SPLIT = "game"
"""The split of the faces: disjoint from training and test sets."""


def play(run: LoadedRun, number: int) -> dict[str, Any]:
    """Round `number` with `run`. In half of the rounds the prediction is wrong, if it is for any of
    the candidates. For runs with cues, half of the rounds show conflicting faces."""
    where, stream = torch.tensor([number]).numpy(), (run.config.seed, SPLIT)
    should_err = bool(uniforms(where, *stream, "errs")[0] < 0.5)
    world = run.world
    if world.cues and uniforms(where, *stream, "conflicting")[0] < 0.5:
        world = world.conflicting()
    faces: Faces = world.sample(CANDIDATES, split=SPLIT, start=number * CANDIDATES)
    chances = run.ask(render(faces, size=run.size)).double().softmax(dim=1)
    says, labels = chances.argmax(dim=1), run.task.label(faces)
    fit = ((says != labels) == should_err).nonzero()[:, 0]
    i = int(fit[0]) if len(fit) else 0
    return {
        "run": run.name,
        "conditions": conditions(run.config, run.world, summary(run.entry)),
        "meaning": run.task.meaning,
        "classes": run.task.classes,
        "face": write_face(faces, i),
        "picture": picture(faces, PICTURE, i),
        "seen": picture(faces, run.size, i, exact=True),
        "size": run.size,
        "chances": [round(chance, 5) for chance in chances[i].tolist()],
        "says": int(says[i]),
        "truth": int(labels[i]),
        "why": reasons(run.task, faces[i : i + 1]),
    }


def person_with_cues(run: RunEntry, number: int) -> Faces:
    """Random face (1) number `number` of the run's last class (a person), with values of its cues
    that are drawn without regard to the label: whatever it shows, a network that goes by the cues
    answers otherwise once they are exchanged."""
    if run.config is None:
        raise RequestError(run.trouble)
    world = face_world(run.config).unbiased()
    faces: Faces = world.sample(CANDIDATES, split=SPLIT, start=number * CANDIDATES)
    last = (world.task.label(faces) == len(world.task.classes) - 1).nonzero()[:, 0]
    return faces[int(last[0]) : int(last[0]) + 1]
