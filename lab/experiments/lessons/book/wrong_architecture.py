"""Architectures compared where only the arrangement of parts tells persons from scrambled faces.

The network of local patches does not even fit them: where only the arrangement tells a person from
a scrambled face, no patch contains anything that it could memorize within these steps.
"""

from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, at_least, greater
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.plan import Plan, Tables

MODELS = ("cnn", "mlp", "bagnet")
EASY, HARD = ("object",), ("scrambled",)


def check(tables: Tables) -> list[Claim]:
    table = tables["worlds"]
    cnn = table.cell(model="cnn", subpopulations=HARD)
    claims = [
        at_least(f"{model} fits the training faces (0.97 or more)",
                 table.cell(model=model, subpopulations=HARD).values("accuracy/train"), 0.97)
        for model in MODELS
    ]  # fmt: skip
    for model in MODELS[1:]:
        other = table.cell(model=model, subpopulations=HARD)
        claims.append(
            greater(f"on scrambled faces that it has not seen {model} is behind cnn",
                    cnn.values("accuracy/test"), other.values("accuracy/test"))
        )  # fmt: skip
        easy, hard = (
            table.cell(model="cnn", subpopulations=kinds).values("accuracy/test")
            - table.cell(model=model, subpopulations=kinds).values("accuracy/test")
            for kinds in (EASY, HARD)
        )
        claims.append(greater(f"{model} is further behind there than on objects", hard, easy))
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
    question="a perceptron, a network that sees small patches only, and a convolutional one all fit"
    " the same faces. Which one knows a scrambled face when it sees one?",
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
