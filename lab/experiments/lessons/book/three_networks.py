"""Three networks side by side: a useful one, a memorizer, and one that takes a shortcut."""

from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, Numbers, at_least, greater
from lab.experiments.lessons.guess import Guess, if_confirmed
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.lessons.tries import Pinned, Try
from lab.experiments.plan import Plan, Tables

PARTS = ("eyes", "nose", "mouth", "ears")
CUE = "eye_color=blue/brown:0.95"

METRICS = {
    "training\nfaces": "accuracy/train",
    "unseen\nfaces": "accuracy/test",
    **{f"reliance:\n{part}": f"reliance/{part}" for part in PARTS},
    "reliance:\neye color": "reliance/eye_color",
    "highest reliance\non a nuisance": "shortcut/strongest",
}

GOOD, EACH_PART, NO_SHORTCUT = 0.99, 0.85, 0.05
"""A useful network: least test accuracy, least reliance on each part, highest reliance on a
nuisance."""


def values(tables: Tables, name: str, tag: str) -> Numbers:
    """The last value of `tag` for each seed (S,) of one of the three networks."""
    (cell,) = tables[name].cells
    return cell.values(tag)


def check(tables: Tables) -> list[Claim]:
    def of(name: str, tag: str) -> Numbers:
        return values(tables, name, tag)

    weakest = of("useful", "reliance/eyes")
    for part in PARTS:
        weakest = weakest.clip(max=of("useful", f"reliance/{part}"))
    return [
        at_least(f"useful: test accuracy is {GOOD:g} or more",
                 of("useful", "accuracy/test"), GOOD),
        at_least(f"useful: reliance on each of the four parts is {EACH_PART:g} or more (the least)",
                 weakest, EACH_PART),
        at_least(f"useful: 1 - highest reliance on a nuisance is {1 - NO_SHORTCUT:g} or more",
                 1 - of("useful", "shortcut/strongest"), 1 - NO_SHORTCUT),
        greater("memorizer: training accuracy exceeds test accuracy by 0.3 or more",
                of("memorizer", "accuracy/train"), of("memorizer", "accuracy/test"), by=0.3),
        at_least("memorizer: membership AUC is 0.8 or more",
                 of("memorizer", "memorization/membership_auc"), 0.8),
        at_least("cheat: test accuracy, with the cue, is 0.9 or more",
                 of("cheat", "accuracy/test"), 0.9),
        greater("cheat: accuracy on conflicting faces is below that of a guess",
                0.5 + 0 * of("cheat", "accuracy/test"), of("cheat", "accuracy/conflicting")),
        greater("cheat: reliance on eye color is higher than on the mouth",
                of("cheat", "reliance/eye_color"), of("cheat", "reliance/mouth")),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    series = {
        name: [values(tables, name, tag) for tag in METRICS.values()]
        for name in ("useful", "memorizer", "cheat")
    }
    title = "Useful, memorizer, cheat: all fit their training faces"
    bars(path, title, list(METRICS), series, ylabel="share", guess=None)


LESSON = Lesson(
    title="Three networks: useful, memorizer, cheat",
    published="accuracy on the training set does not tell a network that learned the task from one"
    " that memorized (Zhang 2017), nor accuracy on a test set of the same population one that"
    " takes a shortcut (Geirhos 2020)",
    question="three networks are right about their training faces. Which measurements would show"
    " which of them learned the task?",
    chapter="Three networks",
    place=1,
    guess=Guess(
        (
            "Accuracy on the faces that they were trained on",
            "Accuracy on unseen faces of the same kind",
            "What happens to their predictions when one thing alone is changed",
        ),
        if_confirmed(2),
    ),
    meaning="All three are right about nearly every face that they were trained on, so that this"
    " tells nothing. Unseen faces of the same kind give the memorizer away, but not the cheat,"
    " which is right as long as the color of the eyes agrees. Only changing one thing at a time"
    " shows what each of them looks at.",
    tries=(
        Try(
            text="Show the three networks one face, and change the color of its eyes, then its"
            " mouth. Whose prediction follows which change?",
            pins=(Pinned("useful"), Pinned("memorizer"), Pinned("cheat")),
            face="eye_color:blue",
        ),
        Try(
            text="Train a memorizer: 60 faces. How many of them does it get right, and how many"
            " unseen ones?",
            train="num_train:60",
        ),
        Try(
            text="Train a cheat: the color of the eyes tells the label. Which of its figures would"
            " have warned you?",
            train="num_train:600,cue:eye_color",
        ),
    ),
    papers=(
        ("Zhang et al., Understanding deep learning requires rethinking generalization, ICLR 2017",
         "https://arxiv.org/abs/1611.03530"),
        ("Geirhos et al., Shortcut learning in deep neural networks, Nature Machine Intelligence"
         " 2020", "https://arxiv.org/abs/2004.07780"),
    ),
    plans={
        "useful": Plan(
            small(width=24, steps=8000, counterfactuals=200,
                  data={"num_train": 10_000, "num_test": 2000}, train={"online": True}),
            {},
        ),
        "memorizer": Plan(
            small(width=16, steps=1500, counterfactuals=200,
                  data={"num_train": 100, "num_test": 2000}),
            {},
        ),
        "cheat": Plan(
            small(width=16, steps=1500, counterfactuals=200,
                  data={"num_train": 1000, "num_test": 2000, "cues": (CUE,),
                        "subpopulations": ("missing",), "missing": ("nose", "mouth", "ears")}),
            {},
        ),
    },
    seconds=1200,
    check=check,
    plot=plot,
)  # fmt: skip
