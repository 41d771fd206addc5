"""Remedies compared on two problems: too few training faces, and a cue that determines the
label."""

from pathlib import Path
from typing import Any

import numpy as np

from lab.experiments.lessons.base import GUESS, small
from lab.experiments.lessons.claims import Claim, Numbers, greater
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.plan import Plan, Tables

CUE = "eye_color=blue/brown"
EVERY, PATIENCE = 50, 4
HELPS = 0.02
"""A remedy must add so much accuracy to be called one."""

REMEDIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "four times\nthe data": ({"num_train": 4}, {}),
    "augmentation": ({}, {"train": {"augment": True}}),
    "weight\ndecay": ({}, {"train": {"weight_decay": 0.5}}),
    "dropout": ({}, {"dropout": 0.5}),
    "early\nstopping": ({}, {"train": {"early_stopping": PATIENCE}}),
    "cue broken\nin 5 %": ({"cues": (f"{CUE}:0.95",)}, {}),
}
"""What each one changes of the data (a factor for the number of faces), and of the rest."""

ILLNESSES = {"few faces": (300, GUESS, "accuracy/test"), "a cue": (1000, 1.0, "accuracy/unbiased")}
"""Faces, strength of the cue, and the accuracy that shows the illness."""


def plans() -> dict[str, Plan]:
    """A plan for each problem and remedy; "breaking the cue" applies only where there is a cue."""
    found = {}
    for illness, (faces, strength, _) in ILLNESSES.items():
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
            found[f"{illness}: {remedy}"] = Plan(base, {})
    return found


def accuracy(tables: Tables, illness: str, remedy: str) -> Numbers:
    """The accuracy with a remedy, for each seed (S,)."""
    (cell,) = tables[f"{illness}: {remedy}"].cells
    return cell.values(ILLNESSES[illness][2])


def check(tables: Tables) -> list[Claim]:
    few, cue = ILLNESSES
    more, broken = "four times\nthe data", "cue broken\nin 5 %"
    claims = [
        greater(f"{words} helps against {illness} (by {HELPS:g} or more)",
                accuracy(tables, illness, remedy), accuracy(tables, illness, "nothing"), by=HELPS)
        for illness, remedy, words in (
            (few, more, "four times the data"),
            (few, "augmentation", "augmentation"),
            (cue, broken, "breaking the cue in 5 % of the data"),
        )
    ]  # fmt: skip
    claims += [
        greater(f"against a cue breaking it in 5 % helps more than {' '.join(remedy.split())}",
                accuracy(tables, cue, broken), accuracy(tables, cue, remedy))
        for remedy in REMEDIES if remedy not in ("nothing", broken)
    ]  # fmt: skip
    return claims


def plot(tables: Tables, path: Path) -> None:
    groups = list(REMEDIES)
    last = groups.pop()
    series = {
        f"{illness} ({tag.partition('/')[2]})": [accuracy(tables, illness, r) for r in groups]
        for illness, (_, _, tag) in ILLNESSES.items()
    }
    few, cue = series
    series[few].append(np.full(1, np.nan))  # there is no cue to break
    series[cue].append(accuracy(tables, "a cue", last))
    title = "What helps against which illness?"
    bars(path, title, [*groups, last], series)


LESSON = Lesson(
    title="Remedies: what helps against which illness?",
    published="more data and regularization cure overfitting, not shortcuts; a few examples that"
    " break the cue do (82 % instead of 35 % unbiased with 5 % of them, colored MNIST)",
    question="augmentation, weight decay, dropout, early stopping, more data: which of them cures a"
    " network that looks at eye color alone?",
    plans=plans(),
    seconds=340,
    check=check,
    plot=plot,
)
