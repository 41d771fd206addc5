"""Reliance on each of several equally valid cues."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, Numbers, Verdict, greater, leads
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.plan import Tables
from lab.experiments.presets.equal_cues import COLORS, CUES, SHAPE, plan_together

MODELS = ("cnn", "mlp")


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
    return Claim("the cue with the highest reliance is the same for both", verdict, told)


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
    plans={
        "cues": plan_together(
            small(counterfactuals=200, steps=400, data={"num_train": 1000}), MODELS
        )
    },
    seconds=38,
    check=check,
    plot=plot,
)  # fmt: skip
