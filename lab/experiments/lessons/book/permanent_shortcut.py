"""Accuracy on conflicting faces over the steps, with re-used training faces and with faces that
never repeat."""

from pathlib import Path

from lab.experiments.lessons.base import GUESS, small
from lab.experiments.lessons.claims import Claim, Numbers, at_least, every, greater, near
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import lines
from lab.experiments.plan import Plan, Tables
from lab.experiments.table import Cell

CUE = "eye_color=blue/brown"
STEPS, EVERY, EARLY = 4000, 500, 1000
SIZES = (1000, 3000, 10_000)
STRENGTHS = (0.9, 0.95, 0.99)
MAIN = 0.95
CONFLICTING = "accuracy/conflicting"


def cues(strength: float) -> tuple[str]:
    return (f"{CUE}:{strength:g}",)


def gained(cell: Cell) -> Numbers:
    """Conflicting accuracy at the end minus that at step `EARLY`, for each seed (S,)."""
    curves = cell.curves(CONFLICTING)
    at = curves.steps.tolist().index(EARLY)
    result: Numbers = curves.values[:, -1] - curves.values[:, at]
    return result


def check(tables: Tables) -> list[Claim]:
    online = {s: tables["online"].cell(cues=cues(s)) for s in STRENGTHS}
    reused = {size: tables["reused"].cell(num_train=size) for size in SIZES}
    stronger = {s: tables["strengths"].cell(cues=cues(s)) for s in STRENGTHS}
    return [
        greater(f"at strength {MAIN:g}, without re-use, accuracy on conflicting faces rises after"
                f" step {EARLY:,} (by 0.1 or more)",
                gained(online[MAIN]), 0 * gained(online[MAIN]), by=0.1),
        every("with re-use it stays the same (± 0.05, at each size up to 3,000)",
              {f"{size:,} faces": near("", gained(reused[size]), 0.0, within=0.05)
               for size in SIZES[:2]}),
        every("at the end it is higher without re-use, at each size",
              {f"{size:,} faces": greater("", online[MAIN].values(CONFLICTING),
                                          reused[size].values(CONFLICTING))
               for size in SIZES}),
        every("and at each strength (3,000 faces)",
              {f"strength {s:g}": greater("", online[s].values(CONFLICTING),
                                          stronger[s].values(CONFLICTING))
               for s in STRENGTHS}),
        at_least("all re-used training faces are fitted, the conflicting ones included (training"
                 " accuracy 0.999 or more with 3,000)",
                 reused[3000].values("accuracy/train"), 0.999),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    online = tables["online"].cell(cues=cues(MAIN)).curves(CONFLICTING)
    steps = [int(step) for step in online.steps]
    series = {"no face twice": list(online.values.T)}
    for size in SIZES:
        curves = tables["reused"].cell(num_train=size).curves(CONFLICTING)
        series[f"{size:,} faces, re-used"] = list(curves.values.T)
    title = f"A cue of strength {MAIN:g}: with re-used faces the shortcut stays"
    lines(path, title, steps, series, xlabel="optimizer steps",
          ylabel="accuracy on conflicting faces", guess=GUESS)  # fmt: skip


def _plan(grid: dict[str, tuple[object, ...]], *, online: bool, num_train: int = 3000) -> Plan:
    base = small(
        width=16,
        steps=STEPS,
        every=EVERY,
        data={"num_train": num_train, "num_test": 2000, "cues": cues(MAIN)},
        train={"online": online},
    )
    return Plan(base, grid)


LESSON = Lesson(
    title="Memorizing makes a shortcut permanent",
    published="spurious correlations lead to poor generalization particularly together with"
    " memorization: once the exceptions are memorized, the training loss is near zero and nothing"
    " is left to learn the core feature from (Bayat et al., ICLR 2025)",
    question="one training face in twenty is conflicting. Does longer training make a network give"
    " up the shortcut if it re-uses 3,000 faces? If it never sees a face twice?",
    plans={
        "online": _plan({"cues": tuple(cues(s) for s in STRENGTHS)}, online=True),
        "reused": _plan({"num_train": SIZES}, online=False),
        "strengths": _plan({"cues": tuple(cues(s) for s in STRENGTHS)}, online=False),
    },
    seconds=2700,
    check=check,
    plot=plot,
)
