"""Reliance on a cue, and accuracies, over its strength."""

from collections.abc import Sequence
from pathlib import Path

from lab.core.config import DataConfig
from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, falls, rises
from lab.experiments.lessons.guess import Guess, bin_of
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.tries import Try
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


def changed(tables: Tables, claims: Sequence[Claim]) -> int | None:
    """The reliance at strength 0.95: below 0.2, up to 0.5, or more."""
    cell = tables["strengths"].cell(cues=(f"{CUE}:0.95",))
    return bin_of(cell.values(f"reliance/{CUE}"), (0.2, 0.5))


def plot(tables: Tables, path: Path) -> None:
    path.write_bytes(style.png(dose_response.figure(tables["strengths"])))


LESSON = Lesson(
    title="Dose and response: how strong must a cue be?",
    published="colored MNIST: unbiased accuracy 35 % with 0.5 % of conflicting examples, 82 % with"
    " 5 %; more conflicting examples, less reliance on the cue",
    question="eye color agrees with the label for 95 % of the faces. What share of the predictions"
    " changes when only the eye color is changed?",
    chapter="Shortcuts",
    place=3,
    guess=Guess(
        ("Fewer than 20 of 100", "20 to 50 of 100", "More than 50 of 100"),
        changed,
    ),
    meaning="The more reliably the cue agrees with the label in training, the more the network goes"
    " by it, and the more faces it gets wrong where the cue does not agree. Its accuracy on"
    " ordinary test faces even rises meanwhile, so that it seems to get better.",
    tries=(
        Try(
            text="Train with a cue that agrees for four faces in five. Does the color of the eyes"
            " move the prediction?",
            train="num_train:600,cue:eye_color,cue_strength:0.8",
        ),
        Try(
            text="And with one that agrees for nineteen in twenty.",
            train="num_train:600,cue:eye_color,cue_strength:0.95",
        ),
        Try(
            text="Measure it for another cue.",
            command="python3 scripts/dose_response.py --cue background_color",
        ),
    ),
    papers=(
        (
            "Lee et al., Learning debiased representation via disentangled feature augmentation,"
            " NeurIPS 2021 (colored MNIST)",
            "https://arxiv.org/abs/2107.01372",
        ),
    ),
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
