"""All cues equally valid: which one is adopted?"""

from pathlib import Path

import numpy as np

from lab.lessons.base import small
from lab.lessons.claims import Claim, greater, pick, ranked_by_others
from lab.lessons.lesson import Lesson, Plan, Tables
from lab.lessons.plots import bars

CUES = ("background_color", "skin_color", "hair_length", "eye_color")
COLORS, SHAPE = [0, 1], 2
"""Which of them."""
MODELS = ("cnn", "mlp")


def check(tables: Tables) -> list[Claim]:
    claims: list[Claim] = []
    reliance = {
        model: np.stack([tables["cues"].cell(model=model).values(f"reliance/{c}") for c in CUES])
        for model in MODELS
    }
    for model, mine in reliance.items():
        first, second = np.argsort(-mine.mean(axis=1))[:2]
        order = ranked_by_others(mine)
        claims += [
            greater(f"{model} adopts color before shape: the background's and the skin's (their"
                    " mean) before the length of the hair",
                    mine[COLORS].mean(axis=0), mine[SHAPE]),
            greater(f"{model} adopts one cue above all others (here {CUES[first]} before"
                    f" {CUES[second]}): what other seeds put first is before what they put second",
                    pick(mine, order[0]), pick(mine, order[1])),
        ]  # fmt: skip
    one, other = (reliance[model] for model in MODELS)
    winner, order = ranked_by_others(one)[0], ranked_by_others(other)
    rival = np.where(order[0] == winner, order[1], order[0])
    claims.append(
        greater(f"the same winner for both: {MODELS[1]} too prefers {MODELS[0]}'s to the others",
                pick(other, winner), pick(other, rival))
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
