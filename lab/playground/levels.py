"""Levels: choose the training faces of a small network, and see what it learned from them.

A person here is a face with a mouth; eyes are blue or brown. The faces of a level's tray differ
little otherwise, so that a few dozen decide what is learned, in a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from lab.core.config import DataConfig
from lab.core.estimate import Estimate, wilson
from lab.core.text import unknown
from lab.measure import accuracy, predict
from lab.models import ModelSpec, seeded_model, to_input
from lab.playground.answers import address
from lab.playground.errors import RequestError
from lab.worlds import DrawnWorld
from lab.worlds.faces import Faces, render

SIZE, WIDTH = 32, 8
"""Pixels of the network's input, and channels of its first layer."""

STEPS, RATE, FITTED = 150, 3e-3, 0.005
"""Most steps of AdamW on all chosen faces at once, its learning rate, and the mean loss in nats at
which training ends."""

VARIATION = 0.12
"""How much the faces differ in other nuisances."""

UNSEEN, SHOWN = 400, 10
"""Unseen faces that the network is asked about, and those of them that the page shows."""

THUMBNAIL = 80
"""Side of the pictures on the page, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a network does: the share of its training faces that it answers as labeled; the shares
    of unseen faces, and of those whose eye color contradicts the label, that it is right about; and
    the shares of unseen faces whose prediction changes when only the mouth or the eyes' color
    does."""

    fitted: Estimate
    unseen: Estimate
    conflicting: Estimate
    mouth: Estimate
    eyes: Estimate


@dataclass(frozen=True, kw_only=True)
class Level:
    """A task: of a tray of `tray` faces choose `least` to `most` so that `passes`.

    In the tray eye color agrees with the label with probability `strength` (blue for persons), the
    share `wrong` of the labels is wrong, and with `pairs` half of the faces are of pairs that
    differ in the mouth alone. `goal` tells the task; `hint` what to think about after a failure,
    or `reversed` where the network does the opposite of what it should; `lesson` what it shows
    after a success.
    """

    title: str
    goal: str
    hint: str
    lesson: str
    passes: Callable[[Judged], bool]
    opposite: Callable[[Judged], bool] = lambda judged: False
    reversed: str = ""
    tray: int = 96
    least: int = 20
    most: int = 40
    strength: float = 0.5
    wrong: float = 0.0
    pairs: bool = False


LEVELS: Mapping[str, Level] = {
    "mouth": Level(
        title="Learn the mouth",
        goal="In this tray most persons have blue eyes and most others brown ones. Choose faces so"
        " that the network is right about at least 90 % of unseen faces, whatever their eyes.",
        hint="As long as eye color tells the label of the faces that you choose, why should the"
        " network look at the mouth?",
        lesson="The less eye color tells of the labels, the more the mouth is left to learn.",
        passes=lambda judged: judged.unseen.value >= 0.9,
        strength=0.85,
    ),
    "eyes": Level(
        title="Fool it by eye color",
        goal="Choose faces so that the network takes blue eyes for a person's, and brown ones for"
        " nobody's: it may be right about 30 % at most of unseen faces with the other eyes (persons"
        " with brown ones, faces without a mouth with blue ones).",
        hint="A person with brown eyes, or a face without a mouth that has blue ones, tells it that"
        " eye color is not what counts. And a few faces teach a rule less well than many.",
        lesson="It is right about all its training faces, and has learned the wrong thing: a"
        " shortcut. Its training accuracy does not show that.",
        passes=lambda judged: judged.conflicting.value <= 0.3,
        opposite=lambda judged: judged.eyes.value >= 0.5 and judged.conflicting.value >= 0.6,
        reversed="It does go by eye color, but the other way round: for it brown eyes are a"
        " person's. Turn it round.",
    ),
    "heart": Level(
        title="Make it learn by heart",
        goal="Half of the labels in this tray are wrong. Choose faces so that the network answers"
        " all of them as labeled, but is no better and no worse than a guess on unseen ones: right"
        " about 40 to 60 %.",
        hint="If most of the labels that you choose are right, it learns the rule all the same.",
        lesson="No rule gives these labels. It has memorized each face, and is no better than a"
        " guess on others.",
        passes=lambda judged: judged.fitted.value == 1 and 0.4 <= judged.unseen.value <= 0.6,
        opposite=lambda judged: judged.unseen.value < 0.4,
        reversed="It has learned a rule after all: the opposite one. If nearly all labels are"
        " wrong, they follow a rule again.",
        wrong=0.5,
    ),
    "few": Level(
        title="With eight faces only",
        goal="Choose eight faces at most so that the network is right about at least 85 % of unseen"
        " faces.",
        hint="Some faces in the tray come in pairs. What do the two of a pair have in common, and"
        " in what do they differ? If yours are pairs already, try others: some teach more.",
        lesson="Pairs that differ in nothing but the mouth leave nothing else to learn.",
        passes=lambda judged: judged.unseen.value >= 0.85,
        tray=48, least=2, most=8, pairs=True,
    ),
}  # fmt: skip


WITHOUT_PAIRS = (
    "These faces look so much alike that little but the mouth differs. Can you do it with pairs"
    " that differ in nothing else, too?"
)
"""What is said of a success on a level with pairs for which none was chosen."""


@dataclass(frozen=True)
class Tray:
    """The faces of a level (N), with the labels that the network is given, and the group of each:
    faces with the same words belong together."""

    faces: Faces
    images: Tensor
    labels: Tensor
    truth: Tensor
    groups: tuple[str, ...]
    thumbnails: tuple[str, ...] = field(repr=False)


def list_levels() -> dict[str, Any]:
    """The levels as JSON values."""
    return {
        "levels": [
            {"name": name, "title": level.title, "goal": level.goal, "least": level.least,
             "most": level.most}
            for name, level in LEVELS.items()
        ]
    }  # fmt: skip


def find_level(name: str) -> str:
    """The name of a level; `RequestError` for an unknown one."""
    if name not in LEVELS:
        raise RequestError(unknown("level", name[:40], LEVELS))
    return name


def show_tray(name: str) -> dict[str, Any]:
    """The tray of a level as JSON values."""
    tray = tray_of(find_level(name))
    classes = _world(0.5).classes
    return {
        "classes": classes,
        "faces": [
            {"picture": tray.thumbnails[i], "label": int(tray.labels[i]), "group": tray.groups[i],
             "truth": int(tray.truth[i]), "eyes": tray.faces.names("eye_color")[i]}
            for i in range(len(tray.labels))
        ],
    }  # fmt: skip


def play(name: str, chosen: Sequence[int]) -> dict[str, Any]:
    """Train on the chosen faces of a level's tray, by their numbers, and judge what was learned.

    `RequestError` if they are too few, too many, or not in the tray.
    """
    level, tray = LEVELS[find_level(name)], tray_of(name)
    numbers = sorted(set(chosen))
    if not level.least <= len(numbers) <= level.most:
        raise RequestError(f"choose {level.least} to {level.most} faces, not {len(numbers)}")
    if numbers[0] < 0 or numbers[-1] >= len(tray.labels):
        raise RequestError(f"the tray has faces 0 to {len(tray.labels) - 1}, not {numbers[-1]}")
    picked = torch.tensor(numbers)
    if int(tray.labels[picked].min()) == int(tray.labels[picked].max()):
        raise RequestError("choose faces of both classes: of one alone nothing can be learned")
    model = train(tray.images[picked], tray.labels[picked])
    judged, faces, says = judge(model, tray.images[picked], tray.labels[picked])
    labels = _world(0.5).task.label(faces)
    wrong_first = torch.argsort((says == labels).long(), stable=True)[:SHOWN]
    passed = level.passes(judged)
    hint = level.reversed if level.opposite(judged) else level.hint
    lesson = level.lesson
    if level.pairs and not _has_pair(tray, picked):
        lesson = WITHOUT_PAIRS
    return {
        "passed": passed,
        "words": lesson if passed else hint,
        "judged": {each: _told(getattr(judged, each)) for each in judged.__dataclass_fields__},
        "shown": [
            {"picture": address(render(faces[i : i + 1], size=THUMBNAIL)[0], exact=False),
             "says": int(says[i]), "truth": int(labels[i])}
            for i in wrong_first.tolist()
        ],
    }  # fmt: skip


def train(images: Tensor, labels: Tensor) -> nn.Module:
    """A small network trained on all pictures (N, 3, S, S) uint8 with labels (N,) at each step."""
    spec = ModelSpec(image_size=SIZE, num_outputs=2, width=WIDTH)
    model = seeded_model("cnn", spec, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, foreach=False)
    inputs = to_input(images)
    model.train()
    for _ in range(STEPS):
        loss = nn.functional.cross_entropy(model(inputs), labels)
        if float(loss.detach()) <= FITTED:
            break
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return model.eval()


def judge(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Judged, Faces, Tensor]:
    """What a network trained on pictures with labels does, and the unseen faces with its
    predictions."""
    world = _world(0.5)
    faces = _sample(world, UNSEEN, split="test")
    truth = world.task.label(faces)
    contrary = _sample(_world(0.5, tied=True).conflicting(), UNSEEN, split="test")

    def says(some: Faces) -> Tensor:
        return predict(model, render(some, size=SIZE)).argmax(dim=1)

    mine = says(faces)
    changed = {
        name: says(faces.redrawn({name: 1 - faces[name]})) != mine
        for name in ("mouth", "eye_color")  # 0 and 1: brown and blue
    }
    logits = predict(model, render(contrary, size=SIZE))
    judged = Judged(
        fitted=accuracy(predict(model, images), labels),
        unseen=wilson(int((mine == truth).sum()), UNSEEN),
        conflicting=accuracy(logits, world.task.label(contrary)),
        mouth=wilson(int(changed["mouth"].sum()), UNSEEN),
        eyes=wilson(int(changed["eye_color"].sum()), UNSEEN),
    )
    return judged, faces, mine


@lru_cache(maxsize=len(LEVELS))
def tray_of(name: str) -> Tray:
    """The tray of a level, the same each time."""
    level = LEVELS[name]
    world = _world(level.strength)
    faces = _sample(world, level.tray, split="train")
    if level.pairs:
        half = faces[: level.tray // 4]
        other = half.redrawn({"mouth": 1 - half["mouth"]})
        mixed = torch.randperm(level.tray, generator=torch.Generator().manual_seed(0))
        faces = Faces.cat([half, other, faces[level.tray // 2 :]]).take(mixed)
    truth = world.task.label(faces)
    labels = truth.clone()
    wrong = round(level.wrong * len(labels))
    labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))[:wrong]] ^= 1
    pictures = render(faces, size=THUMBNAIL)
    return Tray(
        faces=faces,
        images=render(faces, size=SIZE),
        labels=labels,
        truth=truth,
        groups=tuple(_group(level, faces, labels, truth, i) for i in range(len(labels))),
        thumbnails=tuple(address(picture, exact=False) for picture in pictures),
    )


def _sample(world: DrawnWorld, count: int, *, split: str) -> Faces:
    """Faces of a world, without stray parts beside the head."""
    faces: Faces = world.sample(count, split=split)
    return faces.do(stray_eyes=0, stray_noses=0, stray_mouths=0, stray_ears=0)


def _has_pair(tray: Tray, picked: Tensor) -> bool:
    """Whether two of the chosen faces differ in the mouth alone."""
    identities = tray.faces.identity[picked].tolist()
    return len(set(identities)) < len(identities)


def _group(level: Level, faces: Faces, labels: Tensor, truth: Tensor, i: int) -> str:
    if level.pairs:
        return ""
    what = _world(0.5).classes[int(labels[i])]
    if level.wrong:
        return f"{'right' if labels[i] == truth[i] else 'wrong'} label: {what}"
    return f"{what}, {faces.names('eye_color')[i]} eyes"


def _told(estimate: Estimate) -> list[float]:
    low, high = estimate.interval
    return [round(each, 4) for each in (estimate.value, low, high)]


@lru_cache(maxsize=8)
def _world(strength: float, *, tied: bool = False) -> DrawnWorld:
    cue = f"eye_color=blue/brown:{1 if tied else strength:g}"
    data = DataConfig(
        image_size=SIZE, variation=VARIATION, cues=(cue,), subpopulations=("missing",),
        missing=("mouth",), num_train=10_000,
    )  # fmt: skip
    return DrawnWorld.of(data, seed=0)
