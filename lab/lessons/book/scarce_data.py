"""Fewer faces, more memorizing: the gap and the membership attack over training-set size."""

import math
from pathlib import Path

import numpy as np

from lab.lessons.base import small
from lab.lessons.claims import Claim, falls, in_words
from lab.lessons.lesson import Lesson, Plan, Tables
from lab.lessons.plots import lines
from lab.measure import fit_power_law

SIZES = (32, 100, 300, 1000, 3000)
NAMES = {
    "train accuracy": "accuracy/train",
    "test accuracy": "accuracy/test",
    "membership AUC": "memorization/membership_auc",
}


def check(tables: Tables) -> list[Claim]:
    cells = tables["sizes"].cells
    tens = [math.log10(size) for size in SIZES]
    errors = [1 - cell.values("accuracy/test") for cell in cells]
    law = fit_power_law(
        np.repeat(SIZES[1:], [len(e) for e in errors[1:]]).tolist(),
        np.concatenate(errors[1:]).tolist(),
    )
    low, high = law.exponent.ends
    fit = f"error = {law}, exponent {in_words(law.exponent)}"
    power = Claim(
        "test error falls as a power of the number of faces (100 and more)",
        "confirmed" if high < 0 else "refuted" if low > 0 else "not enough evidence",
        fit,
    )
    return [
        falls("the gap falls with every ten times as many faces", tens,
              [cell.values("gap/accuracy") for cell in cells]),
        falls("the membership attack gets weaker", tens,
              [cell.values("memorization/membership_auc") for cell in cells]),
        power,
    ]  # fmt: skip


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
    plans={"sizes": Plan(small(steps=1000), {"num_train": SIZES})},
    seconds=134,
    check=check,
    plot=plot,
)
