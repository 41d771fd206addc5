"""Reliance on a cue, and accuracies, over its strength."""

from pathlib import Path

from lab.core.config import DataConfig
from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, falls, rises
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.plan import Tables
from lab.experiments.presets import dose_response
from lab.experiments.show import style

CUE, FACES = "eye_color", 1000


def check(tables: Tables) -> list[Claim]:
    cells = tables["strengths"].cells
    ranks = range(len(cells))

    def values(tag: str) -> list:  # type: ignore[type-arg]
        return [cell.values(tag) for cell in cells]

    return [
        rises("reliance on eye color rises with the cue", ranks, values(f"reliance/{CUE}")),
        falls("accuracy on unbiased faces falls", ranks, values(dose_response.UNBIASED)),
        falls("so does accuracy on conflicting faces", ranks, values(dose_response.CONFLICTING)),
        rises("accuracy on the ordinary test set rises", ranks, values(dose_response.TEST)),
    ]


def plot(tables: Tables, path: Path) -> None:
    path.write_bytes(style.png(dose_response.figure(tables["strengths"])))


LESSON = Lesson(
    title="Dose and response: how strong must a cue be?",
    published="colored MNIST: unbiased accuracy 35 % with 0.5 % of conflicting examples, 82 % with"
    " 5 %; more conflicting examples, less reliance on the cue",
    question="eye color agrees with the label for 95 % of the faces. What share of the predictions"
    " changes when only the eye color is changed?",
    plans={
        "strengths": dose_response.plan(
            small(counterfactuals=100),
            [CUE],
            dose_response.strengths_of(DataConfig().task),
            [FACES],
        )
    },
    seconds=126,
    check=check,
    plot=plot,
)
