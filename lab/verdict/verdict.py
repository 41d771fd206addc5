"""The verdict: the findings of a run, as sentences in plain words.

A verdict is a list of findings: a claim and the numbers that support it. A claim is stated as a
fact only if the whole interval supports it. The first sentence says what matters most, without
numbers in brackets; details follow, and small things come last. Each kind of finding has a function
here. The sentences are for readers without training in machine learning ("faces it studied" are
training examples, "its answer" is the prediction); the docstrings use the terms of
docs/concepts.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lab.core import finite
from lab.core.estimate import Estimate, difference
from lab.core.words import (
    auc,
    chance,
    counted,
    estimated,
    in_steps,
    percent,
    share,
    singular,
    those,
)
from lab.measure import class_shares, right_labels
from lab.measure.consistency import varying
from lab.measure.judged import ACCURACY, AUC, GAP, judged
from lab.measure.ranking import ROC_AUC
from lab.measure.smallest_right import SmallestRight
from lab.verdict.advice import advice, break_cues, label_link
from lab.verdict.perturbed import perturbed
from lab.verdict.shortcuts import (
    changed,
    combined,
    ignored,
    looked_at,
    misled,
    notices,
    relied_on,
    steady,
)
from lab.verdict.uneven import uneven
from lab.worlds import Cue
from lab.worlds.clusters import Clusters

Metrics = Mapping[str, Estimate]

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

Relabeled = Literal["", "others", "classes"]
"""What shows that a network was trained with other labels: nothing; that few of its answers are
right; that they are right of other classes."""

SHARED = MUCH / 2
"""Share of the test examples that may be training examples, too, while test accuracy still tells
learning from memorizing."""

_FAULTS = ("misled", "misled partly", "combinations missed", "shortcut", "ignored", "groups")
"""Kinds of findings with which it has not learned the task, whatever its test accuracy."""

_LEARNED = ("learned", "memorized a little", "memorized partly")
"""Kinds of the main finding with which more is said about shortcuts than about memorizing."""

_OF_THE_LEARNED = ("not misled", "combinations mastered", "combinations unsettled")
"""Kinds of findings that would mislead about a network that has learned nothing."""

_EXPOSED, _FITTED = "members exposed", "wrong labels fitted"

HALF = 0.5
"""Share of the training or test examples without finite logits above which nothing else is told."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the verdict uses of a run besides its metrics."""

    num_train: int
    num_test: int
    num_classes: int
    """Classes of the task."""
    frequent: float = 0.0
    """Share of the most frequent class among the test examples, 0 to 1, if the classes are not
    equally frequent; 0: they are."""
    label_noise: float
    label_noise_kind: Literal["random", "flip"] = "random"
    steps: int
    """Optimizer steps that were done."""
    width: int | None
    """Width of the network; None: it has no such setting."""
    patience: int | None = None
    """Evaluations without a lower validation loss after which it was stopped early; None: it was
    not."""
    bound: float | None = None
    """Mean training loss at which it ended, in nats; None: not by that."""
    relevant: tuple[str, ...] = ()
    """Relevant attributes; (): not known, so that nothing is called a nuisance."""
    varied: tuple[str, ...] = ()
    """Relevant attributes that vary in the training set."""
    cues: tuple[Cue, ...] = ()
    """Nuisances that are tied to the label."""
    held: tuple[str, ...] = ()
    """Attributes of which unseen combinations show one value each, or one of a few."""
    kept: int | None = None
    """The step of which it has the weights, where that is not the last one; None: it is."""
    online: int | None = None
    """Number of training examples of online training, each used once; training accuracy is measured
    on the first `num_train`. None: `num_train` examples, re-used in every epoch."""
    replaced: int = 0
    """Of the examples on which training accuracy is measured those in whose place online training
    had counterfactuals."""
    shown: int | None = None
    """Training examples in all batches before it had its weights, the same one again in each epoch;
    None: not known."""

    measured_train: int | None = None
    """Training examples on which accuracy was measured, a random sample; None: all of them."""
    shared: int = 0
    """Test examples that are known to be training examples, too."""
    clusters: Clusters | None = None
    """Test examples that may belong together, or with training examples."""
    shared_nearly: bool = False
    """Whether these include pictures that are nearly the same as one for training."""
    shared_more: bool = False
    """Whether there may be more of them."""
    broken: int = 0
    """Examples of which inputs are not finite."""
    first_not_finite: bool | None = None
    """Whether the untrained network already had logits that are not finite; None: not known."""
    rescaled: bool = False
    """Whether another program fed the network other inputs while it trained it: of another scale or
    shape, or changed in a way that is not random."""
    redrawn: bool = False
    """Whether the training examples are random augmentations, of which one draw was measured."""
    test_redrawn: bool = False
    """Whether the test examples are."""
    before: Estimate | None = None
    """Accuracy on the test set before another program trained the network, where it was trained
    before that already; None: not so, or not known."""
    probabilities: bool = False
    """Whether its outputs, which are taken for logits, are probabilities that sum to 1."""
    relabeled: Relabeled = ""
    """Whether another program seems to have trained the network with other labels, by what shows
    it: fewer are right than by one answer to all, or each class gets one answer, mostly another."""
    smallest: SmallestRight | None = None
    """What shows that the smallest of its outputs, not the largest, is that of the right class;
    None: nothing does."""
    threshold: str = ""
    """A function of `model` and `x` whose threshold is 0, where that of the one output of the model
    seems to be another one."""
    untouched: bool = False
    """Whether no weight of the network changed in all of `steps`."""
    changes: tuple[str, ...] = ()
    """Interventions of the user's own, of which it is not known what they should change."""
    flags: bool = True
    """Whether advice names flags of the lab; False: another program trained the model."""

    noun: str = "faces"
    """Plural noun for the examples."""
    concept: str = "the task"
    """What there is to learn, as the object of a sentence: "what makes a person"."""
    more_train: int | None = None
    more_test: int | None = None
    """Further training and test examples that exist; None: unlimited."""

    @property
    def chance(self) -> float:
        """Chance level of accuracy, 0 to 1: of a guess, or of always predicting the most frequent
        class."""
        return max(self.frequent, 1 / self.num_classes)

    @property
    def studied(self) -> int:
        """Of the `num_train` examples, how many it was trained on, as far as that is known."""
        seen = self.shown if self.online is None else self.online
        return self.num_train if seen is None else min(seen, self.num_train)


@dataclass(frozen=True)
class Finding:
    """A claim: `kind` is its identifier, `text` its sentences."""

    kind: str
    text: str


def verdict(metrics: Metrics, setting: Setting) -> str:
    """The sentences of `findings`, one finding per line; `metrics` are the final metrics by tag."""
    return "\n".join(finding.text for finding in findings(metrics, setting))


def findings(metrics: Metrics, setting: Setting) -> list[Finding]:
    """The findings, the most important first, advice last; `metrics` are the final metrics by
    tag."""
    found = _found(metrics, setting)
    doubts = []
    if setting.untouched:
        doubts.append(_untouched(setting))
    if setting.rescaled:
        doubts.append(_rescaled(setting))
    if setting.probabilities:
        doubts.append(_probabilities(setting))
    if setting.relabeled:
        doubts.append(_relabeled(setting))
    if setting.smallest is not None:
        doubts.append(_smallest(setting.smallest, setting))
    if setting.threshold:
        doubts.append(_other_threshold(setting))
    if doubts:  # advice on training would be about another network, or about other inputs
        found = [each for each in found if each.kind != "advice"]
    if setting.redrawn:
        doubts.append(_redrawn(setting))
    if setting.test_redrawn:
        doubts.append(_test_redrawn(setting))
    if setting.before is not None:
        doubts.append(_trained_before(setting.before, setting))
    if setting.studied < setting.num_train:
        doubts.append(_unreached(setting))
    return [*doubts, *found]


def _found(metrics: Metrics, setting: Setting) -> list[Finding]:
    """The findings on the network as it is."""
    if not math.isfinite(metrics["loss/train"].value + metrics["loss/test"].value):
        rate = "--learning-rate" if setting.flags else "learning rate"
        text = f"It broke: its losses are not finite. Try a smaller {rate}."
        if setting.untouched:
            text = "Its losses are not finite."
        if setting.broken:
            text = (
                "Its losses are not finite, as the inputs of"
                f" {those(setting.broken, 'example', 'examples')} are not."
            )
        few = max(_not_finite(metrics, split) for split in ("train", "test")) <= HALF
        told = finite.not_finite(metrics, setting.noun)
        if not told or setting.broken or setting.untouched or not (few or setting.first_not_finite):
            return [Finding("broken", text)]
        said = Finding("not finite", _without(told, setting, rest=few))
        known = {tag: one for tag, one in metrics.items() if not math.isnan(one.value)}
        return [said, *_measured(known, setting)] if few else [said]
    return _measured(metrics, setting)


def _not_finite(metrics: Metrics, split: str) -> float:
    """The share of a set's examples of which a logit is not finite."""
    found = metrics.get(f"{finite.NOT_FINITE}{split}")
    return found.value if found is not None else 0.0


def _without(told: str, setting: Setting, *, rest: bool) -> str:
    """The sentences on examples, `told` in words, without finite logits; `rest`: figures follow."""
    text = f"For {told} a logit is not a finite number"
    rate = "--learning-rate" if setting.flags else "learning rate"
    if setting.first_not_finite:
        text += f", even before any training: {finite.ONE_COLOR}"
    elif setting.first_not_finite is None:
        text += f": {finite.ONE_COLOR} If not, try a smaller {rate}."
    else:
        text += f", as all were before any training. Try a smaller {rate}."
    if rest:
        text += (
            " What follows counts NaN as a wrong answer; its mean losses, and what they would tell"
            " an attacker, are not known."
        )
    return text


def _measured(metrics: Metrics, setting: Setting) -> list[Finding]:
    """The findings on a network that has logits."""
    noun = setting.noun
    known = "memorization/membership_auc" in metrics
    traces = [
        finding
        for finding in (
            known and attacker(metrics, noun, setting.replaced),
            mislabeled(metrics, noun),
        )
        if finding
    ]
    kinds = {finding.kind for finding in traces}
    main = headline(metrics, setting, traced=bool(kinds & {_EXPOSED, _FITTED}))
    read = reading(metrics, setting)
    if main.kind == "nothing":
        read = [finding for finding in read if finding.kind not in _OF_THE_LEARNED]
    misleads = [finding for finding in read if finding.kind == "misled"]
    first = misleads or [
        finding for finding in read if _matters_most(finding, main, metrics, setting)
    ]
    if misleads:
        claim = "Its ordinary figures do not show that."
        main = Finding(main.kind, f"{claim} {_numbers(metrics, setting, main.kind)}")
    elif main.kind == "learned" and _knows(read, metrics, setting):
        errors = percent(1 - metrics["accuracy/test"].value)
        claim = f"It has learned {setting.concept}; it errs on {errors} of {_unseen(setting)}."
        main = Finding(main.kind, f"{claim} {_numbers(metrics, setting, main.kind)}")
    if setting.clusters is not None:
        first = [_clustered(setting.clusters, noun), *first]
    if setting.shared:
        first = [_overlap(setting), *first]
    claims = [*first, main, *(finding for finding in read if finding not in first), *traces]
    if said := varying(metrics):
        claims.append(Finding("answers vary", said))
    sound = main.kind in _LEARNED and not any(finding.kind in _FAULTS for finding in read)
    if sound and (small := steady(metrics, setting.relevant, noun)):
        claims.append(Finding("steady", small))
    hint = advice(
        main.kind,
        error=1 - metrics["accuracy/test"].value,
        wrong_labels=_FITTED in kinds,
        num_train=setting.num_train,
        num_test=setting.num_test,
        num_classes=setting.num_classes,
        link=label_link(setting.label_noise, setting.label_noise_kind, setting.num_classes),
        steps=setting.steps,
        width=setting.width,
        patience=setting.patience,
        turned=setting.kept is not None,
        bound=setting.bound,
        online=setting.online is not None,
        noun=noun,
        more_train=setting.more_train,
        more_test=setting.more_test,
        flags=setting.flags,
    )
    if any(finding.kind in ("misled", "misled partly") for finding in claims):
        hint = break_cues(setting.cues, noun) or hint
    return [*claims, *([Finding("advice", hint)] if hint else [])]


def headline(metrics: Metrics, setting: Setting, *, traced: bool) -> Finding:
    """The main finding: memorized, learned or neither, with training and test accuracy.

    `traced`: whether membership AUC or fitted wrong labels show memorization.
    """
    train, gap = _compared(metrics)
    mean = metrics.get(class_shares.MEAN) if setting.frequent > 1 / setting.num_classes else None
    ranked = metrics.get(ROC_AUC)
    kind, claim = _claim(train, metrics["accuracy/test"], gap, setting, traced, mean, ranked)
    return Finding(kind, f"{claim} {_numbers(metrics, setting, kind)}")


def _compared(metrics: Metrics) -> tuple[Estimate, Estimate]:
    """Training accuracy and the generalization gap by which it is judged: where some labels are
    wrong, those of rightly labeled examples, and where classes have other shares in the test set,
    those with each class counted at its share there."""
    return metrics[judged(ACCURACY, metrics)], metrics[judged(GAP, metrics)]


def _numbers(metrics: Metrics, setting: Setting, kind: str) -> str:
    """The sentences on training and test accuracy, and on the answer that all get."""
    train, test = metrics["accuracy/train"], metrics["accuracy/test"]
    but = ", but only" if kind in ("memorized", "memorized partly") else " and"
    return (
        f"It gets {counted(train, _studied(setting))} right{but} {share(test, first=True)} of"
        f" {_unseen(setting)}{_guess(test, setting)}."
        f"{_other_shares(metrics, setting)}{_same_answer(metrics, setting)}"
    )


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
    if studied is None:
        return (
            f" The {what} have other shares in the test set than in the training set. Counted at"
            f" the shares of the test set, it gets {share(train)} of the {noun} it studied right:"
            " that is what the verdict compares."
        )
    unknown = setting.num_test - (studied.count or 0)
    return (
        f" Of the test {noun}, {unknown:,} are of {what} that it has never studied; of the others"
        f" it gets {share(studied)} right. The verdict compares these with the {noun} of the same"
        f" {what} that it studied, at the same shares: it gets {share(train)} of those right."
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
    return f" It gives {nearly}all test {setting.noun} the same answer ({number})."


def _unseen(setting: Setting) -> str:
    """The test examples, in words."""
    if (
        setting.shared
        or setting.before is not None
        or (setting.clusters is not None and setting.clusters.shared)
    ):
        return f"the test {setting.noun}"
    fixed = setting.more_test is not None  # the figure is about these pictures, a small set
    return f"{f'{setting.num_test:,} ' if fixed else ''}{setting.noun} it has never seen"


def _matters_most(found: Finding, main: Finding, metrics: Metrics, setting: Setting) -> bool:
    """Whether a finding on reliance comes before the `main` one although no cue misleads it: where
    it has learned something, cues on which it leans much, or nuisances that it looks at."""
    if main.kind not in _LEARNED:
        return False
    if found.kind == "misled partly":
        lost = difference(metrics["accuracy/unbiased"], metrics["accuracy/conflicting"])
        return lost.interval[0] > MUCH
    return found.kind == "shortcut" and bool(looked_at(metrics, setting.relevant))


def _knows(read: list[Finding], metrics: Metrics, setting: Setting) -> bool:
    """Whether it has learned the task: each relevant attribute matters, nothing else is known to
    matter much, and most unseen examples are right."""
    sound = not any(finding.kind in _FAULTS for finding in read)
    good = metrics["accuracy/test"].interval[0] >= GOOD
    return sound and good and notices(metrics, setting.varied)


def _overlap(setting: Setting) -> Finding:
    """The finding that the test set shares examples with the training set."""
    least = "at least " if setting.measured_train is not None or setting.shared_more else ""
    nearly = ", exactly or nearly" if setting.shared_nearly else ""
    text = (
        f"Of the {setting.num_test:,} test {setting.noun} it studied {least}{setting.shared:,}"
        f"{nearly}, so that what follows about the test set is too good."
    )
    return Finding("overlap", text)


def _clustered(found: Clusters, noun: str) -> Finding:
    """The finding that test examples may belong together, or with training examples."""
    together = found.if_together(noun)
    if found.shared:
        text = (
            f"Of {found.counted} among its test {noun}, {found.shared:,}"
            f" {'has' if found.shared == 1 else 'have'} training {noun}, too: {together} what"
            " follows about the test set is too good."
        )
    else:
        text = (
            f"Its test {noun} have {found.counted}: {together} the intervals, and what is said by"
            f" them, are too sure, since they take {noun} for independent."
        )
    return Finding("clusters", text)


def _untouched(setting: Setting) -> Finding:
    """The finding that nothing trained the network that was measured."""
    times = in_steps(setting.steps)
    text = (
        f"None of its weights changed in {times}, so that all figures are those of the model as it"
        " was at the start. Perhaps a copy of it was trained, by the loop or by a trainer that made"
        " one; or the optimizer has the parameters of another model; or the learning rate was 0."
    )
    return Finding("untouched", text)


def _rescaled(setting: Setting) -> Finding:
    """The finding that it was measured on other inputs than it was trained on."""
    text = (
        "The loop fed it inputs of another scale, shape or order than those on which it was"
        f" measured, so that all figures are those of {setting.noun} that look unlike the ones it"
        " studied. Change them in a transform, or in forward= too."
    )
    return Finding("rescaled", text)


def _probabilities(setting: Setting) -> Finding:
    """The finding that its outputs are probabilities."""
    text = (
        f"Its outputs for each of the {setting.noun} sum to 1: they are probabilities, which were"
        " taken for logits, so that losses, calibration and what an attacker can tell are those of"
        " other probabilities. Leave out its softmax."
    )
    return Finding("probabilities", text)


def _relabeled(setting: Setting) -> Finding:
    """The finding that it seems to have been trained with other labels than it was measured by."""
    shown = (
        f"It gets fewer of its training {setting.noun} right than one answer to all of them would"
    )
    if setting.relabeled == "classes":
        shown = (
            f"It gives nearly all training {setting.noun} of a class one answer, which mostly is"
            " another class"
        )
    text = (
        f"{shown}: the loop seems to train it with other labels, changed on the way, made coarser"
        " or numbered in another order. Then all figures are those of a model that learned"
        " something else."
    )
    return Finding("relabeled", text)


def _smallest(found: SmallestRight, setting: Setting) -> Finding:
    """The finding that its smallest output is the right one."""
    text = (
        "The smallest of its outputs, not the largest, is that of the right class for"
        f" {share(found.share, first=True)} of its training {setting.noun}. The largest is taken"
        " for its answer, so that all figures are about other answers than are meant: outputs such"
        " as distances must be negated (return -distances)."
    )
    if found.negative:
        text += " Or it was trained with other labels, such as in another order."
    return Finding("smallest", text)


def _other_threshold(setting: Setting) -> Finding:
    """The finding that its one output was taken for a logit, and seems to be something else."""
    text = (
        "Its one output was taken for a logit, with a threshold of 0, and another one tells its"
        f" training {setting.noun} apart far better: if that is the loop's, the figures are about"
        f" answers that nobody takes. Give forward=lambda model, x: {setting.threshold}."
    )
    return Finding("threshold", text)


def _trained_before(right: Estimate, setting: Setting) -> Finding:
    """The finding that it may have studied test examples before the loop."""
    text = (
        f"Before the first step it got {share(right, first=True)} of the test {setting.noun} right"
        " already: if it was trained on some of them, as a network that the folds of a"
        " cross-validation share, what follows about the test set is too good."
    )
    return Finding("trained before", text)


def _redrawn(setting: Setting) -> Finding:
    """The finding that training examples were measured as other draws than those it studied."""
    text = (
        f"Its training {setting.noun} are other ones each time that they are read (random"
        f" augmentation): what follows about {setting.noun} that it studied is about one new draw"
        " of each. Give clean= to measure without augmentation."
    )
    return Finding("redrawn", text)


def _test_redrawn(setting: Setting) -> Finding:
    """The finding that test examples were measured as augmentations of them."""
    compared = ""
    if not setting.redrawn:
        compared = (
            f" Its training {setting.noun} are not, so that it may be right less often, and have"
            " larger losses, on unseen ones for that alone, and not because it memorized."
        )
    text = (
        f"The test {setting.noun} are other ones each time that they are read (random"
        f" augmentation): what follows about unseen {setting.noun} is about one draw of"
        f" each.{compared} Give a test set without augmentation."
    )
    return Finding("test redrawn", text)


def _unreached(setting: Setting) -> Finding:
    """The finding that it was not shown all training examples before it had its weights."""
    why = "it took too few steps to get to the others"
    if setting.kept is not None:
        why = f"the weights that were kept are of step {setting.kept:,}"
    text = (
        f"Of its {setting.num_train:,} training {setting.noun} it was shown"
        f" {f'{setting.studied:,}' if setting.studied else 'none'}: {why}. What follows counts all"
        " of them as studied, so that it shows less of what it memorized."
    )
    return Finding("unreached", text)


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


def reading(metrics: Metrics, setting: Setting) -> list[Finding]:
    """The findings on reliance: on cues, other nuisances and relevant attributes."""
    noun = setting.noun
    held = [cue for cue in setting.cues if cue.attribute in setting.held]
    pairs = (
        misled(metrics, setting.cues, setting.num_classes, noun),
        combined(metrics, noun, held=held),
    )
    found = [Finding(*pair) for pair in pairs if pair]
    if metrics["accuracy/test"].interval[0] <= setting.chance:  # "not misled" would mislead
        found = [one for one in found if one.kind not in _OF_THE_LEARNED]
    told = any(one.kind == "misled" for one in found)
    for kind, text in (
        ("shortcut", relied_on(metrics, setting.relevant, noun, told=told)),
        ("ignored", ignored(metrics, setting.varied, noun)),
        ("groups", "" if setting.cues else uneven(metrics, noun, studied=setting.shared > 0)),
        ("perturbed", perturbed(metrics, noun)),
        ("changed", changed(metrics, setting.changes, noun)),
    ):
        if text:
            found.append(Finding(kind, text))
    return found


def attacker(metrics: Metrics, noun: str = "faces", replaced: int = 0) -> Finding | None:
    """The finding on membership inference: the interval of the membership AUC against 0.5;
    `replaced` of the members were not studied."""
    tag = judged(AUC, metrics)
    alike = {
        right_labels.AUC: " with right labels",
        class_shares.BY_CLASS[2]: " of one class",
        class_shares.BY_GROUP[2]: " of one group",
    }.get(tag, "")
    metric = metrics[tag]
    low, high = metric.interval
    told = f"{auc(metric)}."
    told += f" The {replaced:,} that it did not study count as studied." if replaced else ""
    if low > 0.5:
        text = (
            f"An attacker who sees its losses on two {noun}{alike}, of which it studied one, can"
            f" tell which: right for {percent(metric.value)} of all such pairs, {told}"
        )
        return Finding(_EXPOSED, text)
    if high < 0.5:
        text = f"Its answers fit the {noun} it studied less well than fresh ones: {told}"
        return Finding("members disowned", text)
    which = f"which of two {noun}{alike}" if alike else f"which {noun}"
    if high - 0.5 < _near(0.5):
        text = f"An attacker can only guess {which} it studied: {told}"
        return Finding("members hidden", text)
    text = f"Whether an attacker can tell {which} it studied is not settled: {told}"
    return Finding("members unsettled", text)


def mislabeled(metrics: Metrics, noun: str = "faces") -> Finding | None:
    """The finding on mislabeled training examples; `None` if there are none. It has learned their
    wrong labels, or seen through them, only if it gets surely more of one than of the other, and
    than answers would that have nothing to do with the pictures."""
    fitted = metrics.get("memorization/mislabeled_fitted")
    true = metrics.get("memorization/mislabeled_true_label")
    if fitted is None or true is None or not fitted.count:
        return None
    numbers = (
        f"of the {fitted.count:,} mislabeled {noun}, {share(fitted)} get the wrong label they came"
        f" with and {share(true)} their true one"
    )
    if fitted.count == 1:
        got = "neither the wrong label it came with nor its true one"
        if fitted.value or true.value:
            got = "the wrong label it came with" if fitted.value else "its true label"
        numbers = f"the one mislabeled {singular(noun)} gets {got}"
    doubt = ""
    if fitted.interval[0] > true.interval[1]:
        known = metrics.get("memorization/mislabeled_fitted_at_random")
        if known is None or fitted.interval[0] > known.value:
            return Finding(_FITTED, f"It learned wrong labels by heart: {numbers}.")
        doubt = f"; dealt at random its answers would get {percent(known.value)} wrong labels"
    elif true.interval[0] > fitted.interval[1]:
        known = metrics.get("memorization/mislabeled_true_label_by_constant")
        if known is None or true.interval[0] > known.value:
            many = "most" if true.interval[0] > 0.5 else "more"
            than = "" if many == "most" else " than it learned"
            text = f"It saw through {many} wrong labels{than}: {numbers}."
            return Finding("wrong labels resisted", text)
        doubt = f"; one answer to all of them would get {percent(known.value)} true ones"
    return Finding("wrong labels unsettled", f"{numbers[0].upper()}{numbers[1:]}{doubt}.")


def _claim(
    train: Estimate,
    test: Estimate,
    gap: Estimate,
    setting: Setting,
    traced: bool,
    mean: Estimate | None,
    ranked: Estimate | None,
) -> tuple[str, str]:
    """The kind of the headline and its claim; `mean` is the mean accuracy over classes, where some
    are more frequent than others, `ranked` the area under the ROC curve, where that is measured."""
    guess = setting.chance
    even = 1 / setting.num_classes
    apart = mean is not None and mean.interval[0] > even + _near(even)
    learned = test.interval[0] > guess or apart
    low, high = gap.interval
    known = guess if setting.frequent < 1 else 1 / setting.num_classes
    if train.interval[0] <= known and test.interval[0] - guess <= MUCH:
        if apart and mean is not None:
            return "apart", (
                f"It tells the classes apart: the mean of its accuracy on each class is"
                f" {share(mean)}, where a constant answer gets {percent(even)}."
            )
        if ranked is not None and ranked.interval[0] > 0.5 + RANKED:
            return "apart", (
                "Its answers do not tell the classes apart, but its probabilities do: by these the"
                f" area under the ROC curve is {estimated(ranked, 2)}, where a guess gets 0.50."
                " Another threshold, or weights for rare classes, would use that."
            )
        if traced:
            return "nothing", "It has learned nothing that shows, but it memorized a little."
        return "nothing", "It has learned nothing that shows."
    if setting.frequent >= 1:
        return "one class", f"What it learned cannot be told from test {setting.noun} of one class."
    among = 1 / setting.num_classes  # below the most frequent class is not yet below chance
    if test.interval[1] < among - _near(among):
        what = "the opposite of the truth" if setting.num_classes == 2 else "what is not so"
        return "contrary", f"It learned {what}."
    # whether test accuracy is nearer to training accuracy than to chance
    mostly = test.interval[0] - guess > (train.value - guess) / 2
    if (low >= MUCH and not mostly) or (low > 0 and not learned):
        return "memorized", "It memorized."
    if low > 0 and high >= MUCH:
        return "memorized partly", "It learned, and it memorized too."
    if low > 0 or (traced and learned):
        return "memorized a little", "It learned, and it memorized a little."
    if not learned:
        told = f"hat it learned cannot be told from so few {setting.noun}."
        return "unsettled", f"It memorized a little; w{told}" if traced else f"W{told}"
    if max(train.interval[1], test.interval[1]) < GOOD:
        return "underfit", "It learned something, but not enough yet."
    if high >= MUCH:
        return (
            "unsettled",
            f"It learned; whether it memorized too, so few {setting.noun} cannot tell.",
        )
    if setting.shared > SHARED * setting.num_test:
        return "shared", "It learned; whether it memorized too, such a test set cannot tell."
    return "learned", "It learned, and nothing shows that it memorized."


def against_chance(test: Estimate, setting: Setting) -> Literal["above", "below", "at", "open"]:
    """Test accuracy against `setting.chance`, by its interval; "open": the interval is too wide to
    tell."""
    (low, high), guess = test.interval, setting.chance
    if low > guess:
        return "above"
    if high < guess - _near(guess):
        return "below"
    return "at" if high - guess < _near(guess) else "open"


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


def _near(chance: float) -> float:
    return NEAR * math.sqrt(chance * (1 - chance))
