"""The ideal world: training on new faces at every step, against re-used training sets."""

from collections.abc import Sequence
from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, falls, greater, near
from lab.experiments.lessons.guess import Guess, bin_of
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import lines
from lab.experiments.lessons.tries import Pinned, Try
from lab.experiments.plan import Plan, Tables

SIZES = (100, 1000, 3000)


def check(tables: Tables) -> list[Claim]:
    (ideal,) = tables["ideal"].cells
    real = tables["real"].cells
    lost = [ideal.values("accuracy/test") - cell.values("accuracy/test") for cell in real]
    return [
        greater("test accuracy is higher with new faces at every step than with 100 re-used ones",
                ideal.values("accuracy/test"), real[0].values("accuracy/test")),
        falls("the loss of test accuracy by re-use falls with the number of faces",
              range(len(SIZES)), lost),
        near("with new faces at every step the membership AUC is 0.5 (± 0.02)",
             ideal.values("memorization/membership_auc"), 0.5, within=0.02),
    ]  # fmt: skip


def behind(tables: Tables, claims: Sequence[Claim]) -> int | None:
    """How far 100 re-used faces are behind: below 0.05, up to 0.2, or more."""
    (ideal,) = tables["ideal"].cells
    real = tables["real"].cells[0]
    return bin_of(
        ideal.values("accuracy/test") - real.values("accuracy/test"), (0.05, 0.2), ends=(-1, 1)
    )


def plot(tables: Tables, path: Path) -> None:
    (ideal,) = tables["ideal"].cells
    curves = ideal.curves("accuracy/test")
    series = {"new faces at every step": list(curves.values.T)}
    for size, cell in zip(SIZES, tables["real"].cells, strict=True):
        series[f"{size:,} faces, re-used"] = list(cell.curves("accuracy/test").values.T)
    title = "Test accuracy with new faces at every step, and with re-used ones"
    steps = [int(step) for step in curves.steps]
    lines(path, title, steps, series, xlabel="optimizer steps", ylabel="test accuracy")


def _world(online: bool, **data: int) -> Plan:
    base = small(steps=1200, every=100, data={"num_test": 1000, **data}, train={"online": online})
    return Plan(base, {"num_train": [1000] if online else SIZES})


LESSON = Lesson(
    title="The ideal world: new faces at every step",
    published="test error in the real world is that of an ideal one with fresh samples at every"
    " step, plus the cost of re-use (Deep Bootstrap, Nakkiran 2021)",
    question="after 1,200 steps of 64 faces, how far behind is a network that saw 100 faces 768"
    " times each?",
    chapter="Memorizing",
    place=3,
    guess=Guess(
        (
            "By fewer than 5 unseen faces of 100",
            "By 5 to 20 of 100",
            "By more than 20 of 100",
        ),
        behind,
    ),
    meaning="The networks made the same number of steps and differ only in whether faces came back."
    " What the others lack is therefore the price of re-use, and it falls with the number of faces."
    " Where no face came back, the losses do not tell which faces were studied.",
    tries=(
        Try(
            text="Compare a network that saw 100 faces again and again with one that saw none"
            " twice: move the face to the side, or change its size.",
            pins=(Pinned("real", {"num_train": 100}), Pinned("ideal")),
        ),
        Try(
            text="Train with new faces at every step. What does the membership AUC on the card of"
            " the run say?",
            train="online:true,steps:1000",
        ),
        Try(
            text="Take more steps: does the network that re-uses its faces catch up?",
            train="num_train:100,steps:2000",
        ),
    ),
    papers=(
        (
            "Nakkiran et al., The deep bootstrap framework, ICLR 2021",
            "https://arxiv.org/abs/2010.08127",
        ),
    ),
    plans={"ideal": _world(True), "real": _world(False)},
    seconds=172,
    check=check,
    plot=plot,
)
