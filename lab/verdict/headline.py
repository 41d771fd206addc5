"""The main finding of a verdict: memorized, learned or neither, with training and test accuracy."""

from __future__ import annotations

import math
from typing import Literal

from lab.core.estimate import Estimate
from lab.core.text import plain
from lab.core.words import chance, counted, estimated, percent, share, singular
from lab.measure import class_shares
from lab.measure.judged import ACCURACY, GAP, by_right_labels, judged
from lab.measure.ranking import ROC_AUC
from lab.verdict.setting import Finding, Metrics, Setting
from lab.worlds.clusters import Clusters

MUCH = 0.1
"""The generalization gap that counts as memorizing. Interval above it: "memorized", or "memorized
partly" if test accuracy lies nearer to training accuracy than to chance; interval above 0 that
reaches it: "memorized partly"; between 0 and it: "memorized a little"."""
GOOD = 0.9
"""If the intervals of training and test accuracy lie below this, it has not learned enough."""
NEAR = 0.1
"""Test accuracy whose interval ends within this many standard deviations of a single guess,
√(p (1 - p)), of p = 1 / classes counts as chance (within 0.05 for two classes, 0.04 for five): a
slight imbalance of the training labels shifts it by that much."""

MADE = 0.02
"""How much of the generalization gap comes from other shares of the classes, without a word."""

RANKED = 0.1
"""How much the area under the ROC curve must surely exceed a guess: an untrained network ranks
pictures by something, too."""

ALIKE = 0.1
"""Of the share of the test examples that are not of the most frequent class (twice that share at
most 1), so many get another answer than most: "nearly all get the same"."""

UNEVEN = 1.5
"""Times that a class is as frequent in the test set as a guess expects, from which on others are
rare."""

ENOUGH = 10
"""Fewest training examples of which a small loss tells something."""

_MEMORIZED = "memorized", "memorized partly", "memorized a little"

OTHER_GROUPS = "other groups"
"""The kind of the headline where what looks like memory may come from groups never studied."""

SHARED = MUCH / 2
"""Share of the test examples that may be training examples, too, while test accuracy still tells
learning from memorizing."""


def headline(metrics: Metrics, setting: Setting, *, traced: bool) -> Finding:
    """The main finding: memorized, learned or neither, with training and test accuracy.

    `traced`: whether membership AUC or fitted wrong labels show memorization.
    """
    train, gap = _compared(metrics)
    mean = metrics.get(class_shares.MEAN) if setting.frequent > 1 / setting.num_classes else None
    ranked = metrics.get(ROC_AUC)
    fits = _fits(metrics, setting)
    kind, claim = _claim(train, metrics["accuracy/test"], gap, setting, traced, mean, ranked, fits)
    if kind in _MEMORIZED and class_shares.unstudied(metrics) and not traced:
        learned = against_chance(metrics["accuracy/test"], setting) == "above"
        told = "It learned; whether it memorized too," if learned else "Whether it memorized,"
        kind, claim = OTHER_GROUPS, f"{told} such a test set cannot tell."
    return Finding(kind, f"{claim} {numbers(metrics, setting, kind)}")


def _fits(metrics: Metrics, setting: Setting) -> bool:
    """Whether it surely knows more of its training set than how frequent classes are: by accuracy,
    or, where that is higher and `GOOD` of `ENOUGH` examples, by a loss of less than half of what
    the share of the most frequent class, alone, gives."""
    frequent, right = setting.train_chance, metrics["accuracy/train"]
    least = -sum(p * math.log(p) for p in (frequent, 1 - frequent) if p > 0)  # in nats
    if right.interval[0] > frequent:
        return True
    well, loss = right.value > max(GOOD, frequent), metrics["loss/train"]
    known = loss.value if loss.high is None else loss.high  # of one cluster there is no interval
    return well and (right.count or 0) >= ENOUGH and known < least / 2


def numbers(metrics: Metrics, setting: Setting, kind: str) -> str:
    """The sentences on training and test accuracy, and on the answer that all get."""
    train, test = metrics["accuracy/train"], metrics["accuracy/test"]
    worse = test.value < train.value  # not of wrong labels, without which the gap is another one
    but = ", but only" if kind in ("memorized", "memorized partly") and worse else " and"
    return (
        f"It gets {counted(train, _studied(setting))} right{but} {share(test, first=True)} of"
        f" {unseen(setting)}{_guess(test, setting)}."
        f"{_unstudied(metrics, setting, kind)}{_other_shares(metrics, setting)}"
        f"{_same_answer(metrics, setting)}{_unmet(setting)}"
    )


def _studied(setting: Setting) -> str:
    """The training examples on which accuracy was measured, in words."""
    if setting.measured_train is not None:
        return (
            f"{setting.measured_train:,} {setting.noun} picked at random from the"
            f" {setting.num_train:,} it studied"
        )
    studied = f"{setting.num_train:,} {setting.noun}"
    if setting.studied < setting.num_train:
        return f"{studied} of which it studied {setting.studied:,}"
    if setting.online is not None and setting.replaced:
        return (
            f"{studied} drawn first for its training (it studied"
            f" {setting.num_train - setting.replaced:,} of them, and other {setting.noun}, changed"
            f" in one thing, in place of the rest; {setting.online:,} in all, each of them once)"
        )
    if setting.online is None or setting.online == setting.num_train:
        return f"{studied} it studied"
    return f"{studied} it studied first (of {setting.online:,}, each of them once)"


def may_be_known(copies: int, clusters: Clusters | None) -> bool:
    """Whether a network may know test examples from its training: `copies` of them are training
    examples, too, as they are or turned, or some may be in `clusters` with training examples."""
    return copies > 0 or (clusters is not None and clusters.shared > 0)


def unseen(setting: Setting) -> str:
    """The test examples, in words."""
    known = may_be_known(setting.shared + setting.alike + setting.turned, setting.clusters)
    if known or setting.before is not None or setting.fed is not None:
        return f"the test {setting.noun}"
    fixed = setting.more_test is not None  # the figure is about these pictures, a small set
    return f"{f'{setting.num_test:,} ' if fixed else ''}{setting.noun} it has never seen"


def _compared(metrics: Metrics) -> tuple[Estimate, Estimate]:
    """Training accuracy and the generalization gap by which it is judged: where some labels are
    wrong, those of rightly labeled examples, and where classes have other shares in the test set,
    those with each class counted at its share there (of rightly labeled examples, too)."""
    return metrics[judged(ACCURACY, metrics)], metrics[judged(GAP, metrics)]


def _unstudied(metrics: Metrics, setting: Setting, kind: str) -> str:
    """The sentence that test examples are of groups that the training set lacks; else nothing."""
    if (share_of := class_shares.unstudied(metrics)) is None:
        return ""
    number = counted(share_of, f"{share_of.count:,} test {setting.noun}")
    number = number[0].upper() + number[1:]
    less = " That fewer are right may come from this, and not from memory."
    return f" {number} are of groups that it never studied.{less if kind == OTHER_GROUPS else ''}"


def _other_shares(metrics: Metrics, setting: Setting) -> str:
    """The sentence that the classes have other shares in the test set, or that it has right labels
    only, where that makes some of the difference between training and test accuracy; else nothing.
    """
    train, gap = _compared(metrics)
    if abs(gap.value - metrics["gap/accuracy"].value) < MADE:
        return ""
    what = _compared_by(metrics)
    if not what:
        return (
            f" Of the {train.count:,} it studied with right labels it gets {share(train)} right:"
            f" that is what the verdict compares, as all test {setting.noun} have right labels."
        )
    studied, noun = metrics.get(class_shares.STUDIED), setting.noun
    right = " with right labels" if by_right_labels(metrics) else ""
    if studied is None:
        told = f" The {what} have other shares in the test set than"
        if right:
            return (
                f"{told} among the {train.count:,} {noun} it studied{right}. Counted at the shares"
                f" of the test set, it gets {share(train)} of these right: that is what the verdict"
                f" compares, as all test {noun} have right labels."
            )
        return (
            f"{told} in the training set. Counted at the shares of the test set, it gets"
            f" {share(train)} of the {noun} it studied right: that is what the verdict compares."
        )
    unknown = setting.num_test - (studied.count or 0)
    never = f"that it has never studied{right}"
    if setting.measured_train is not None:
        never = f"of which none is among the {setting.measured_train:,} picked at random{right}"
    return (
        f" Of the test {noun}, {unknown:,} are of {what} {never}; of the"
        f" others it gets {share(studied)} right. The verdict compares these with the {noun} of the"
        f" same {what} that it studied{right}, at the same shares: it gets {share(train)} of those"
        " right."
    )


def _compared_by(metrics: Metrics) -> str:
    """What training and test set are compared by, where its shares differ: "classes" or "groups";
    else empty."""
    kinds = {class_shares.BY_CLASS[1]: "classes", class_shares.BY_GROUP[1]: "groups"}
    return kinds.get(judged(GAP, metrics), "")


def _same_answer(metrics: Metrics, setting: Setting) -> str:
    """The sentence that nearly all test examples get the same answer, though they are of several
    classes; else nothing."""
    same = metrics.get("answers/most_frequent")
    if same is None or not same.count:
        return ""
    others = 1 - setting.chance  # of the test examples, that many are of other classes at least
    few = 1 - same.interval[0] < ALIKE * min(1, 2 * others)
    if not few and (same.value < 1 or others * same.count < 2):
        return ""
    nearly = "" if same.value == 1 else "nearly "
    number = counted(same, f"{same.count:,}")
    said = f" It gives {nearly}all test {setting.noun} the same answer ({number})."
    train = metrics["accuracy/train"].interval[0]
    if train >= max(GOOD, setting.train_chance + MUCH) and not setting.relevant:  # not drawn ones
        such = ", such as a caption" if setting.noun == "pictures" else ""
        said += (
            f" Perhaps those that it studied show something that the test {setting.noun} lack"
            f"{such}."
        )
    return said


def _unmet(setting: Setting) -> str:
    """The sentence that answers are of a class that no example has; else nothing."""
    found = setting.unmet
    if found is None:
        return ""
    return (
        f" For {share(found.share)} of the test {setting.noun} its answer is a class that no"
        f' {singular(setting.noun)} has, mostly "{plain(found.name)}": none of these can be right.'
    )


def _use_of_ranks(setting: Setting) -> str:
    """The end of a claim that probabilities rank examples: what would use that, if anything is
    known to."""
    would = [
        "another threshold" if setting.num_classes == 2 else "",
        "weights for rare classes" if setting.frequent > UNEVEN * setting.even else "",
    ]
    told = " or ".join(filter(None, would))
    return f" {told[0].upper()}{told[1:]} would use that." if told else ""


def _claim(
    train: Estimate,
    test: Estimate,
    gap: Estimate,
    setting: Setting,
    traced: bool,
    mean: Estimate | None,
    ranked: Estimate | None,
    fits: bool,
) -> tuple[str, str]:
    """The kind of the headline and its claim; `mean` is the mean accuracy over classes, where some
    are more frequent than others, `ranked` the area under the ROC curve, where that is measured;
    `fits`: it surely knows something of its training set."""
    guess = setting.chance
    even = setting.even
    apart = mean is not None and mean.interval[0] > even + near(even)
    learned = test.interval[0] > guess or apart
    low, high = gap.interval
    known = guess if setting.frequent < 1 else 1 / setting.num_classes
    memorized = low > 0 and (fits or traced)  # one answer to all may be as right, without a gap
    if not memorized and train.interval[0] <= known and test.interval[0] - guess <= MUCH:
        if told := _tells_apart(mean, ranked, setting):
            return "apart", told
        if not fits:
            but = ", but it memorized a little" if traced else ""
            return "nothing", f"It has learned nothing that shows{but}."
        return "unsettled", _untold(setting, traced)
    if setting.frequent >= 1:
        return "one class", f"What it learned cannot be told from test {setting.noun} of one class."
    among = 1 / setting.num_classes  # below the most frequent class is not yet below chance
    if test.interval[1] < among - near(among):
        return "contrary", f"It gets unseen {setting.noun} right less often than a guess would."
    # whether test accuracy is nearer to training accuracy than to chance
    mostly = test.interval[0] - guess > (train.value - guess) / 2
    if mean is not None and apart and test.interval[0] <= guess:
        mostly = mean.interval[0] - even > (train.value - even) / 2
    if (low >= MUCH and not mostly) or (low > 0 and not learned):
        return "memorized", "It memorized."
    if low > 0 and high >= MUCH:
        return "memorized partly", "It learned, and it memorized too."
    if low > 0 or (traced and learned):
        return "memorized a little", "It learned, and it memorized a little."
    if not learned:
        if told := _tells_apart(mean, None, setting):
            return "apart", told
        return "unsettled", _untold(setting, traced)
    if max(train.interval[1], test.interval[1]) < GOOD:
        return "underfit", "It learned something, but does not fit all that it studied."
    if high >= MUCH:
        return (
            "unsettled",
            f"It learned; whether it memorized too, so few {setting.noun} cannot tell.",
        )
    if setting.shared > SHARED * setting.num_test:
        return "shared", "It learned; whether it memorized too, such a test set cannot tell."
    return "learned", "It learned, and nothing shows that it memorized."


def _tells_apart(mean: Estimate | None, ranked: Estimate | None, setting: Setting) -> str:
    """The claim that its answers, or its probabilities alone, tell the classes apart, of a network
    that is right no more often than one answer to all; empty if neither does, surely. `mean` and
    `ranked` are as for `_claim`."""
    even, by_ranks = setting.even, ""
    if ranked is not None and ranked.interval[0] > 0.5 + RANKED:
        by_ranks = (
            f"by these the area under the ROC curve is {estimated(ranked, 2)}, where a guess gets"
            f" 0.50.{_use_of_ranks(setting)}"
        )
    if mean is not None and mean.interval[0] > even:
        is_little = mean.interval[0] <= even + near(even)
        told = (
            f"It tells the classes apart{' a little' if is_little else ''}: the mean of its"
            f" accuracy on each class is {share(mean)}, where a constant answer gets"
            f" {percent(even)}."
        )
        more = f" Its probabilities do so better: {by_ranks}" if is_little and by_ranks else ""
        return told + more
    if not by_ranks:
        return ""
    if mean is not None and mean.interval[1] > even + near(even):
        answers = "Whether its answers tell the classes apart cannot be told"
        return f"{answers} from so few {setting.noun}, but its probabilities do: {by_ranks}"
    return f"Its answers do not tell the classes apart, but its probabilities do: {by_ranks}"


def _untold(setting: Setting, traced: bool) -> str:
    """The claim that examples are too few to tell what it learned."""
    told = f"hat it learned cannot be told from so few {setting.noun}."
    return f"It memorized a little; w{told}" if traced else f"W{told}"


def against_chance(test: Estimate, setting: Setting) -> Literal["above", "below", "at", "open"]:
    """Test accuracy against `setting.chance`, by its interval; "open": the interval is too wide to
    tell."""
    (low, high), guess = test.interval, setting.chance
    if low > guess:
        return "above"
    if high < guess - near(guess):
        return "below"
    return "at" if high - guess < near(guess) else "open"


def _guess(test: Estimate, setting: Setting) -> str:
    """The end of the sentence on test accuracy, unless it is above chance."""
    words = f"a guess ({chance(setting.num_classes)})"
    if setting.frequent > 1 / setting.num_classes:
        words = f"always answering the most frequent class ({percent(setting.frequent)})"
    return {
        "above": "",
        "below": f", worse than {words}",
        "at": f", no better than {words}",
        "open": f", which may be no better than {words}",
    }[against_chance(test, setting)]


def near(chance: float) -> float:
    """How far from a guess test accuracy may be and still count as it."""
    return NEAR * math.sqrt(chance * (1 - chance))
