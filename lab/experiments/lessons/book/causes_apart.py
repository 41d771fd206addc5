"""Wrong labels, rare faces and faces that are hard to see, by the scores of single trainings."""

from itertools import combinations
from pathlib import Path

from lab.experiments.lessons.claims import Claim, Numbers, every, greater, none_exceeds
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.pools import HARD, RARE, TAIL, WRONG, only
from lab.experiments.lessons.tries import Try
from lab.experiments.plan import Tables
from lab.experiments.table import Cell
from lab.measure.example_scores import SCORES
from lab.measure.second_split import ALL_SCORES

CAUSES = (WRONG, HARD, RARE)

HEADINGS = {score.name: score.heading for score in ALL_SCORES}
"""The cheap scores."""

USUAL = [score.name for score in SCORES]
"""Those of one training."""

FORGOTTEN = "negative_ssft"
"""The score of a second training that Maini et al. propose to tell causes apart."""

FINDS = "mean_loss"
"""The score by which each cause is compared with ordinary faces: on other pools it agreed best
with the memorization score (docs/pool.md)."""

APART = 0.7
"""The AUROC from which on a score counts as one that tells two causes apart."""


def above_ordinary(pools: Cell, score: str, cause: str) -> Numbers:
    """P(the score is higher for a face of the cause than for an ordinary one), for each seed."""
    return pools.values(f"score_trial/scores/{score}/auroc/{cause}")


def above_other(pools: Cell, score: str, cause: str, other: str) -> Numbers:
    """P(it is higher for a face of one cause than for one of another), for each seed."""
    return pools.values(f"score_trial/scores/{score}/auroc_over/{cause}/{other}")


def either_way(pools: Cell, cause: str, other: str) -> dict[str, Numbers]:
    """How well each score of one training tells two causes apart, whichever of them has the higher
    one."""
    found: dict[str, Numbers] = {}
    for score in USUAL:
        heading, area = HEADINGS[score], above_other(pools, score, cause, other)
        found[f"{heading}, higher for “{cause}”"] = area
        found[f"{heading}, higher for “{other}”"] = 1 - area
    return found


def check(tables: Tables) -> list[Claim]:
    pools = only(tables, "pools")
    half = above_ordinary(pools, FINDS, WRONG) * 0 + 0.5
    finds = {
        cause: greater("", above_ordinary(pools, FINDS, cause), half, digits=2) for cause in CAUSES
    }
    sooner = {
        f"“{WRONG}” over “{other}”": greater(
            "", above_other(pools, FORGOTTEN, WRONG, other), half, digits=2
        )
        for other in CAUSES[1:]
    }
    return [
        every(f"the {HEADINGS[FINDS]} puts faces of each cause above ordinary ones (AUROC above"
              " 0.5)", finds),
        *(
            none_exceeds(f"no score of one training tells “{cause}” from “{other}” (AUROC"
                         f" {APART:g} or more either way)",
                         either_way(pools, cause, other), half * 0 + APART)
            for cause, other in combinations(CAUSES, 2)
        ),
        every("faces with a wrong label are forgotten sooner in a second training on other faces"
              " than those of each other cause (AUROC above 0.5)", sooner),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    pools = only(tables, "pools")
    series = {
        f"{cause} over {other}": [above_other(pools, score, cause, other) for score in HEADINGS]
        for cause, other in combinations(CAUSES, 2)
    }
    groups = [heading.replace(" ", "\n", 1) for heading in HEADINGS.values()]
    bars(path, "Do cheap scores tell causes apart?", groups, series, ylabel="AUROC", guess=0.5)


LESSON = Lesson(
    title="Wrong, rare or hard: do cheap scores tell?",
    published="the usual scores of single examples, such as forgetting, confidence and loss, do not"
    " tell mislabeled examples from rare and from hard ones. When training goes on with other"
    " examples, mislabeled ones are forgotten quickly, rare ones slowly (Maini 2022)",
    question="some faces have a wrong label, some are of a rare kind, some are hard to see. All"
    " three are learned late. Can a score of one training tell them from one another?",
    chapter="Which faces",
    place=3,
    guess=Guess(
        (
            "Yes: wrong labels stand out from rare and hard faces",
            "No: such scores say that a face is difficult, not why",
        ),
        if_confirmed(1, 0, 1, 2, 3),
    ),
    meaning="Who throws away the examples with the highest loss, to be rid of wrong labels, throws"
    " away rare and hard ones, too, which are those that a network needs to see.",
    tries=(
        Try(
            text="See all scores of a pool, for each cause.",
            command="python3 scripts/pool.py --networks 20 --label-noise 0.2 --obscured 0.1"
            " --subpopulations scrambled:0.05 --score-runs 3",
        ),
        Try(
            text="Collect the scores in a single training, and sort the faces by each.",
            command="python3 scripts/train.py --num-train 500 --label-noise 0.2 --scores",
        ),
        Try(
            text="Train on 60 faces with wrong labels. Are the faces with the highest loss"
            " mislabeled?",
            train="num_train:60,label_noise:0.2",
        ),
    ),
    papers=(
        ("Maini et al., Characterizing datapoints via second-split forgetting, NeurIPS 2022",
         "https://arxiv.org/abs/2210.15031"),
    ),
    plans={"pools": TAIL},
    seconds=300,
    check=check,
    plot=plot,
)  # fmt: skip
