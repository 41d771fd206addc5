"""What to try next, derived from how a run ended."""

from __future__ import annotations

from collections.abc import Sequence

from lab.measure.words import rung

GOAL = 0.05
"""Error on unseen faces that advice on the number of training faces aims at."""
MOST_FACES, MOST_STEPS, MOST_WIDTH = 1_000_000, 10_000_000, 1024
RANDOM = 0.9
"""Label noise from here on: there is nothing to learn but the faces themselves."""


def advice(
    kind: str,
    *,
    error: float,
    wrong_labels: bool,
    num_train: int,
    num_test: int,
    label_noise: float,
    steps: int,
    width: int | None,
    fresh: bool = False,
) -> str:
    """A sentence or two with flags to try, or nothing.

    `kind` is the headline's, `error` the share of unseen faces it is wrong about, `wrong_labels`
    whether it learned wrong labels by heart, `width` None for a network without that dial, `fresh`
    whether it saw each face once only.
    """
    if label_noise >= RANDOM and kind != "nothing":
        return "Its labels left nothing else to learn: try --label-noise 0."
    if kind in ("nothing", "underfit"):
        more = f"--steps {min(MOST_STEPS, max(1000, 3 * steps))}"
        wider = f", or --width {min(MOST_WIDTH, 2 * width)}" if width else ""
        return f"More training may help: try {more}{wider}."
    if kind == "unsettled" and num_test < num_train:
        faces = rung(10 * num_test, most=MOST_FACES)
        return f"More test faces would settle it: try --num-test {faces}."
    if kind == "unsettled":
        return f"More faces would settle it: try --num-train {_faces(num_train, error)}."
    if kind == "contrary":
        return "Most of its labels are wrong: try a lower --label-noise."
    if fresh:
        return "To see it memorize, show it the same faces again and again: leave out --fresh."
    if kind == "learned":
        fewer = rung(num_train / 30, most=MOST_FACES)
        return f"To see it memorize, show it fewer faces: try --num-train {max(10, fewer)}."
    hints = []
    if wrong_labels:
        hints.append("Stopping before it learns wrong labels may help: try --early-stopping 5.")
    if num_train < MOST_FACES:
        faces = _faces(num_train, error)
        hints.append(f"More training faces would help: try --num-train {faces}.")
    return " ".join(hints)


def break_cues(cues: Sequence[str]) -> str:
    """A sentence on how to loosen `cues` (as the command line has them): more faces against them.

    Four times as many as now contradict the label, and at least one in four: with one in twenty the
    reliance on a cue only fell from 0.83 to 0.55 (scripts/dose.py). Nothing for cues that half of
    the faces or more contradict already.
    """
    looser = []
    for cue in cues:
        name, _, strength = cue.rpartition(":")
        if float(strength) <= 0.5:
            continue
        against = max(0.25, 4 * (1 - float(strength)))
        looser.append(f"{name}:{max(0.5, 1 - against):.3g}")
    if not looser:
        return ""
    return f"More faces that break the cue would help: try --cues {' '.join(looser)}."


def _faces(num_train: int, error: float) -> int:
    """How many faces may bring the error to `GOAL`: it halves with every four times as many.

    A power law with exponent 1/2 (Hestness et al. 2017 find such laws everywhere; here the error
    fell from 0.28 at 100 faces to 0.025 at 10,000), at least 3 and at most 100 times as many.
    """
    factor = min(100.0, max(3.0, (error / GOAL) ** 2))
    return rung(num_train * factor, most=MOST_FACES)
