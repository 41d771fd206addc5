"""Simple patterns first: mislabeled faces are first given their true label, and fitted later.

It holds at little variation of the nuisances. At full variation 1,000 faces are too few to learn
the rule quickly, and a network fits wrong labels at the same time.
"""

from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, Numbers, greater, some_exceed
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import lines
from lab.experiments.lessons.tries import Try
from lab.experiments.plan import Plan, Tables
from lab.experiments.table import Cell

TRUE, WRONG = "memorization/mislabeled_true_label", "memorization/mislabeled_fitted"
EASY, FULL = 0.3, 1.0


def at_best(cell: Cell, tag: str) -> Numbers:
    """The value of `tag` (S,) at the evaluation at which the mean accuracy on the validation faces,
    which no other claim uses, is best."""
    best = cell.curves("accuracy/validation").values.mean(axis=0).argmax()
    values: Numbers = cell.curves(tag).values[:, best]
    return values


def check(tables: Tables) -> list[Claim]:
    easy, full = (tables["noise"].cell(variation=variation) for variation in (EASY, FULL))
    test = easy.curves("accuracy/test")
    earlier = {
        f"step {step}": values
        for step, values in zip(test.steps.tolist(), test.values.T, strict=True)
    }
    end = earlier.popitem()[1]
    return [
        greater("at the step of best validation accuracy the true label is predicted for more"
                " mislabeled faces than the given one",
                at_best(easy, TRUE), at_best(easy, WRONG)),
        greater("at the end the given, wrong label is predicted for more of them than at that step",
                easy.values(WRONG), at_best(easy, WRONG)),
        some_exceed("test accuracy is higher at an earlier step than at the end", earlier, end),
        greater("at full variation the true label is predicted for fewer of them at the best step",
                at_best(easy, TRUE), at_best(full, TRUE)),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    series = {}
    steps: list[int] = []
    for variation, word in ((EASY, "little variation"), (FULL, "full variation")):
        cell = tables["noise"].cell(variation=variation)
        steps = [int(step) for step in cell.curves(TRUE).steps]
        series[f"{word}: test accuracy"] = list(cell.curves("accuracy/test").values.T)
        series[f"{word}: mislabeled, true label"] = list(cell.curves(TRUE).values.T)
    title = "Mislabeled faces: first the true label, later the given one"
    lines(path, title, steps, series, xlabel="optimizer steps", ylabel="share")


LESSON = Lesson(
    title="Simple patterns come first",
    published="networks learn simple patterns first: at the step of best test accuracy mislabeled"
    " examples are still mostly given their true label; later they are fitted (Arpit 2017)",
    question="one label in five is wrong. Will the network predict the wrong labels of these faces"
    " from the beginning?",
    chapter="Memorizing",
    place=2,
    guess=Guess(
        (
            "Yes: wrong labels are learned as fast as right ones",
            "No: first it gives most of these faces their true label, and the wrong one later",
            "No: it gives them their true label to the end",
        ),
        if_confirmed(1, 0, 1),
    ),
    meaning="What holds for most faces is learned first, and exceptions come later. So a network"
    " that is stopped early can see through wrong labels, and one that is trained to the end knows"
    " them by heart. Where faces vary much the rule takes longer to find, and fewer wrong labels"
    " are seen through.",
    tries=(
        Try(
            text="Train with one label in five wrong. Then open Over training, click a training"
            " face with a wrong label, and drag the timeline: when does the prediction turn?",
            train="num_train:60,label_noise:0.2",
        ),
        Try(
            text="Let the lab stop the training when validation faces say so. Does it see through"
            " more wrong labels?",
            command="python3 scripts/train.py --num-train 1000 --label-noise 0.2 --variation 0.3"
            " --early-stopping 5",
        ),
        Try(
            text="Which faces are memorized? Train many networks, each without some of the faces.",
            command="python3 scripts/pool.py --networks 60 --label-noise 0.2",
        ),
    ),
    papers=(
        ("Arpit et al., A closer look at memorization in deep networks, ICML 2017",
         "https://arxiv.org/abs/1706.05394"),
    ),
    plans={
        "noise": Plan(
            small(
                steps=1600,
                every=50,
                data={"num_train": 1000, "num_test": 500, "label_noise": 0.2,
                      "label_noise_kind": "flip"},
                train={"num_validation": 500},
            ),
            {"variation": (EASY, FULL)},
        )
    },
    seconds=110,
    check=check,
    plot=plot,
)  # fmt: skip
