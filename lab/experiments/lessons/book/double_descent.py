"""Double descent: test error over width, with label noise."""

from pathlib import Path

import numpy as np

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, some_exceed
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import lines
from lab.experiments.lessons.tries import Pinned, Try
from lab.experiments.metrics import FITTED
from lab.experiments.plan import Plan, Tables

WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 32)


def check(tables: Tables) -> list[Claim]:
    cells = tables["widths"].cells
    train, test = (
        np.stack([cell.values(f"accuracy/{where}") for cell in cells])
        for where in ("train", "test")
    )
    fitting = np.flatnonzero(train.mean(axis=1) >= FITTED)
    there = int(fitting[0]) if len(fitting) else len(cells)
    if not 0 < there < len(cells) - 1:
        best = f"training accuracy at most {train.mean(axis=1).max():.3f}"
        return [Claim("the smallest width that fits all labels is neither the first nor the last",
                      "not enough evidence", best)]  # fmt: skip
    width = cells[there].settings["width"]
    claims = []
    for text, which, side in (
        (
            f"test accuracy falls up to the smallest width that fits all labels ({width})",
            "smaller",
            slice(0, there),
        ),
        ("it rises again beyond that width", "larger", slice(there + 1, None)),
    ):
        options = {
            f"width {cell.settings['width']}": values
            for cell, values in zip(cells[side], test[side], strict=True)
        }
        claims.append(some_exceed(f"{text}: a {which} one is better", options, test[there]))
    return claims


def plot(tables: Tables, path: Path) -> None:
    cells = tables["widths"].cells
    series = {
        name: [1 - cell.values(tag) for cell in cells]
        for name, tag in (("train error", "accuracy/train"), ("test error", "accuracy/test"))
    }
    title = "Test error over width, with 20 % wrong labels"
    lines(path, title, WIDTHS, series, xlabel="width", ylabel="error", log=True, guess=None)


LESSON = Lesson(
    title="Double descent (slow)",
    published="with label noise test error peaks where train error first reaches 0, and falls again"
    " in wider networks (Nakkiran 2020, figure 1)",
    question="one label in five is wrong. Which has the highest test error: a network that is too"
    " small to fit all labels, one that just can, or one that could fit many more?",
    chapter="Memorizing",
    place=5,
    guess=Guess(
        (
            "One that is too small to fit all labels",
            "One that just can fit them",
            "One that could fit many more",
        ),
        if_confirmed(1),
    ),
    meaning="The network that can just fit all labels, wrong ones included, is the worst about"
    " unseen faces. Smaller networks cannot fit the wrong labels; larger ones fit them, and are"
    " right about more unseen faces all the same. So a larger network is neither always better nor"
    " always worse.",
    tries=(
        Try(
            text="Compare the networks of width 6 and 32 on the same face.",
            pins=(Pinned("widths", {"width": 6}), Pinned("widths", {"width": 32})),
        ),
        Try(
            text="Train a very small network with wrong labels, then a wide one. Which fits them?",
            train="num_train:300,label_noise:0.2,width:2,steps:1500",
        ),
        Try(
            text="See whether wrong labels are needed for it.",
            command="python3 scripts/sweep.py --grid width=1,2,4,8,16,32 label_noise=0,0.2"
            " --num-train 1000 --steps 2000",
        ),
    ),
    papers=(
        ("Nakkiran et al., Deep double descent, ICLR 2020", "https://arxiv.org/abs/1912.02292"),
    ),
    plans={
        "widths": Plan(
            small(
                steps=4000,
                data={"num_train": 3000, "variation": 0.3, "label_noise": 0.2,
                      "label_noise_kind": "flip"},
                train={"learning_rate": 1e-3},
            ),
            {"width": WIDTHS},
        )
    },
    seconds=1600,
    check=check,
    plot=plot,
)  # fmt: skip
