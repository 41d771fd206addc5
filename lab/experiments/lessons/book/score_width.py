"""Memorization scores along the width of the network."""

from pathlib import Path

import numpy as np

from lab.experiments.lessons.claims import Claim, Numbers, falls, greater, rises
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import lines
from lab.experiments.lessons.pools import (
    ORDINARY,
    TAIL,
    WRONG,
    by_face,
    faces,
    mean_score,
    only,
)
from lab.experiments.lessons.tries import Try
from lab.experiments.plan import PoolPlan, Tables
from lab.experiments.table import Cell

SHARED = TAIL.base.model.width

WIDTHS = (2, SHARED, 16)

FEW = 10
"""Networks of the narrow and the wide pools: means over faces need no more, and a network of width
2 takes six times as many steps as one of width 8."""

MUCH = 0.25
"""A change of a face's score that counts as one: with half of the networks most of it is noise, so
that the other half decides whether it is a change."""

HALVES = ("first_half", "second_half")


def along(tables: Tables) -> list[Cell]:
    """The pools of each width."""
    return [
        only(tables, "pools") if width == SHARED else tables["widths"].cell(width=width)
        for width in WIDTHS
    ]


def polarization(cell: Cell) -> Numbers:
    """How far the scores lie at 0 and 1 (S,): the variance of the scores over the faces as a share
    of what it would be if all were 0 or 1, with the same mean. The variance is the covariance of
    the scores by two halves of the networks, in which the noise of either has no part."""
    found = []
    for run in cell.runs:
        one, other = (by_face(run, half) for half in HALVES)
        known = np.isfinite(one) & np.isfinite(other)
        mean = (one[known].mean() + other[known].mean()) / 2
        found.append(np.cov(one[known], other[known])[0, 1] / (mean * (1 - mean)))
    return np.array(found)


def chosen(narrow: Cell, wide: Cell, *, sign: int) -> Numbers:
    """Of the faces whose score by one half of the networks rises (or falls: `sign` -1) by `MUCH` or
    more with the width, the mean change by the other half (S,), both ways round; NaN: no such
    face."""
    found = []
    for one, other in zip(narrow.runs, wide.runs, strict=True):
        changes = [by_face(other, half) - by_face(one, half) for half in HALVES]
        means = []
        for choosing, judging in (changes, changes[::-1]):
            among = (sign * choosing >= MUCH - 1e-9) & np.isfinite(judging)
            means.append(judging[among].mean() if among.any() else np.nan)
        found.append(np.mean(means))
    return np.array(found)


def check(tables: Tables) -> list[Claim]:
    cells = along(tables)
    xs = np.log2(WIDTHS).tolist()
    ends = cells[0], cells[-1]
    nothing = 0 * mean_score(cells[0], ORDINARY)
    return [
        falls("the mean score of ordinary faces falls with width (slope for twice the width)",
              xs, [mean_score(cell, ORDINARY) for cell in cells]),
        rises("that of faces with a wrong label rises",
              xs, [mean_score(cell, WRONG) for cell in cells]),
        greater(f"some faces rise: those that rise by {MUCH:g} or more by half of the networks do"
                " so by the other half, too (mean change)",
                chosen(*ends, sign=1), nothing),
        greater("and some fall (mean fall)", -chosen(*ends, sign=-1), nothing),
        rises("scores move to both ends: their variance, as a share of what it were if all were 0"
              " or 1, rises", xs, [polarization(cell) for cell in cells]),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    cells = along(tables)
    series = {
        "mean score, ordinary": [mean_score(cell, ORDINARY) for cell in cells],
        "mean score, wrong label": [mean_score(cell, WRONG) for cell in cells],
        "polarization": [polarization(cell) for cell in cells],
    }
    lines(path, "Memorization scores along width", WIDTHS, series, xlabel="width",
          ylabel="share", log=True, guess=None)  # fmt: skip


LESSON = Lesson(
    title="What do wider networks memorize?",
    published="along model size memorization scores of most examples fall, and those of others rise"
    " or are highest in between; scores become more bimodal (Lukasik 2023)",
    question="a wider network generalizes better. Does it memorize every face less than a narrow"
    " one?",
    chapter="Which faces",
    place=5,
    guess=Guess(
        (
            "Yes, all of them less",
            "No: ordinary faces less, and faces with wrong labels more",
            "No: it can hold more, and memorizes all of them more",
        ),
        if_confirmed(1, 0, 1),
    ),
    meaning="Where a wider network finds the rule, it needs to memorize fewer of the faces that"
    " follow it, and for each single face it becomes clearer whether it is memorized or not: the"
    " scores move to both ends. A wrong label follows no rule, and has to be memorized at any"
    " width.",
    tries=(
        Try(
            text="Compare the pages of a narrow and a wide pool on the same faces.",
            command="python3 scripts/pool.py --networks 40 --label-noise 0.2 --width 2",
        ),
        Try(
            text="And another kind of network.",
            command="python3 scripts/pool.py --networks 40 --label-noise 0.2 --model mlp",
        ),
        Try(
            text="Train a narrow network on 60 faces. Does it fit wrong labels?",
            train="num_train:60,label_noise:0.2,width:2",
        ),
    ),
    papers=(
        ("Lukasik et al., What do larger image classifiers memorise? TMLR 2024",
         "https://arxiv.org/abs/2310.05337"),
    ),
    plans={
        "widths": PoolPlan(
            faces(), {"width": [width for width in WIDTHS if width != SHARED]}, networks=FEW
        ),
        "pools": TAIL,
    },
    seconds=700,
    check=check,
    plot=plot,
)  # fmt: skip
