"""Three networks side by side: a useful one, a memorizer, and one that takes a shortcut."""

from pathlib import Path

from lab.experiments.lessons.base import small
from lab.experiments.lessons.claims import Claim, Numbers, at_least, greater
from lab.experiments.lessons.lesson import Lesson
from lab.experiments.lessons.plots import bars
from lab.experiments.plan import Plan, Tables

PARTS = ("eyes", "nose", "mouth", "ears")
CUE = "eye_color=blue/brown:0.95"

METRICS = {
    "training\nfaces": "accuracy/train",
    "unseen\nfaces": "accuracy/test",
    **{f"reliance:\n{part}": f"reliance/{part}" for part in PARTS},
    "reliance:\neye color": "reliance/eye_color",
    "strongest\nshortcut": "shortcut/strongest",
}

GOOD, EACH_PART, NO_SHORTCUT = 0.99, 0.85, 0.05
"""A useful network: at least so right about unseen faces, relying at least so much on each part,
and at most so much on any nuisance."""


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
        at_least(f"the useful network is right about unseen faces ({GOOD:g} or more)",
                 of("useful", "accuracy/test"), GOOD),
        at_least(f"it relies on each of the four parts ({EACH_PART:g} or more for the least)",
                 weakest, EACH_PART),
        at_least(f"and on no nuisance: 1 - its strongest shortcut is {1 - NO_SHORTCUT:g} or more",
                 1 - of("useful", "shortcut/strongest"), 1 - NO_SHORTCUT),
        greater("the memorizer is right about its training faces far more often than about unseen"
                " ones (by 0.3 or more)",
                of("memorizer", "accuracy/train"), of("memorizer", "accuracy/test"), by=0.3),
        at_least("and its losses give its training faces away (membership AUC 0.8 or more)",
                 of("memorizer", "memorization/membership_auc"), 0.8),
        at_least("the cheat looks good on its own test set (0.9 or more)",
                 of("cheat", "accuracy/test"), 0.9),
        greater("but is right less often than a guess where the cue contradicts the label",
                0.5 + 0 * of("cheat", "accuracy/test"), of("cheat", "accuracy/conflicting")),
        greater("because it relies on eye color more than on the mouth",
                of("cheat", "reliance/eye_color"), of("cheat", "reliance/mouth")),
    ]  # fmt: skip


def plot(tables: Tables, path: Path) -> None:
    series = {
        name: [values(tables, name, tag) for tag in METRICS.values()]
        for name in ("useful", "memorizer", "cheat")
    }
    title = "Useful, memorizer, cheat: all three know their training faces"
    bars(path, title, list(METRICS), series, ylabel="share", guess=None)


LESSON = Lesson(
    title="Three networks: useful, memorizer, cheat",
    published="accuracy on the training set does not tell a network that learned the task from one"
    " that memorized (Zhang 2017), nor accuracy on a test set of the same population one that"
    " takes a shortcut (Geirhos 2020)",
    question="three networks are right about all their training faces. Which questions would you"
    " ask to find out which one learned what a person is?",
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
