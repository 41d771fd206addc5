"""Membership inference by memorization score: whose membership is told."""

from pathlib import Path

from lab.experiments.lessons.claims import Claim, Numbers, greater, near
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.pools import (
    HIGH,
    LOW,
    MIDDLE,
    TAIL,
    found_in,
    only,
    share_of_members,
)
from lab.experiments.lessons.tries import Try
from lab.experiments.plan import Tables
from lab.experiments.table import Cell

FEW, SOME = 0.01, 0.1
"""False positive rates."""

BANDS = (LOW, MIDDLE, HIGH)


def share_of_found(pools: Cell, band: str) -> Numbers:
    """The share (S,) of all members that the attack names at 1 % false positives which are in the
    band."""
    named = {each: share_of_members(pools, each) * found_in(pools, each, FEW) for each in BANDS}
    whole: Numbers = named[band] / sum(named.values())
    return whole


def check(tables: Tables) -> list[Claim]:
    pools = only(tables, "pools")
    return [
        greater("at 1 % false positives, faces with a score of 0.5 or more are a larger share of"
                " the members named than of all members",
                share_of_found(pools, HIGH), share_of_members(pools, HIGH)),
        greater("more than half of the members named are such faces",
                share_of_found(pools, HIGH), 0.5 + 0 * share_of_found(pools, HIGH)),
        greater("such a face is named more often than one with a score below 0.1",
                found_in(pools, HIGH, FEW), found_in(pools, LOW, FEW)),
        near("among faces with a score below 0.1 alone the attack is near a guess: 1 % of the"
             " members at 1 % false positives (± 2 percentage points)",
             found_in(pools, LOW, FEW, own=True), FEW, within=0.02),
        near("and 10 % of them at 10 % false positives (± 5 percentage points)",
             found_in(pools, LOW, SOME, own=True), SOME, within=0.05),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    pools = only(tables, "pools")
    series = {
        "share of all members": [share_of_members(pools, band) for band in BANDS],
        "share of those named": [share_of_found(pools, band) for band in BANDS],
        "named of its members": [found_in(pools, band, FEW) for band in BANDS],
    }
    title = "Whom LiRA names at 1 % false positives, by memorization score"
    bars(path, title, BANDS, series, ylabel="share", guess=None)


LESSON = Lesson(
    title="Attacks need memorized faces",
    published="most examples at risk are those that training has moved from a high loss to a low"
    " one (Dodd 2025), and the more an example stands out, the more its membership is exposed"
    " (Carlini, LiRA, 2022)",
    question="an attack names some of the faces that a network was trained on, and is seldom wrong."
    " Which faces does it name?",
    chapter="Which faces",
    place=2,
    guess=Guess(
        (
            "Any of them, each equally often",
            "Mostly those that the network knows by heart: that it gets right only if it was"
            " trained on them",
            "Mostly those that any network gets right",
        ),
        if_confirmed(1, 0, 1, 2),
    ),
    meaning="An attacker who must be sure names nobody who is like many others: networks trained"
    " without such a face give the same answer. Membership shows where the answer depends on having"
    " seen this very face, so that those whose data is unusual carry the risk. Others are not quite"
    " safe: who may be wrong about one in ten finds more of them than by chance.",
    tries=(
        Try(
            text="Look at the most memorized faces of a pool, which are those at risk.",
            command="python3 scripts/pool.py --networks 60 --label-noise 0.2",
        ),
        Try(
            text="Faces of which the training set has copies are hardly memorized. Are they safe?",
            command="python3 scripts/pool.py --networks 60 --copies 0.3",
        ),
        Try(
            text="Train on 60 faces with wrong labels, and look which training faces are surest.",
            train="num_train:60,label_noise:0.2",
        ),
    ),
    papers=(
        ("Dodd et al., The tail tells all, 2025", "https://arxiv.org/abs/2510.19773"),
        ("Carlini et al., Membership inference attacks from first principles, IEEE S&P 2022",
         "https://arxiv.org/abs/2112.03570"),
        ("Feldman and Zhang, What neural networks memorize and why, NeurIPS 2020",
         "https://arxiv.org/abs/2008.03703"),
    ),
    plans={"pools": TAIL},
    seconds=300,
    check=check,
    plot=plot,
)  # fmt: skip
