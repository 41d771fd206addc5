"""Double descent: larger networks get worse, and then better again."""

from pathlib import Path

from lab.lessons.base import small
from lab.lessons.claims import Claim, greater
from lab.lessons.lesson import Lesson, Plan, Tables
from lab.lessons.plots import lines

WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 32)
FITS = 0.99


def check(tables: Tables) -> list[Claim]:
    cells = tables["widths"].cells
    threshold = next(
        (i for i, cell in enumerate(cells) if cell.values("accuracy/train").mean() >= FITS),
        len(cells) - 1,
    )
    there = cells[threshold]
    smaller = max(cells[: max(1, threshold)], key=lambda c: c.values("accuracy/test").mean())
    larger = max(cells[threshold:], key=lambda c: c.values("accuracy/test").mean())
    width = there.settings["width"]
    return [
        greater(f"test accuracy falls up to the width ({width}) that fits all labels: width"
                f" {smaller.settings['width']} is better",
                smaller.values("accuracy/test"), there.values("accuracy/test")),
        greater(f"and rises again beyond it: width {larger.settings['width']} is better",
                larger.values("accuracy/test"), there.values("accuracy/test")),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    cells = tables["widths"].cells
    series = {
        name: [1 - cell.values(tag) for cell in cells]
        for name, tag in (("train error", "accuracy/train"), ("test error", "accuracy/test"))
    }
    title = "One fifth of the labels wrong: is there a second descent?"
    lines(path, title, WIDTHS, series, xlabel="width", ylabel="error", log=True, guess=None)


LESSON = Lesson(
    title="Double descent (slow)",
    published="with label noise test error peaks where train error first reaches 0, and falls again"
    " in wider networks (Nakkiran 2020, figure 1)",
    question="one label in five is wrong. Which is worse: a network that is too small to fit them"
    " all, one that just can, or one that could fit many more?",
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
