"""Memorization scores of a subpopulation where it is rare, and where it is common."""

from pathlib import Path

from lab.experiments.lessons.claims import Claim, greater, near
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.pools import (
    COMMON_SHARE,
    ORDINARY,
    RARE,
    TAIL,
    faces,
    mean_score,
    only,
    score_of_kind,
)
from lab.experiments.lessons.tries import Try
from lab.experiments.plan import PoolPlan, Tables

KINDS = ("person", "missing", "object", "scrambled")
"""Subpopulations."""


def check(tables: Tables) -> list[Claim]:
    rare, common = only(tables, "pools"), only(tables, "common")
    return [
        greater("scrambled faces have a higher mean score where they are 5 % of their class than"
                " where they are half of it",
                score_of_kind(rare, "scrambled"), score_of_kind(common, "scrambled")),
        greater("where they are rare, they have a higher mean score than ordinary faces of the same"
                " training set",
                mean_score(rare, RARE), mean_score(rare, ORDINARY)),
        near("where they are common, they are no harder than faces that lack a part: the difference"
             " of the mean scores is 0 ± 0.1",
             score_of_kind(common, "scrambled") - score_of_kind(common, "missing"), 0.0,
             within=0.1),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    pools = {"scrambled are rare": "pools", "scrambled are common": "common"}
    series = {
        text: [score_of_kind(only(tables, plan), kind) for kind in KINDS]
        for text, plan in pools.items()
    }
    title = "The same kind of face, rare and common"
    bars(path, title, KINDS, series, ylabel="mean memorization score", guess=None)


LESSON = Lesson(
    title="The long tail: rare faces are memorized",
    published="where data has a long tail of rare subpopulations, a learner that predicts well must"
    " memorize the examples of the tail (Feldman 2020); so it is found that memorized examples are"
    " often rare ones (Feldman and Zhang 2020)",
    question="faces whose parts are in the wrong places are 1 of 20 in their class, or 10 of 20."
    " When are they memorized more?",
    chapter="Which faces",
    place=4,
    guess=Guess(
        (
            "When they are common: the network sees more of them",
            "When they are rare",
            "It makes no difference: a face is as hard as it is",
        ),
        if_confirmed(1, 0),
    ),
    meaning="The same kind of face is memorized or not by how many others of its kind there are:"
    " many teach a rule, from a few there is none to be learned, so that each must be known by"
    " itself. The difficulty of the pictures is the same in both cases.",
    tries=(
        Try(
            text="Look at the rare faces among the most memorized ones of a pool.",
            command="python3 scripts/pool.py --networks 40 --subpopulations scrambled:0.05",
        ),
        Try(
            text="Make another kind rare: pictures without a face. They are easy; are they"
            " memorized, too?",
            command="python3 scripts/pool.py --networks 40 --subpopulations object:0.03",
        ),
        Try(
            text="What are memorized faces good for? Train without them.",
            command="python3 scripts/pool.py --networks 60 --without-memorized 50",
        ),
    ),
    papers=(
        ("Feldman, Does learning require memorization? STOC 2020",
         "https://arxiv.org/abs/1906.05271"),
        ("Feldman and Zhang, What neural networks memorize and why, NeurIPS 2020",
         "https://arxiv.org/abs/2008.03703"),
    ),
    plans={
        "pools": TAIL,
        "common": PoolPlan(faces(scrambled=COMMON_SHARE), {}, networks=10),
    },
    seconds=250,
    check=check,
    plot=plot,
)  # fmt: skip
