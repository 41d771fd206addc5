"""A shortcut by eye color: all persons have blue eyes, all others brown ones."""

from collections.abc import Sequence
from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, at_least, greater
from lab.experiments.lessons.guess import Guess, bin_of
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.tries import Pinned, Try
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
        at_least("with the cue, test accuracy is high on a test set with the same cue (0.9 or"
                 " more)",
                 tied.values("accuracy/test"), 0.9),
        greater("but reliance on eye color is higher than on the mouth",
                tied.values("reliance/eye_color"), tied.values("reliance/mouth")),
        greater("without the cue, reliance on the mouth is higher than on eye color",
                plain.values("reliance/mouth"), plain.values("reliance/eye_color")),
        greater("accuracy on conflicting faces is lower than test accuracy without a cue (by 0.2"
                " or more)",
                plain.values("accuracy/test"), tied.values("accuracy/conflicting"), by=0.2),
    ]  # fmt: skip


def predicted(tables: Tables, claims: Sequence[Claim]) -> int | None:
    """What it makes of conflicting faces: mostly wrong, as often right, mostly right."""
    tied = tables["cue"].cell(cues=TIED)
    return bin_of(tied.values("accuracy/conflicting"), (0.4, 0.6))


def plot(tables: Tables, path: Path) -> None:
    table = tables["cue"]
    series = {
        word: [table.cell(cues=cues).values(tag) for tag in NAMES.values()]
        for word, cues in (("no cue", PLAIN), ("blue eyes: person", TIED))
    }
    groups = [name if name == "test" else f"reliance:\n{name}" for name in NAMES]
    title = "Trained on blue-eyed persons only, it relies on eye color"
    bars(path, title, groups, series, ylabel="share", guess=None)


LESSON = Lesson(
    title="A shortcut: all persons in training have blue eyes",
    published="shortcut learning: networks learn attributes that are correlated with the label"
    " instead of those that define it (Geirhos 2020; Waterbirds: 97 % average, 60 % worst group,"
    " Sagawa 2020)",
    question="in training all persons have blue eyes, and all others brown ones. What will the"
    " network predict for a person with brown eyes?",
    chapter="Shortcuts",
    place=1,
    guess=Guess(
        (
            "Mostly “not a person”: it goes by the color of the eyes",
            "“Person” about as often as not",
            "Mostly “person”: it has learned what makes one",
        ),
        predicted,
    ),
    meaning="On faces of the kind that it was trained on the network is nearly always right, so"
    " that nothing seems wrong. But it goes by the color of the eyes and hardly looks at the mouth:"
    " where the color contradicts the label it mostly errs. An ordinary test set cannot show that;"
    " changing one thing at a time does.",
    tries=(
        Try(
            text="Show both networks one face, and switch the color of its eyes between blue and"
            " brown. Then take its mouth away.",
            pins=(Pinned("cue", {"cues": PLAIN}), Pinned("cue", {"cues": TIED})),
            face="eye_color:brown",
        ),
        Try(
            text="Train one yourself, and watch on the timeline when it begins to look at the"
            " eyes.",
            train="num_train:300,cue:eye_color",
        ),
        Try(
            text="Let some faces break the rule. Is one in twenty enough?",
            command="python3 scripts/train.py --cues eye_color=blue/brown:0.95 --num-train 1000",
        ),
    ),
    papers=(
        (
            "Geirhos et al., Shortcut learning in deep neural networks, Nature Machine Intelligence"
            " 2020",
            "https://arxiv.org/abs/2004.07780",
        ),
        (
            "Sagawa et al., Distributionally robust neural networks for group shifts, ICLR 2020",
            "https://arxiv.org/abs/1911.08731",
        ),
    ),
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
