"""Accuracy on conflicting faces over the steps, with re-used training faces and with faces that
never repeat."""

from pathlib import Path

from lab.experiments.lessons.base import GUESS, small
from lab.experiments.lessons.claims import Claim, Numbers, at_least, every, greater, near
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import lines
from lab.experiments.lessons.tries import Try
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
    chapter="Shortcuts",
    place=4,
    guess=Guess(
        (
            "It gives up the shortcut in both cases",
            "Only if it never sees a face twice",
            "Only if it re-uses its 3,000 faces",
            "In neither case",
        ),
        if_confirmed(1, 0, 1, 2),
    ),
    meaning="A network that sees the same faces again and again gets all of them right in the end,"
    " also those that break the rule, and then nothing is left to learn from: its shortcut stays."
    " Without re-use it keeps meeting new faces that break the rule, and gets better at them. It"
    " has seen many more faces then, too, so that memorizing need not be the only cause.",
    tries=(
        Try(
            text="Train with a cue and new faces at every step, and drag the timeline: when does"
            " the color of the eyes matter less?",
            train="cue:eye_color,cue_strength:0.9,online:true,steps:3000",
        ),
        Try(
            text="The same with 600 faces, seen again and again.",
            train="num_train:600,cue:eye_color,cue_strength:0.9,steps:3000",
        ),
        Try(
            text="Can another objective keep a network with re-used faces from the shortcut?",
            command="python3 scripts/train.py --cues eye_color=blue/brown:0.95 --num-train 3000"
            " --objective group_dro",
        ),
    ),
    papers=(
        (
            "Bayat et al., The pitfalls of memorization, ICLR 2025",
            "https://arxiv.org/abs/2412.07684",
        ),
    ),
    plans={
        "online": _plan({"cues": tuple(cues(s) for s in STRENGTHS)}, online=True),
        "reused": _plan({"num_train": SIZES}, online=False),
        "strengths": _plan({"cues": tuple(cues(s) for s in STRENGTHS)}, online=False),
    },
    seconds=2700,
    check=check,
    plot=plot,
)
