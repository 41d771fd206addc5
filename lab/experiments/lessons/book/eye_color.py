"""A shortcut by eye color: all persons have blue eyes, all others brown ones."""

from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, at_least, greater
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.plan import Plan, Tables

PLAIN, TIED = (), ("eye_color=blue/brown:1",)
NAMES = {
    "test": "accuracy/test",
    "eye color": "reliance/eye_color",
    "mouth": "reliance/mouth",
    "nose": "reliance/nose",
    "ears": "reliance/ears",
}


def check(tables: Tables) -> list[Claim]:
    plain, tied = (tables["cue"].cell(cues=cues) for cues in (PLAIN, TIED))
    return [
        at_least("with the cue it looks excellent on its own test set (0.9 or more)",
                 tied.values("accuracy/test"), 0.9),
        greater("but its answers hang on the color of the eyes more than on the mouth",
                tied.values("reliance/eye_color"), tied.values("reliance/mouth")),
        greater("without the cue the mouth counts for more than the color of the eyes",
                plain.values("reliance/mouth"), plain.values("reliance/eye_color")),
        greater("the cue takes accuracy on faces with the other color",
                plain.values("accuracy/test"), tied.values("accuracy/conflicting"), by=0.2),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    table = tables["cue"]
    series = {
        word: [table.cell(cues=cues).values(tag) for tag in NAMES.values()]
        for word, cues in (("no cue", PLAIN), ("blue eyes: person", TIED))
    }
    groups = [name if name == "test" else f"reliance:\n{name}" for name in NAMES]
    title = "Who saw blue-eyed people only looks at the eyes' color"
    bars(path, title, groups, series, ylabel="share", guess=None)


LESSON = Lesson(
    title="Only people with blue eyes are people",
    published="shortcut learning: what goes along with the label in training is learned in place of"
    " what it means (Geirhos 2020; Waterbirds: 97 % average, 60 % worst group, Sagawa 2020)",
    question="every person in training has blue eyes, nobody else has. What will the network say"
    " about a brown-eyed person?",
    plans={
        "cue": Plan(
            small(steps=1000, counterfactuals=200, data={"num_train": 3000}),
            {"cues": [PLAIN, TIED]},
        )
    },
    seconds=74,
    check=check,
    plot=plot,
)
