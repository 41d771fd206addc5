"""Findings that figures are about something else than they seem to be about: other inputs, other
labels, another network, test examples that it knows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lab.core.estimate import Estimate, difference
from lab.core.text import plain
from lab.core.words import in_steps, off, share, singular, those
from lab.measure.better_threshold import BetterThreshold
from lab.measure.smallest_right import SmallestRight
from lab.verdict.setting import Finding, Setting
from lab.worlds.clusters import Clusters

UNRECOGNIZED = "none of those that it was seen to feed is one of the measured ones"
"""What is said of a loop's inputs of which none is recognized."""

ONE_COMPARED = (
    "Only one of the tensors of its inputs was compared with what the loop feeds it: if the"
    " loop changes another one, do so in a transform, or in forward=, too."
)
"""What is said where a change of the others may be the reason."""

UNLIKE = 0.05
"""Share by which the accuracy on validation examples surely exceeds that on test examples, at
least, if these are to be unlike them."""

NAMED = 4
"""Classes that a sentence names, at most."""


def another(setting: Setting) -> list[Finding]:
    """The findings that the figures are those of another network, or of other inputs or labels,
    than were meant."""
    found = []
    if setting.untouched:
        found.append(_untouched(setting))
    if setting.rescaled:
        found.append(_rescaled(setting))
    if setting.in_training is not None:
        found.append(_in_training(setting.in_training, setting))
    if setting.probabilities:
        found.append(_probabilities(setting))
    if setting.relabeled:
        found.append(_relabeled(setting))
    if setting.smallest is not None:
        found.append(_smallest(setting.smallest, setting))
    if setting.threshold:
        found.append(_other_threshold(setting))
    elif setting.ranked is not None:
        found.append(_ranked(setting.ranked, setting))
    by_outputs = setting.relabeled or setting.smallest or setting.threshold or setting.ranked
    if by_outputs and setting.one_compared:
        found.append(Finding("one compared", ONE_COMPARED))
    return found


def unlike(setting: Setting) -> list[Finding]:
    """The findings that what counts as studied was not, or not as it was measured, or that what
    counts as unseen was seen before the training."""
    found = []
    if setting.uncalled:
        text = (
            "Whether it was trained on inputs as they are measured is not known: the loop was not"
            " seen to call the model itself."
        )
        found.append(Finding("uncalled", text))
    for is_other, what, unless in (
        (setting.other_scale, "scale", "that is no difference of what they show"),
        (setting.other_shape, "shape", "it answers otherwise to inputs of another size"),
    ):
        if is_other:
            text = (
                f"The inputs of its test {setting.noun} are of another {what} than those of its"
                f" training {setting.noun}: if {unless}, what follows about memory comes from that."
            )
            found.append(Finding(f"other {what}", text))
    if setting.filled:
        text = (
            "One number of its inputs is most often the same in one of the two sets, and not in the"
            f" other: if that is no difference of what its {setting.noun} show, as where missing"
            " numbers were filled, what follows about memory comes from that."
        )
        found.append(Finding("filled", text))
    if setting.opposite is not None:
        text = (
            "Its test pictures are dark on the mean where its training pictures are bright, and the"
            f" reverse (correlation of the mean pictures {setting.opposite:.2f}): if light and dark"
            " were exchanged in one of the sets, or its pictures turned, what follows about memory"
            " comes from that."
        )
        found.append(Finding("opposite", text))
    if setting.exchanged:
        found.append(_exchanged(setting.exchanged, setting.noun))
    if setting.redrawn:
        found.append(_redrawn(setting))
    if setting.test_redrawn:
        found.append(_test_redrawn(setting))
    if setting.fed is not None:
        found.append(_fed(*setting.fed, setting))
    if setting.before is not None:
        found.append(_trained_before(setting.before, setting))
    if setting.studied < setting.num_train:
        found.append(_unreached(setting))
    if setting.part is not None:
        found.append(_partly(*setting.part, setting))
    return found


def _exchanged(pairs: Sequence[tuple[str, str]], noun: str) -> Finding:
    """The finding that test examples of classes get the names of others, in `pairs`."""
    named = [tuple(map(plain, pair)) for pair in pairs[:NAMED]]
    (one, other), *more = named
    told = f"{one} are answered {other}"
    if len(pairs) == 2 and more[0] == (other, one):
        told += ", and the reverse, though those it studied are not: if the two were exchanged in"
    else:
        told += "".join(f", of {of} {answer}" for of, answer in more)
        told += " and so on" * (len(pairs) > NAMED)
        told += ", though those it studied are not: if classes have other names or numbers in"
    text = f"Most test {noun} of {told} one of the sets, what follows about memory comes from that."
    return Finding("exchanged", text)


def unlike_validation(metrics: Mapping[str, Estimate], setting: Setting) -> list[Finding]:
    """The finding that of the validation examples, which were taken from among those to train on
    and not studied, far more are right than of the test examples, of pictures from disk: memory
    does not make that difference, unless the former belong together with training examples."""
    found, test = metrics.get("accuracy/validation"), metrics["accuracy/test"]
    if found is None or math.isnan(found.value) or setting.relevant:
        return []
    if difference(found, test).interval[0] <= UNLIKE:
        return []
    noun = setting.noun
    known = difference(metrics["accuracy/train"], found).interval[0] > UNLIKE
    text = (
        f"It gets {share(found, first=True)} of its validation {noun} right, which it did not study"
        f" either: its test {noun}, or their labels, are unlike those that it studied, so that what"
        f" follows about memory comes from that{', too' * known}"
    )
    together = "" if setting.stated is not None else ", or belong together with them"
    text += f"; or its validation {noun} are copies of some that it studied{together}"
    return [Finding("unlike validation", f"{text}.")]


def dependent(setting: Setting) -> list[Finding]:
    """The findings that test examples are training examples, or belong together with some."""
    found = []
    what = "they have other labels there" if setting.alike > 1 else "it has another label there"
    if setting.shared:
        found.append(_overlap(setting))
    if setting.alike:
        least = "At least " if setting.measured_train is not None else ""
        of = f"of the {setting.num_test:,} test {setting.noun}"
        text = (
            f"{least}{those(setting.alike, f'{of} is the same', f'{of} are the same')}"
            " as some it studied: if that is no chance, as where some were copied before the sets"
            " were divided, what follows about the test set is"
            f" {off(setting.shared_otherwise / setting.alike, what=what)}."
        )
        found.append(Finding("alike", text))
    if setting.clusters is not None:
        found.append(_clustered(setting.clusters, setting.noun))
    return found


def _overlap(setting: Setting) -> Finding:
    """The finding that the test set shares examples with the training set."""
    least = "at least " if setting.measured_train is not None or setting.shared_more else ""
    nearly, exact = setting.shared_nearly, setting.shared - setting.shared_nearly
    what = "they have other labels there" if setting.shared > 1 else "it has another label there"
    is_off = off(setting.shared_otherwise / setting.shared, what=what)
    text = f"Of the {setting.num_test:,} test {setting.noun} it studied {least}"
    if not nearly:
        text += f"{exact:,}, so that what follows about the test set is {is_off}."
    elif exact:
        text += (
            f"{exact:,}, and {nearly:,} more if what is nearly the same is the same photograph, so"
            f" that what follows about the test set is {is_off}."
        )
    else:
        text += (
            f"{nearly:,} if what is nearly the same as a training {singular(setting.noun)} is the"
            f" same photograph: then what follows about the test set is {is_off}."
        )
    return Finding("overlap", text)


def _clustered(found: Clusters, noun: str) -> Finding:
    """The finding that test examples may belong together, or with training examples."""
    together = found.if_together(noun)
    if found.anew:
        same = found.if_the_same(noun, "the intervals are too sure", "both sets")
        text = (
            f"Its test {noun} have {found.counted}, {found.of_training_too} of training {noun},"
            f" too: {same} what follows about the test set is {found.off(noun)}."
        )
    elif found.shared:
        text = (
            f"Of {found.counted} among its test {noun}, {found.shared:,}"
            f" {'has' if found.shared == 1 else 'have'} training {noun}, too: {together} what"
            f" follows about the test set is {found.off(noun)}"
            f"{', and too sure' if found.crowded else ''}."
        )
    else:
        text = (
            f"Its test {noun} have {found.counted}: {together} the intervals, and what is said by"
            f" them, are too sure, since they take {noun} for independent."
        )
    return Finding("clusters", text)


def over_clusters(studied: int, tested: int, noun: str) -> Finding:
    """The finding that intervals are those of so many clusters of training and test examples."""
    text = f"Intervals take the {tested:,} clusters of its test {noun} for independent, not {noun}."
    ones = [what for what, count in (("training", studied), ("test", tested)) if count == 1]
    if ones:
        text = (
            f"Its {' and '.join(ones)} {noun} are of one cluster, from which nothing is known of"
            " others: what depends on them has no interval."
        )
    return Finding("over clusters", text)


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


def _in_training(right: Estimate, setting: Setting) -> Finding:
    """The finding that it answers otherwise in training mode than where it was measured."""
    text = (
        f"In training mode it gets {share(right, first=True)} of its training {setting.noun} right,"
        " far more than in eval mode, in which all else is measured. Look for what it does in one"
        " mode alone, such as a normalization, or for running statistics that have not settled, as"
        " of batch normalization."
    )
    return Finding("in training mode", text)


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
    inputs = (
        f", or on inputs that it changes itself: {UNRECOGNIZED}" if setting.unrecognized else ""
    )
    text = (
        f"{shown}: the loop seems to train it with other labels, changed on the way, made coarser"
        f" or numbered in another order{inputs}. Then all figures are those of a model that learned"
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
    if setting.unrecognized:
        text += f" Or on inputs that the loop changes itself: {UNRECOGNIZED}."
    return Finding("smallest", text)


def _other_threshold(setting: Setting) -> Finding:
    """The finding that its one output was taken for a logit, and seems to be something else."""
    text = (
        "Its one output was taken for a logit, with a threshold of 0, and another one tells its"
        f" training {setting.noun} apart far better: if that is the loop's, the figures are about"
        f" answers that nobody takes. Give forward=lambda model, x: {setting.threshold}."
    )
    return Finding("threshold", text)


def _ranked(found: BetterThreshold, setting: Setting) -> Finding:
    """The finding that its outputs rank examples better than its answers tell them apart."""
    text = (
        f"Its outputs rank the {setting.noun} far better than its answers tell: with a threshold of"
        f" {found.value:.3g}, not 0, for the log odds of the second class (chosen on the training"
        f" {setting.noun}) it would get {share(found.train, first=True)} of the {setting.noun} it"
        f" studied right and {share(found.test)} of the test {setting.noun}. So what is said of its"
        " answers and losses, and of memory by them, is about the threshold."
    )
    return Finding("ranked", text)


def _fed(rows: int, tested: int, setting: Setting) -> Finding:
    """The finding that the loop fed it test examples."""
    least = "at least " if setting.fed_more else ""
    text = (
        f"Of {rows:,} inputs that the loop was seen to feed it, {least}{tested:,} are test"
        f" {setting.noun}, and no training ones: if it learned from them, what follows about"
        " the test set is too good."
    )
    return Finding("fed", text)


def _trained_before(right: Estimate, setting: Setting) -> Finding:
    """The finding that it may have studied test examples before its training."""
    such = "a network that the folds of a cross-validation share"
    if setting.flags:
        such = "a network whose weights come from an earlier training"
    text = (
        f"Before the first step it got {share(right, first=True)} of the test {setting.noun} right"
        f" already: if it was trained on some of them, as {such}, what follows about the test set"
        " is too good."
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


def _partly(trained: int, seen: int, looked: int, setting: Setting) -> Finding:
    """The finding that it seems to be trained on a part of its training examples alone."""
    text = (
        f"The loop seems to train it on about {trained:,} of the {setting.num_train:,} training"
        f" {setting.noun} alone, or on the others hardly ever: {looked:,} inputs that were looked"
        f" at are {seen:,} of them. What follows counts all of them as studied, so that it shows"
        " less of what it memorized."
    )
    return Finding("partly", text)


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
