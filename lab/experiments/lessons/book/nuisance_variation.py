"""Test accuracy with little and with full variation of the nuisances, over training-set size."""

import math
from collections.abc import Sequence
from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, greater, rises
from lab.experiments.lessons.guess import Guess, bin_of
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import lines
from lab.experiments.lessons.tries import Pinned, Try
from lab.experiments.plan import Plan, Tables

SIZES = (30, 100, 300, 1000)
VARIATIONS = (0.1, 0.4, 1.0)


def check(tables: Tables) -> list[Claim]:
    table = tables["worlds"]
    claims = []
    for size in SIZES[1:]:
        easy, hard = (table.cell(num_train=size, variation=v) for v in (0.1, 1.0))
        claims.append(
            greater(f"with {size:,} faces test accuracy is higher at little variation of the"
                    " nuisances",
                    easy.values("accuracy/test"), hard.values("accuracy/test"))
        )  # fmt: skip
    tens = [math.log10(size) for size in SIZES]
    hard_cells = table.where(variation=1.0)
    claims.append(
        rises("at full variation test accuracy rises with the number of faces", tens,
              [cell.values("accuracy/test") for cell in hard_cells])
    )  # fmt: skip
    return claims


def enough(tables: Tables, claims: Sequence[Claim]) -> int | None:
    """The smallest number of faces that is surely enough for 90 %, if all smaller ones surely are
    not."""
    for place, size in enumerate(SIZES):
        cell = tables["worlds"].cell(num_train=size, variation=VARIATIONS[0])
        side = bin_of(cell.values("accuracy/test"), (0.9,))
        if side != 0:
            return place if side else None
    return None


def plot(tables: Tables, path: Path) -> None:
    series = {
        f"variation {v:g}": [c.values("accuracy/test") for c in tables["worlds"].where(variation=v)]
        for v in VARIATIONS
    }
    title = "Less variation of the nuisances needs fewer faces"
    lines(path, title, SIZES, series, xlabel="training faces", ylabel="test accuracy", log=True)


LESSON = Lesson(
    title="Fewer nuisances to ignore, fewer faces needed",
    published="no single source; a common statement: a network learns to ignore a nuisance only if"
    " it varies in training, so that more variation needs more examples",
    question="if faces differed little except in their parts, how many would be enough for a test"
    " accuracy of 90 %?",
    chapter="What helps",
    place=1,
    guess=Guess(tuple(f"{size:,} faces" for size in SIZES), enough),
    meaning="If faces differ in little but their parts, there is little that could be mistaken for"
    " the rule, and few faces are enough. With full variation the same number leaves the network"
    " far behind. So whether a collection of pictures is large enough depends on what varies in"
    " it.",
    tries=(
        Try(
            text="Compare the networks of 100 faces with little and with full variation: what moves"
            " which of them?",
            pins=(
                Pinned("worlds", {"num_train": 100, "variation": 0.1}),
                Pinned("worlds", {"num_train": 100, "variation": 1.0}),
            ),
        ),
        Try(
            text="Train on faces that differ in little but their parts.",
            command="python3 scripts/train.py --variation 0.1",
        ),
        Try(
            text="Augmentation varies training faces by itself. Does it help with few of them?",
            train="num_train:100,augment:true,steps:1000",
        ),
    ),
    papers=(),
    plans={
        "worlds": Plan(small(steps=800), {"num_train": SIZES, "variation": VARIATIONS}),
    },
    seconds=244,
    check=check,
    plot=plot,
)
