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
        greater(f"at strength {MAIN:g}, faces never seen twice unlearn the shortcut after step"
                f" {EARLY:,} (by 0.1 or more on conflicting faces)",
                gained(online[MAIN]), 0 * gained(online[MAIN]), by=0.1),
        every("re-used faces do not (0.05 or less either way, at each size up to 3,000)",
              {f"{size:,} faces": near("", gained(reused[size]), 0.0, within=0.05)
               for size in SIZES[:2]}),
        every("at the end unique faces are ahead on conflicting faces, whatever the size",
              {f"{size:,} faces": greater("", online[MAIN].values(CONFLICTING),
                                          reused[size].values(CONFLICTING))
               for size in SIZES}),
        every("and whatever the strength (3,000 faces)",
              {f"strength {s:g}": greater("", online[s].values(CONFLICTING),
                                          stronger[s].values(CONFLICTING))
               for s in STRENGTHS}),
        at_least("re-used faces are all fitted nevertheless, so the exceptions are memorized (0.999"
                 " or more of 3,000)",
                 reused[3000].values("accuracy/train"), 0.999),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    online = tables["online"].cell(cues=cues(MAIN)).curves(CONFLICTING)
    steps = [int(step) for step in online.steps]
    series = {"faces never seen twice": list(online.values.T)}
    for size in SIZES:
        curves = tables["reused"].cell(num_train=size).curves(CONFLICTING)
        series[f"{size:,} faces again and again"] = list(curves.values.T)
    title = f"A cue of strength {MAIN:g}: re-used faces keep the shortcut, new ones unlearn it"
    lines(path, title, steps, series, xlabel="optimizer steps",
          ylabel="accuracy where the cue contradicts", guess=GUESS)  # fmt: skip


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
    question="one face in twenty contradicts the cue. Does longer training make a network give up"
    " the shortcut if it sees 3,000 faces again and again? If it never sees a face twice?",
    plans={
        "online": _plan({"cues": tuple(cues(s) for s in STRENGTHS)}, online=True),
        "reused": _plan({"num_train": SIZES}, online=False),
        "strengths": _plan({"cues": tuple(cues(s) for s in STRENGTHS)}, online=False),
    },
    seconds=2700,
    check=check,
    plot=plot,
)
