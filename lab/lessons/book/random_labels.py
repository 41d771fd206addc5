"""Labels that say nothing are learned by heart, by every network."""

from pathlib import Path

import numpy as np

from lab.lessons.base import small
from lab.lessons.claims import Claim, Numbers, at_least, greater, near
from lab.lessons.lesson import Lesson, Plan, Tables
from lab.lessons.plots import bars
from lab.sweep import Cell

MODELS = ("cnn", "mlp")
TRUE, RANDOM = 0.0, 1.0
FITTED = 0.99


def steps_to_fit(cell: Cell) -> Numbers:
    """The first evaluation (S,) at which each seed has 99 % of the given labels; NaN: none."""
    curves = cell.curves("accuracy/train")
    reached = curves.values >= FITTED
    first: Numbers = np.where(
        reached.any(axis=1), curves.steps[reached.argmax(axis=1)].astype(np.float64), np.nan
    )
    return first


def check(tables: Tables) -> list[Claim]:
    table, claims = tables["labels"], []
    for model in MODELS:
        true, lies = (table.cell(model=model, label_noise=noise) for noise in (TRUE, RANDOM))
        claims += [
            at_least(f"{model} learns random labels by heart (0.99 or more)",
                     lies.values("accuracy/train"), FITTED),
            near(f"{model} then knows nothing about other faces (0.5 ± 0.05)",
                 lies.values("accuracy/test"), 0.5, within=0.05),
            greater(f"{model} needs more steps for random labels than for true ones",
                    steps_to_fit(lies), steps_to_fit(true)),
        ]  # fmt: skip
    return claims


def plot(tables: Tables, path: Path) -> None:
    table = tables["labels"]
    series = {
        f"{where}, {word} labels": [
            table.cell(model=model, label_noise=noise).values(f"accuracy/{where}")
            for model in MODELS
        ]
        for word, noise in (("true", TRUE), ("random", RANDOM))
        for where in ("train", "test")
    }
    bars(path, "Random labels are fitted as well as true ones", MODELS, series)


LESSON = Lesson(
    title="Random labels are learned by heart",
    published="100 % train accuracy on random labels and chance on test, for every architecture, in"
    " about 1.5 to 3.5 times as many steps (Zhang 2017)",
    question="every label is drawn by lot. How many of 1,000 faces will the network get right, and"
    " how many steps will it take?",
    plans={
        "labels": Plan(
            small(
                steps=1500, every=25, data={"num_train": 1000, "num_test": 2000, "variation": 0.3}
            ),
            {"model": MODELS, "label_noise": (TRUE, RANDOM)},
        )
    },
    seconds=190,
    check=check,
    plot=plot,
)
