"""Reliance on each of several equally valid cues."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, Numbers, Verdict, greater, leads
from lab.experiments.lessons.guess import Guess
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.tries import Pinned, Try
from lab.experiments.plan import Tables
from lab.experiments.presets.equal_cues import COLORS, CUES, SHAPE, plan_together

MODELS = ("cnn", "mlp")

WORDS = {
    "background_color": "the color of the background",
    "skin_color": "the color of the skin",
    "hair_length": "the length of the hair",
    "eye_color": "the color of the eyes",
}


def check(tables: Tables) -> list[Claim]:
    claims: list[Claim] = []
    reliance = {
        model: {c: tables["cues"].cell(model=model).values(f"reliance/{c}") for c in CUES}
        for model in MODELS
    }
    for model, mine in reliance.items():
        color = np.mean([mine[cue] for cue in COLORS], axis=0)
        claims += [
            greater(f"{model}: reliance on color (mean of background and skin) is higher than on"
                    " shape (length of the hair)", color, mine[SHAPE]),
            leads(f"{model}: reliance on one cue is higher than on each other one", mine),
        ]  # fmt: skip
    claims.append(same_winner(reliance))
    return claims


def same_winner(reliance: Mapping[str, Mapping[str, Numbers]]) -> Claim:
    """Claim: all networks have the highest reliance on the same cue; refuted if it differs between
    networks for which the first cue is confirmed."""
    found = {model: leads("", mine) for model, mine in reliance.items()}
    first = {
        model: max(mine, key=lambda cue: float(mine[cue].mean()))
        for model, mine in reliance.items()
    }
    sure = [first[model] for model, claim in found.items() if claim.verdict == "confirmed"]
    verdict: Verdict = "not enough evidence"
    if len(set(sure)) > 1:
        verdict = "refuted"
    elif len(sure) == len(found):
        verdict = "confirmed"
    told = ", ".join(f"{model} {cue}" for model, cue in first.items())
    plain = ", ".join(f"{model} goes by {WORDS.get(cue, cue)}" for model, cue in first.items())
    return Claim("the cue with the highest reliance is the same for both", verdict, told, plain)


def first_of_cnn(tables: Tables, claims: Sequence[Claim]) -> int | None:
    """The cue on which `cnn` relies most, if it is known to be one."""
    cell = tables["cues"].cell(model="cnn")
    rows = {cue: cell.values(f"reliance/{cue}") for cue in CUES}
    if leads("", rows).verdict != "confirmed":
        return None
    return list(CUES).index(max(CUES, key=lambda cue: float(rows[cue].mean())))


def plot(tables: Tables, path: Path) -> None:
    series = {
        model: [np.asarray(tables["cues"].cell(model=model).values(f"reliance/{c}")) for c in CUES]
        for model in MODELS
    }
    groups = [cue.replace("_", "\n") for cue in CUES]
    title = "Four equally valid cues: reliance on each"
    bars(path, title, groups, series, ylabel="reliance", guess=None)


LESSON = Lesson(
    title="Which of several equal cues is adopted?",
    published="with all cues equally valid, color is adopted before shape, and the same winner"
    " across architectures (Scimeca 2022)",
    question="background, skin, hair length and eye color each determine the label. On which of"
    " them will the network rely most?",
    chapter="Shortcuts",
    place=2,
    guess=Guess(
        tuple(f"On {WORDS[cue]}" for cue in CUES),
        first_of_cnn,
    ),
    meaning="All cues were equally good, so that the labels did not say which of them to use. Both"
    " networks went by colors more than by the length of the hair: what a network finds easy"
    " decides, not what is right. Which color it is can differ from run to run.",
    tries=(
        Try(
            text="Change one cue at a time, and see which of them moves the predictions of the two"
            " networks.",
            pins=(Pinned("cues", {"model": "cnn"}), Pinned("cues", {"model": "mlp"})),
        ),
        Try(
            text="Train with the background as the only cue. Does the network learn it sooner than"
            " the length of the hair?",
            train="num_train:300,cue:background_color",
        ),
        Try(
            text="And with the length of the hair as the only cue.",
            train="num_train:300,cue:hair_length",
        ),
    ),
    papers=(
        ("Scimeca et al., Which shortcut cues will DNNs choose?, ICLR 2022",
         "https://arxiv.org/abs/2110.03095"),
    ),
    plans={
        "cues": plan_together(
            small(counterfactuals=200, steps=400, data={"num_train": 1000}), MODELS
        )
    },
    seconds=38,
    check=check,
    plot=plot,
)  # fmt: skip
