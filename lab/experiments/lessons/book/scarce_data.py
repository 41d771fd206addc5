"""Generalization gap, membership AUC and test error over training-set size."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lab.core.words import estimated
from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, every, falls, near
from lab.experiments.lessons.guess import Guess, bin_of
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.tries import Pinned, Try
from lab.experiments.plan import Tables
from lab.experiments.presets import learning_curve
from lab.experiments.show import style
from lab.experiments.show.curves import above_guessing, errors_of, power_law
from lab.experiments.table import Cell

SIZES = (32, 100, 300, 1000, 3000, 10_000)
OFF = 0.15
"""Largest deviation of the log error from the power law: some 15 % of the error."""


def check(tables: Tables) -> list[Claim]:
    cells = tables["sizes"].cells
    tens = [math.log10(size) for size in SIZES]
    return [
        falls("the generalization gap falls with the number of faces", tens,
              [cell.values(learning_curve.GAP) for cell in cells]),
        falls("so does the membership AUC", tens,
              [cell.values(learning_curve.AUC) for cell in cells]),
        *_power(cells),
    ]  # fmt: skip


def _power(cells: Sequence[Cell]) -> list[Claim]:
    """Claims: the error falls, and by a power law, among the sizes with accuracy above chance."""
    law = power_law(cells, learning_curve.TEST)
    if law is None:
        return [Claim("test error falls", "not enough evidence", "no size is above chance")]
    low, high = law.exponent.interval
    falling = Claim(
        "test error falls with the number of faces",
        "confirmed" if high < 0 else "refuted" if low > 0 else "not enough evidence",
        f"error = {law}, exponent {estimated(law.exponent, 3)}",
    )
    straight = {}
    for cell in above_guessing(cells, learning_curve.TEST):
        size = cell.settings["num_train"]
        off = np.log(errors_of(cell, learning_curve.TEST)) - math.log(law.at(size).value)
        straight[f"{size:,} faces"] = near("", off, 0.0, within=OFF)
    return [
        falling,
        every(f"by a power law: at each size log error is within {OFF} of it", straight),
    ]


def fall(tables: Tables, claims: Sequence[Claim]) -> int | None:
    """By how much the gap falls from 100 to 1,000 faces: below 0.1, up to 0.3, or more."""
    few, many = (tables["sizes"].cell(num_train=size) for size in (100, 1000))
    gap = learning_curve.GAP
    return bin_of(few.values(gap) - many.values(gap), (0.1, 0.3), ends=(-1, 1))


def plot(tables: Tables, path: Path) -> None:
    path.write_bytes(style.png(learning_curve.figure(tables["sizes"].cells)))


LESSON = Lesson(
    title="Small training sets are memorized",
    published="test error falls as a power law in the number of samples (Hestness 2017);"
    " membership inference grows with the gap (Yeom 2018)",
    question="by how much does the generalization gap fall with ten times as many training faces?",
    chapter="Memorizing",
    place=1,
    guess=Guess(
        (
            "From 100 to 1,000 faces: by less than 10 points of 100",
            "By 10 to 30 points",
            "By more than 30 points",
        ),
        fall,
    ),
    meaning="The same network, trained on more faces, is right about as many of them, but about"
    " ever more unseen ones. There is no number of faces at which memorizing suddenly ends: gap and"
    " membership AUC fall step by step. The line of the errors tells how many faces would be needed"
    " for a given accuracy.",
    tries=(
        Try(
            text="Compare the networks of 32 and of 10,000 faces: change a nuisance, such as the"
            " background, and see whose prediction moves.",
            pins=(Pinned("sizes", {"num_train": 32}), Pinned("sizes", {"num_train": 10_000})),
        ),
        Try(
            text="Train on 20 faces, then on 500. How many unseen faces does each get right?",
            train="num_train:20",
        ),
        Try(
            text="Draw the whole curve, for another network, too.",
            command="python3 scripts/learning_curve.py --model mlp",
        ),
    ),
    papers=(
        (
            "Hestness et al., Deep learning scaling is predictable, empirically, 2017",
            "https://arxiv.org/abs/1712.00409",
        ),
        (
            "Yeom et al., Privacy risk in machine learning, CSF 2018",
            "https://arxiv.org/abs/1709.01604",
        ),
    ),
    plans={"sizes": learning_curve.plan(small(steps=1500), SIZES)},
    seconds=190,
    check=check,
    plot=plot,
)
