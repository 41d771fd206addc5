"""All cues equally valid: which one is adopted?"""

from pathlib import Path

import numpy as np

from lab.lessons.base import small
from lab.lessons.claims import Claim, greater
from lab.lessons.lesson import Lesson, Plan, Tables
from lab.lessons.plots import bars

CUES = ("background_color", "skin_color", "hair_length", "eye_color")
COLORS, SHAPE = CUES[:2], "hair_length"
MODELS = ("cnn", "mlp")


def check(tables: Tables) -> list[Claim]:
    claims: list[Claim] = []
    winners: list[str] = []
    for model in MODELS:
        cell = tables["cues"].cell(model=model)
        reliance = {cue: cell.values(f"reliance/{cue}") for cue in CUES}
        ranked = sorted(CUES, key=lambda cue: -float(reliance[cue].mean()))
        first, second = ranked[:2]
        color = np.max([reliance[cue] for cue in COLORS], axis=0)
        claims.append(
            greater(f"{model} adopts color before shape: the background's or the skin's before the"
                    " length of the hair", color, reliance[SHAPE])
        )  # fmt: skip
        claims.append(
            greater(f"{model} adopts one cue above all others: {first} before {second}",
                    reliance[first], reliance[second])
        )  # fmt: skip
        winners.append(first)
    other = tables["cues"].cell(model=MODELS[1])
    rival = max((cue for cue in CUES if cue != winners[0]),
                key=lambda cue: float(other.values(f"reliance/{cue}").mean()))  # fmt: skip
    claims.append(
        greater(f"the same winner for both: {MODELS[1]} too prefers {winners[0]} to {rival}",
                other.values(f"reliance/{winners[0]}"), other.values(f"reliance/{rival}"))
    )  # fmt: skip
    return claims


def plot(tables: Tables, path: Path) -> None:
    series = {
        model: [np.asarray(tables["cues"].cell(model=model).values(f"reliance/{c}")) for c in CUES]
        for model in MODELS
    }
    groups = [cue.replace("_", "\n") for cue in CUES]
    title = "Four cues that say the same: which one is listened to?"
    bars(path, title, groups, series, ylabel="reliance", guess=None)


LESSON = Lesson(
    title="Which of several equal cues is adopted?",
    published="with all cues equally valid, color is adopted before shape, and the same winner"
    " across architectures (Scimeca 2022)",
    question="background, skin, hair length and eye color all tell the label without fail. Which"
    " one will the network listen to?",
    plans={
        "cues": Plan(
            small(twins=200, steps=400,
                  data={"num_train": 1000, "cues": tuple(f"{cue}:1" for cue in CUES)}),
            {"model": MODELS},
        )
    },
    seconds=38,
    check=check,
    plot=plot,
)  # fmt: skip
