"""The stronger the cue, the more it is relied upon."""

from pathlib import Path

from lab.experiments.lessons.base import GUESS, small
from lab.experiments.lessons.claims import Claim, falls, rises
from lab.experiments.lessons.lesson import Lesson, Plan, Tables
from lab.experiments.show.style import lines

STRENGTHS = (GUESS, 0.75, 0.9, 0.95, 0.99, 1.0)
NAMES = {
    "test": "accuracy/test",
    "unbiased": "accuracy/unbiased",
    "conflicting": "accuracy/conflicting",
    "reliance on eye color": "reliance/eye_color",
}


def check(tables: Tables) -> list[Claim]:
    cells = tables["strengths"].cells
    ranks = range(len(STRENGTHS))

    def values(tag: str) -> list:  # type: ignore[type-arg]
        return [cell.values(tag) for cell in cells]

    return [
        rises("reliance on eye color rises with the cue", ranks, values("reliance/eye_color")),
        falls("accuracy falls where the cue says nothing", ranks, values("accuracy/unbiased")),
        falls("and where it contradicts", ranks, values("accuracy/conflicting")),
        rises("while accuracy on the usual test set rises", ranks, values("accuracy/test")),
    ]


def plot(tables: Tables, path: Path) -> None:
    cells = tables["strengths"].cells
    series = {name: [cell.values(tag) for cell in cells] for name, tag in NAMES.items()}
    title = "The stronger the cue, the worse the lesson"
    lines(path, title, STRENGTHS, series, xlabel="how often eye color agrees with the label")


LESSON = Lesson(
    title="Dose and response: how strong must a cue be?",
    published="colored MNIST: unbiased accuracy 35 % with 0.5 % of conflicting examples, 82 % with"
    " 5 %; more conflicting examples, less reliance on the cue",
    question="eye color agrees with the label for 95 % of the faces. How often does an answer"
    " change with the color of the eyes?",
    plans={
        "strengths": Plan(
            small(counterfactuals=100, data={"num_train": 1000}),
            {"cues": [(f"eye_color:{strength:g}",) for strength in STRENGTHS]},
        )
    },
    seconds=126,
    check=check,
    plot=plot,
)
