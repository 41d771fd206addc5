"""Fewer faces, more memorizing: the gap and the membership attack over training-set size."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lab.experiments import Cell
from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, every, falls, in_words, near
from lab.experiments.lessons.lesson import Lesson, Plan, Tables
from lab.experiments.show.curves import above_guessing, errors_of, power_law
from lab.experiments.show.style import lines

SIZES = (32, 100, 300, 1000, 3000, 10_000)
OFF = 0.15
"""How far from the power law a size may be for it to hold, in logarithms: some 15 %."""
TEST = "accuracy/test"
NAMES = {
    "train accuracy": "accuracy/train",
    "test accuracy": TEST,
    "membership AUC": "memorization/membership_auc",
}


def check(tables: Tables) -> list[Claim]:
    cells = tables["sizes"].cells
    tens = [math.log10(size) for size in SIZES]
    return [
        falls("the gap falls with every ten times as many faces", tens,
              [cell.values("gap/accuracy") for cell in cells]),
        falls("the membership attack gets weaker", tens,
              [cell.values("memorization/membership_auc") for cell in cells]),
        *_power(cells),
    ]  # fmt: skip


def _power(cells: Sequence[Cell]) -> list[Claim]:
    """That the error falls, and that it does so as a power, among the sizes that beat a guess."""
    law = power_law(cells, TEST)
    if law is None:
        return [Claim("test error falls", "not enough evidence", "no size beats a guess")]
    low, high = law.exponent.interval
    falling = Claim(
        "test error falls with the number of faces",
        "confirmed" if high < 0 else "refuted" if low > 0 else "not enough evidence",
        f"error = {law}, exponent {in_words(law.exponent)}",
    )
    straight = {}
    for cell in above_guessing(cells, TEST):
        size = cell.settings["num_train"]
        off = np.log(errors_of(cell, TEST)) - math.log(law.at(size).value)
        straight[f"{size:,} faces"] = near("", off, 0.0, within=OFF)
    return [
        falling,
        every(f"as a power: no size is off the law by {OFF} (of a logarithm)", straight),
    ]


def plot(tables: Tables, path: Path) -> None:
    cells = tables["sizes"].cells
    series = {name: [cell.values(tag) for cell in cells] for name, tag in NAMES.items()}
    title = "Few faces are memorized, many are learned"
    lines(path, title, SIZES, series, xlabel="training faces", log=True)


LESSON = Lesson(
    title="Scarce data is memorized",
    published="test error falls as a power law in the number of samples (Hestness 2017);"
    " membership inference grows with the gap (Yeom 2018)",
    question="with ten times as many faces, by how much does the gap between studied and unseen"
    " faces shrink?",
    plans={"sizes": Plan(small(steps=1500), {"num_train": SIZES})},
    seconds=190,
    check=check,
    plot=plot,
)
