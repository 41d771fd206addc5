"""Test accuracy with little and with full variation of the nuisances, over training-set size."""

import math
from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, greater, rises
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import lines
from lab.experiments.plan import Plan, Tables

SIZES = (30, 100, 300, 1000)
VARIATIONS = (0.1, 0.4, 1.0)


def check(tables: Tables) -> list[Claim]:
    table = tables["worlds"]
    claims = []
    for size in SIZES[1:]:
        easy, hard = (table.cell(num_train=size, variation=v) for v in (0.1, 1.0))
        claims.append(
            greater(f"with {size:,} faces test accuracy is higher where people differ little",
                    easy.values("accuracy/test"), hard.values("accuracy/test"))
        )  # fmt: skip
    tens = [math.log10(size) for size in SIZES]
    hard_cells = table.where(variation=1.0)
    claims.append(
        rises("where they differ fully, more faces make up for it", tens,
              [cell.values("accuracy/test") for cell in hard_cells])
    )  # fmt: skip
    return claims


def plot(tables: Tables, path: Path) -> None:
    series = {
        f"variation {v:g}": [c.values("accuracy/test") for c in tables["worlds"].where(variation=v)]
        for v in VARIATIONS
    }
    title = "Where people differ less, fewer faces are enough"
    lines(path, title, SIZES, series, xlabel="training faces", ylabel="test accuracy", log=True)


LESSON = Lesson(
    title="An easier world needs fewer faces",
    published="no single source: it is said that what must be ignored must be seen to vary, so that"
    " a world with more nuisances asks for more examples",
    question="if all faces were nearly alike but for their parts, how many would be enough for 90"
    " %?",
    plans={
        "worlds": Plan(small(steps=800), {"num_train": SIZES, "variation": VARIATIONS}),
    },
    seconds=244,
    check=check,
    plot=plot,
)
