"""Architectures compared where only the arrangement of parts tells persons from scrambled faces.

The network of local patches does not even fit the training set: no patch contains anything that it
could memorize within these steps.
"""

from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, at_least, greater
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.tries import Pinned, Try
from lab.experiments.plan import Plan, Tables

MODELS = ("cnn", "mlp", "bagnet")
EASY, HARD = ("object",), ("scrambled",)


def check(tables: Tables) -> list[Claim]:
    table = tables["worlds"]
    cnn = table.cell(model="cnn", subpopulations=HARD)
    claims = [
        at_least(f"{model}: training accuracy is 0.97 or more",
                 table.cell(model=model, subpopulations=HARD).values("accuracy/train"), 0.97)
        for model in MODELS
    ]  # fmt: skip
    for model in MODELS[1:]:
        other = table.cell(model=model, subpopulations=HARD)
        claims.append(
            greater(f"{model}: test accuracy on persons and scrambled faces is below that of cnn",
                    cnn.values("accuracy/test"), other.values("accuracy/test"))
        )  # fmt: skip
        easy, hard = (
            table.cell(model="cnn", subpopulations=kinds).values("accuracy/test")
            - table.cell(model=model, subpopulations=kinds).values("accuracy/test")
            for kinds in (EASY, HARD)
        )
        claims.append(
            greater(
                f"{model}: the difference to cnn is larger there than on persons and objects",
                hard,
                easy,
            )
        )
    return claims


def plot(tables: Tables, path: Path) -> None:
    table = tables["worlds"]
    series = {
        f"{word}, {where}": [
            table.cell(model=model, subpopulations=kinds).values(f"accuracy/{where}")
            for model in MODELS
        ]
        for word, kinds in (("objects", EASY), ("scrambled faces", HARD))
        for where in ("train", "test")
    }
    bars(path, "Persons against objects, and against scrambled faces", MODELS, series)


LESSON = Lesson(
    title="The wrong architecture memorizes",
    published="an architecture that is not appropriate memorizes where another learns; networks of"
    " local patches cannot see arrangement (Brendel & Bethge 2019)",
    question="a multilayer perceptron, a network of small patches and a convolutional network are"
    " trained on the same faces. Which of them recognizes unseen scrambled faces?",
    chapter="What helps",
    place=3,
    guess=Guess(
        (
            "All three alike",
            "The convolutional network, more than the others",
            "The network of small patches, more than the others",
            "The multilayer perceptron, more than the others",
        ),
        if_confirmed(1, 3, 5),
    ),
    meaning="In a scrambled face all parts are there, in wrong places. The network of small patches"
    " cannot see places, and does not even fit its training faces; the perceptron fits them all,"
    " but much of that is memorized. How a network is built decides what it can learn, and what it"
    " can only learn by heart.",
    tries=(
        Try(
            text="Show the convolutional network and the perceptron one face, and swap its parts:"
            " whose prediction follows?",
            pins=(
                Pinned("worlds", {"model": "cnn", "subpopulations": HARD}),
                Pinned("worlds", {"model": "mlp", "subpopulations": HARD}),
            ),
        ),
        Try(
            text="Read what the lab says of a perceptron, and of the default network.",
            command="python3 scripts/train.py --model mlp --num-train 1000",
        ),
        Try(
            text="Compare networks on one page.",
            command="python3 scripts/report_card.py --model mlp",
        ),
    ),
    papers=(
        (
            "Brendel & Bethge, Approximating CNNs with bag-of-local-features models works"
            " surprisingly well on ImageNet, ICLR 2019",
            "https://arxiv.org/abs/1904.00760",
        ),
    ),
    plans={
        "worlds": Plan(
            small(steps=800, data={"num_train": 1000}),
            {"model": MODELS, "subpopulations": [EASY, HARD]},
        )
    },
    seconds=110,
    check=check,
    plot=plot,
)
