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
    plans={
        "worlds": Plan(small(steps=800), {"num_train": SIZES, "variation": VARIATIONS}),
    },
    seconds=244,
    check=check,
    plot=plot,
)
