"""Simple patterns first: mislabelled faces are first given their true label, and fitted later."""

from pathlib import Path

import numpy as np

from lab.lessons.base import small
from lab.lessons.claims import Claim, Numbers, greater
from lab.lessons.lesson import Lesson, Plan, Tables
from lab.lessons.plots import lines
from lab.sweep import Cell

TRUE, WRONG = "memorization/mislabelled_true_label", "memorization/mislabelled_fitted"


def at_best(cell: Cell, tag: str) -> Numbers:
    """The value of `tag` (S,) at each seed's evaluation of best test accuracy."""
    best = cell.curves("accuracy/test").values.argmax(axis=1)
    values = cell.curves(tag).values
    picked: Numbers = values[np.arange(len(best)), best]
    return picked


def check(tables: Tables) -> list[Claim]:
    (cell,) = tables["noise"].cells
    return [
        greater("where test accuracy is best, mislabelled faces mostly get their true label",
                at_best(cell, TRUE), at_best(cell, WRONG)),
        greater("at the end most of them get the wrong label that they came with",
                cell.values(WRONG), cell.values(TRUE)),
        greater("what was known about unseen faces is partly lost by then",
                at_best(cell, "accuracy/test"), cell.values("accuracy/test")),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    (cell,) = tables["noise"].cells
    steps = [int(step) for step in cell.curves(TRUE).steps]
    series = {
        name: list(cell.curves(tag).values.T)
        for name, tag in (
            ("test accuracy", "accuracy/test"),
            ("mislabelled: given the true label", TRUE),
            ("mislabelled: given the wrong label", WRONG),
        )
    }
    title = "First the rule, then the exceptions"
    lines(path, title, steps, series, xlabel="optimizer steps", ylabel="share")


LESSON = Lesson(
    title="Simple patterns come first",
    published="networks learn simple patterns first: at the step of best test accuracy mislabelled"
    " examples are still mostly given their true label; later they are fitted (Arpit 2017)",
    question="three in ten labels are wrong. Will the network give these faces their wrong label"
    " from the beginning?",
    plans={
        "noise": Plan(
            small(
                width=16,
                steps=1600,
                every=50,
                data={"num_train": 1000, "num_test": 500, "label_noise": 0.3,
                      "label_noise_kind": "flip"},
            ),
            {},
        )
    },
    seconds=150,
    check=check,
    plot=plot,
)  # fmt: skip
