"""Advice: the flags to try next, derived from a run's final metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from lab.core.config import LOSS_BOUND
from lab.core.words import rung
from lab.verdict.headline import OTHER_GROUPS
from lab.verdict.shortcuts import CLOSE
from lab.worlds import Cue

GOAL = 0.05
"""Target test error of the advice on the number of training faces."""
MOST_EXAMPLES, MOST_STEPS, MOST_WIDTH, MOST_PATIENCE = 1_000_000, 10_000_000, 1024, 1000
LEFT = 2
"""Further training examples without which there is no early stopping: they are for validation."""
SHORT = ("nothing", "underfit", "apart")
"""Headlines of networks that have not fitted their training set: they are to be trained more."""
BEYOND = 1.5
"""Times the loss of a guess, log of the number of classes, from which on that of a network which
has not fitted its training set is told."""
RANDOM = 0.1
"""Up to this `label_link` (that of label noise 0.9 with random labels) the labels can only be
fitted by memorizing."""


def label_link(share: float, kind: Literal["random", "flip"], classes: int) -> float:
    """The agreement of training labels with the true ones, chance-corrected as Cohen's kappa is,
    when a `share` of them is corrupted: 1 (all correct), 0 (independent of the true labels) or
    below 0 (correct less often than by chance).

    (P(right) - 1 / classes) / (1 - 1 / classes); P(right) is 1 - share + share / classes where
    corrupted labels are drawn at random, and 1 - share where they are always wrong.
    """
    guess = 1 / classes
    right = 1 - share + (share * guess if kind == "random" else 0)
    return (right - guess) / (1 - guess)


def advice(
    kind: str,
    *,
    lost: bool = False,
    untrained: bool = False,
    error: float,
    wrong_labels: bool,
    num_train: int,
    num_test: int,
    num_classes: int,
    link: float,
    steps: int,
    width: int | None,
    patience: int | None = None,
    turned: bool = False,
    bound: float | None = None,
    online: bool = False,
    noun: str = "faces",
    more_train: int | None = None,
    more_test: int | None = None,
    flags: bool = True,
    loss: float = 0.0,
    clustered: bool = False,
    one_cluster: bool = False,
    drawn: bool = True,
    learnable: bool = True,
) -> str:
    """One or two sentences with flags to try; may be empty.

    `kind` is the headline's; `lost` whether it knew much more of its training set before;
    `untrained` whether it has the weights from before its training; `error` the test error;
    `wrong_labels` whether mislabeled examples are fitted; `link` as `label_link` gives it; `width`
    None for a network without this setting; `patience` the evaluations without a lower loss after
    which it was stopped early, None: it was not; `turned` whether it has the weights of an earlier
    step, as its loss rose after it; `bound` the training loss at which it ended, None: not by that;
    `online` whether each example was used once only; `noun` the plural noun for examples;
    `more_train` and `more_test` the numbers of further examples that exist (None: unlimited);
    `flags` whether another run is a matter of the lab's flags; `loss` the training loss in nats;
    `clustered` whether it is known which examples belong together; `one_cluster`: all training
    examples do; `drawn` whether the lab draws them, so that labels follow from what they show, and
    `learnable` whether that is known at all.
    """
    others = " of other clusters" if clustered else ""
    if one_cluster and kind not in SHORT:
        return f"Training {noun}{others} would settle it."
    if kind == "shared":
        return f"Test {noun} that it has not studied would settle it."
    if kind == OTHER_GROUPS:
        return f"Unseen {noun} of the groups that it studied would settle it."
    if untrained and patience is not None:
        waits = min(MOST_PATIENCE, max(5, 3 * patience))
        return (
            "No evaluation had a lower validation loss than before training: try"
            f" --early-stopping {waits}, or a larger --num-validation."
        )
    if lost:
        if not flags:
            return "A smaller learning rate, or the weights of an earlier step, may help."
        kept = "" if patience is not None else " or --early-stopping 5"
        return f"Try a smaller --learning-rate{kept}."
    if kind in SHORT and loss > BEYOND * math.log(max(2, num_classes)):
        return _beyond(loss, num_classes, flags=flags)
    further = _more_would_help(noun, others, drawn=drawn, learnable=learnable)
    if not flags:
        return _without_flags(kind, wrong_labels, num_train, num_test, link, noun, others, further)
    if abs(link) < RANDOM + 1e-9 and kind != "nothing":
        return "Its labels left nothing else to learn: try --label-noise 0."
    if link < 0 and kind != "nothing":
        return "Most of its labels are wrong: try a lower --label-noise."
    fitted = bound is not None and bound <= LOSS_BOUND
    if kind in SHORT and not fitted and not turned:
        more = f"--steps {min(MOST_STEPS, max(1000, 3 * steps))}"
        if patience is not None:
            more = f"--early-stopping {min(MOST_PATIENCE, max(5, 3 * patience))}"
        if bound is not None:
            more = f"--stop-at-loss {bound / 10:.2g}"
        wider = f", or --width {min(MOST_WIDTH, 2 * width)}" if width else ""
        return f"More training may help: try {more}{wider}."
    if kind == "one class":
        return f"Test {noun} of all classes would tell."
    if kind == "unsettled" and num_test < num_train:
        told = _try("num-test", num_test, 10 * num_test, more_test)
        return f"More test {noun}{others} would settle it{told}."
    if kind == "unsettled":
        told = _try("num-train", num_train, _more(num_train, error), more_train)
        return f"More {noun}{others} would settle it{told}."
    if kind == "contrary":
        return _look(noun)
    if online:
        return f"To see it memorize, show it the same {noun} again and again: leave out --online."
    if kind == "learned":
        fewer = max(10, 2 * num_classes, rung(num_train / 30, most=MOST_EXAMPLES))
        if fewer >= num_train > 10:
            return ""
        return f"To see it memorize, show it fewer {noun}: try --num-train {fewer}."
    hints = []
    if wrong_labels and patience is None and (more_train is None or more_train >= LEFT):
        hints.append("Stopping before it learns wrong labels may help: try --early-stopping 5.")
    if num_train < MOST_EXAMPLES:
        wanted = _more(num_train, error)
        told = _try("num-train", num_train, wanted, more_train)
        hints.append(f"{further}{told}.")
    return " ".join(hints)


def _without_flags(
    kind: str,
    wrong_labels: bool,
    num_train: int,
    num_test: int,
    link: float,
    noun: str,
    others: str,
    further: str,
) -> str:
    """The advice for a model that another program trains; `others` says which further ones, and
    `further` what they would do."""
    if abs(link) < RANDOM + 1e-9 and kind != "nothing":
        return "Its labels left nothing else to learn."
    if link < 0 and kind != "nothing":
        return "Most of its labels are wrong: look at them first."
    if kind == "contrary":
        return _look(noun)
    if kind in SHORT:
        return "Training it longer, or a larger network, may help."
    if kind == "one class":
        return f"Test {noun} of all classes would tell."
    if kind == "unsettled":
        return f"More {'test ' if num_test < num_train else ''}{noun}{others} would settle it."
    if kind == "learned":
        return ""
    stop = "Stopping before it learns wrong labels may help. " if wrong_labels else ""
    return f"{stop}{further}."


def _more_would_help(noun: str, others: str, *, drawn: bool, learnable: bool) -> str:
    """What further training examples would do, as `advice` has it. An accuracy above chance shows
    that labels follow from what examples show in part, and not that more of it can be learned."""
    known = "" if learnable else ", if labels follow from what they show"
    return f"More training {noun}{others} {'would' if drawn else 'may'} help{known}"


def _look(noun: str) -> str:
    """What may be the matter with two sets of which one contradicts what the other shows."""
    return (
        "What its training set shows does not hold in its test set: look whether classes were"
        f" exchanged in one of them, or its {noun} changed, as by exchanging light and dark."
    )


def _beyond(loss: float, num_classes: int, *, flags: bool) -> str:
    """What may be the matter where the training loss is far above that of a guess."""
    by = "its objective" if flags else "the loop"
    rate = "--learning-rate" if flags else "learning rate"
    told = f"{loss:,.0f}" if loss >= 1000 else f"{loss:.3g}"
    return (
        f"Its training loss is {told}, where a guess gets {math.log(num_classes):.3g}: another"
        f" {rate} may help, if {by} lowers this loss, by these labels."
    )


def break_cues(cues: Sequence[Cue], noun: str = "faces") -> str:
    """A sentence that advises weaker `cues`, so that more training faces are conflicting.

    Their share is four times the present one and at least 1/4 (with 1/20, reliance on a cue only
    fell from 0.83 to 0.55: scripts/dose_response.py), but the strength is never below 1 / number of
    classes. Empty if no cue is stronger than that.
    """
    looser = [
        str(replace(cue, strength=_looser(cue)))
        for cue in cues
        if cue.strength > cue.no_link + CLOSE
    ]
    if not looser:
        return ""
    return f"More {noun} that break the cue would help: try --cues {' '.join(looser)}."


def _looser(cue: Cue) -> float:
    against = max(0.25, 4 * (1 - cue.strength))
    return round(max(cue.no_link, 1 - against), 3)


def _try(flag: str, number: int, wanted: float, more: int | None) -> str:
    """A flag with `wanted` examples, at most `more` beyond the present `number`; empty if there are
    no more."""
    most = MOST_EXAMPLES if more is None else min(MOST_EXAMPLES, number + more)
    return f": try --{flag} {rung(wanted, most=most)}" if most > number else ""


def _more(num_train: int, error: float) -> int:
    """The number of training faces at which a power law with exponent 1/2 predicts the test error
    `GOAL` (four times the faces halve the error), at least 3 and at most 100 times the present
    number.

    Power laws: Hestness et al. 2017; here the error fell from 0.28 at 100 faces to 0.025 at 10,000.
    """
    factor = min(100.0, max(3.0, (error / GOAL) ** 2))
    return rung(num_train * factor, most=MOST_EXAMPLES)
