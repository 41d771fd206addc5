"""Remedies compared on two problems: too few training faces, and a cue that determines the
label."""

from pathlib import Path
from typing import Any

import numpy as np

from lab.experiments.lessons.base import GUESS, small
from lab.experiments.lessons.claims import Claim, Numbers, greater
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.tries import Try
from lab.experiments.plan import Plan, Tables

CUE = "eye_color=blue/brown"
EVERY, PATIENCE = 50, 4
HELPS = 0.02
"""Least gain of accuracy of a remedy."""

REMEDIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "four times\nthe data": ({"num_train": 4}, {}),
    "augmentation": ({}, {"train": {"augment": True}}),
    "weight\ndecay": ({}, {"train": {"weight_decay": 0.5}}),
    "dropout": ({}, {"dropout": 0.5}),
    "early\nstopping": ({}, {"train": {"early_stopping": PATIENCE}}),
    "5 % con-\nflicting": ({"cues": (f"{CUE}:0.95",)}, {}),
}
"""The changes of each remedy to the data (`num_train` is a factor), and to other settings."""

PROBLEMS = {"few faces": (300, GUESS, "accuracy/test"), "a cue": (1000, 1.0, "accuracy/unbiased")}
"""Training faces, strength of the cue, and the accuracy that shows the problem."""


def plans() -> dict[str, Plan]:
    """A plan for each problem and remedy; conflicting faces need a cue."""
    found = {}
    for problem, (faces, strength, _) in PROBLEMS.items():
        for remedy, (data, rest) in REMEDIES.items():
            if "cues" in data and strength <= GUESS:
                continue
            base = small(
                every=EVERY,
                data={
                    "cues": (f"{CUE}:{strength:g}",),
                    **data,
                    "num_train": faces * data.get("num_train", 1),
                },
                **rest,
            )
            found[f"{problem}: {remedy}"] = Plan(base, {})
    return found


def accuracy(tables: Tables, problem: str, remedy: str) -> Numbers:
    """The accuracy with a remedy, for each seed (S,)."""
    (cell,) = tables[f"{problem}: {remedy}"].cells
    return cell.values(PROBLEMS[problem][2])


def check(tables: Tables) -> list[Claim]:
    few, cue = PROBLEMS
    more, broken = "four times\nthe data", "5 % con-\nflicting"
    claims = [
        greater(f"{words} helps against {problem} (accuracy + {HELPS:g} or more)",
                accuracy(tables, problem, remedy), accuracy(tables, problem, "nothing"), by=HELPS)
        for problem, remedy, words in (
            (few, more, "four times the data"),
            (few, "augmentation", "augmentation"),
            (cue, broken, "5 % of conflicting faces"),
        )
    ]  # fmt: skip
    claims += [
        greater("against a cue, 5 % of conflicting faces help more than"
                f" {' '.join(remedy.split())}",
                accuracy(tables, cue, broken), accuracy(tables, cue, remedy))
        for remedy in REMEDIES if remedy not in ("nothing", broken)
    ]  # fmt: skip
    return claims


def plot(tables: Tables, path: Path) -> None:
    groups = list(REMEDIES)
    last = groups.pop()
    series = {
        f"{problem} ({tag.partition('/')[2]})": [accuracy(tables, problem, r) for r in groups]
        for problem, (_, _, tag) in PROBLEMS.items()
    }
    few, cue = series
    series[few].append(np.full(1, np.nan))  # there is no cue to break
    series[cue].append(accuracy(tables, "a cue", last))
    title = "Remedies against few faces, and against a cue"
    bars(path, title, [*groups, last], series)


LESSON = Lesson(
    title="Remedies: what helps against which problem?",
    published="more data and regularization help against overfitting, not against shortcuts; a few"
    " conflicting examples do (unbiased accuracy 82 % with 5 % of them, 35 % with 0.5 %, colored"
    " MNIST)",
    question="augmentation, weight decay, dropout, early stopping, more data: which of them helps a"
    " network that relies on eye color?",
    chapter="What helps",
    place=2,
    guess=Guess(
        (
            "More data helps most",
            "Augmentation helps most",
            "Weight decay, dropout or early stopping helps most",
            "None of them as much as a few faces that break the rule",
        ),
        if_confirmed(3, *range(2, 8)),
    ),
    meaning="More faces and augmentation help a network that has too few of them. Against a"
    " shortcut they help less than a few faces in which the color of the eyes contradicts the"
    " label: as long as none does, nothing in training speaks against the shortcut.",
    tries=(
        Try(
            text="Train with a cue and augmentation. Does the color of the eyes still matter?",
            train="num_train:300,cue:eye_color,augment:true",
        ),
        Try(
            text="Now without augmentation, but with one face in ten that breaks the rule.",
            train="num_train:300,cue:eye_color,cue_strength:0.9",
        ),
        Try(
            text="See how much each share of such faces helps.",
            command="python3 scripts/lesson.py dose_response",
        ),
    ),
    papers=(
        (
            "Lee et al., Learning debiased representation via disentangled feature augmentation,"
            " NeurIPS 2021 (colored MNIST)",
            "https://arxiv.org/abs/2107.01372",
        ),
    ),
    plans=plans(),
    seconds=340,
    check=check,
    plot=plot,
)
