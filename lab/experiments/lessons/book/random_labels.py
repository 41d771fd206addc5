"""Random labels: every architecture fits them, at chance accuracy on unseen faces."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lab.experiments.lessons.base import GUESS, small
from lab.experiments.lessons.claims import Claim, Numbers, at_least, every, greater, near
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.tries import Try
from lab.experiments.metrics import FITTED
from lab.experiments.plan import Plan, Tables
from lab.experiments.presets.random_labels import RANDOM, TRUE, beside_true
from lab.experiments.table import Cell

MODELS = ("linear", "mlp", "cnn", "cnn_avgpool", "resnet", "bagnet", "vit")
"""All registered architectures, without those that differ in width only."""

SLOWER = ("linear", "bagnet")
"""Those that need more steps to fit 300 faces."""


def steps_to_fit(cell: Cell) -> Numbers:
    """The first evaluation (S,) at which each seed has 99 % of the given labels; NaN: none."""
    curves = cell.curves("accuracy/train")
    reached = curves.values >= FITTED
    first: Numbers = np.where(
        reached.any(axis=1), curves.steps[reached.argmax(axis=1)].astype(np.float64), np.nan
    )
    return first


def check(tables: Tables) -> list[Claim]:
    fitted, chance, slower = {}, {}, {}
    for model in MODELS:
        true, noisy = (_cell(tables, model, noise) for noise in (TRUE, RANDOM))
        fitted[model] = at_least("", noisy.values("accuracy/train"), FITTED)
        chance[model] = near("", noisy.values("accuracy/test"), GUESS, within=0.05)
        slower[model] = greater("", steps_to_fit(noisy), steps_to_fit(true), digits=0)
    return [
        every("every network fits random labels (training accuracy 0.99 or more)", fitted),
        every(f"its accuracy on unseen faces is that of a guess ({GUESS} ± 0.05)", chance),
        every("it needs more steps to fit random labels than true ones", slower),
    ]


def plot(tables: Tables, path: Path) -> None:
    series = {
        f"{where}, {word} labels": [
            _cell(tables, model, noise).values(f"accuracy/{where}") for model in MODELS
        ]
        for word, noise in (("true", TRUE), ("random", RANDOM))
        for where in ("train", "test")
    }
    bars(path, "Random labels are fitted as well as true ones", MODELS, series)


def _cell(tables: Tables, model: str, noise: float) -> Cell:
    table = tables["longer" if model in SLOWER else "labels"]
    return table.cell(model=model, label_noise=noise)


def _plan(models: Sequence[str], *, steps: int, every: int) -> Plan:
    data = {"num_train": 300, "num_test": 500, "variation": 0.3}
    base = small(width=16, steps=steps, every=every, data=data)
    return beside_true(base, models)


LESSON = Lesson(
    title="Random labels are memorized (slow)",
    published="100 % train accuracy on random labels and chance on test, for every architecture,"
    " in about 1.5 to 3.5 times as many steps (Zhang 2017)",
    question="every label is drawn at random. How many of 300 training labels will each network"
    " fit, and in how many steps?",
    chapter="Memorizing",
    place=4,
    guess=Guess(
        (
            "About half of them: there is nothing to learn",
            "Most, but not all of them",
            "All of them, or nearly all",
        ),
        if_confirmed(2, 0),
    ),
    meaning="Labels drawn at random have nothing to do with the pictures, and yet every network"
    " fits them: it has memorized. So being right about the training faces does not show that a"
    " network has learned anything, however it is built. It only takes more steps than true labels"
    " do.",
    tries=(
        Try(
            text="Train with every other label wrong, so that labels say nothing. What does the"
            " network get right?",
            train="num_train:60,label_noise:0.5",
        ),
        Try(
            text="Read what the lab says of a network that was trained on random labels.",
            command="python3 scripts/train.py --label-noise 1",
        ),
        Try(
            text="Do the same with a network of your choice.",
            command="python3 scripts/train.py --label-noise 1 --model resnet",
        ),
    ),
    papers=(
        (
            "Zhang et al., Understanding deep learning requires rethinking generalization, ICLR"
            " 2017",
            "https://arxiv.org/abs/1611.03530",
        ),
    ),
    plans={
        "labels": _plan([name for name in MODELS if name not in SLOWER], steps=800, every=20),
        "longer": _plan(SLOWER, steps=4000, every=100),
    },
    seconds=980,
    check=check,
    plot=plot,
)
