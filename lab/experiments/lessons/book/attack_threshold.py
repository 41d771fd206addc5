"""Membership inference with shadow models against one threshold on the loss."""

from pathlib import Path

from lab.experiments.lessons.claims import Claim, greater, near
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.pools import FRESH, LIRA, LOSS, OFFLINE, TAIL, found, only
from lab.experiments.lessons.tries import Try
from lab.experiments.plan import Tables

SOME, FEW, FEWER = 0.1, 0.01, 0.001
"""False positive rates."""


def check(tables: Tables) -> list[Claim]:
    pools = only(tables, "pools")
    ratio, loss = found(pools, LIRA, FEW), found(pools, LOSS, FEW)
    return [
        greater("at 1 % false positives LiRA names more members than the loss threshold",
                ratio, loss),
        greater("it names at least three times as many: its true positives are more than three"
                " times the loss threshold's",
                ratio, 3 * loss),
        near("the loss threshold is near a guess there: it names 1 % of the members (± 2 percentage"
             " points)", loss, FEW, within=0.02),
        greater("at 0.1 % false positives among fresh faces, offline LiRA names more members than"
                " the loss threshold",
                found(pools, OFFLINE, FEWER, among=FRESH), found(pools, LOSS, FEWER, among=FRESH),
                digits=4),
        greater("at 10 % false positives it does not: three times the loss threshold's true"
                " positives are more than LiRA's",
                3 * found(pools, LOSS, SOME), found(pools, LIRA, SOME)),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    pools = only(tables, "pools")
    rates = (SOME, FEW)
    series = {
        name: [found(pools, attack, rate) for rate in rates]
        for name, attack in (("LiRA", LIRA), ("LiRA, offline", OFFLINE), ("loss threshold", LOSS))
    }
    groups = [f"{100 * rate:g} % false\npositives" for rate in rates]
    title = "Members that attacks name"
    bars(path, title, groups, series, ylabel="true positive rate", guess=None)


LESSON = Lesson(
    title="Who was trained on? The sure attack and the plain one",
    published="membership inference must be judged by its true positives at a low false positive"
    " rate; there the likelihood-ratio attack with shadow models (LiRA) is several times as strong"
    " as one threshold on the loss (Carlini 2022)",
    question="somebody wants to know which faces a network was trained on, and must be sure: only"
    " 1 in 100 of the others may be named wrongly. How many of the training faces are named by"
    " their low loss alone?",
    chapter="Which faces",
    place=1,
    guess=Guess(
        (
            "Nearly all: the network is surer of faces that it was trained on",
            "About half of them",
            "Hardly more than of the others; it takes networks trained without the face to"
            " compare with",
        ),
        if_confirmed(2, 0, 1, 2),
    ),
    meaning="A low loss says little about a single face: an easy face has one whether or not the"
    " network was trained on it. Who trains other networks with and without this face knows what"
    " its loss is in both cases, and can name some training faces while almost never being wrong."
    " An average over all faces, such as the AUC, hides this.",
    tries=(
        Try(
            text="See the curves of all attacks down to the lowest false positive rates.",
            command="python3 scripts/pool.py --networks 60 --label-noise 0.2",
        ),
        Try(
            text="With 1,000 training faces there is less to find. How much is left?",
            command="python3 scripts/pool.py --networks 60 --num-train 1000",
        ),
        Try(
            text="Train a network on 60 faces and look at its membership AUC: the loss alone"
            " tells many pairs apart.",
            train="num_train:60",
        ),
    ),
    papers=(
        ("Carlini et al., Membership inference attacks from first principles, IEEE S&P 2022",
         "https://arxiv.org/abs/2112.03570"),
    ),
    plans={"pools": TAIL},
    seconds=300,
    check=check,
    plot=plot,
)  # fmt: skip
