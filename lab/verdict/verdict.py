"""The verdict: the findings of a run, as sentences in plain words.

A verdict is a list of findings: a claim and the numbers that support it. A claim is stated as a
fact only if the whole interval supports it. The first sentence says what matters most, without
numbers in brackets; details follow, and small things come last. Each kind of finding has a function
in this package. The sentences are for readers without training in machine learning ("faces it
studied" are training examples, "its answer" is the prediction); the docstrings use the terms of
docs/concepts.md.
"""

from __future__ import annotations

import math

from lab.core import finite
from lab.core.estimate import difference
from lab.core.words import percent, those
from lab.measure.consistency import varying
from lab.verdict.advice import SHORT, advice, break_cues, label_link
from lab.verdict.doubts import (
    ONE_COMPARED,
    another,
    dependent,
    over_clusters,
    unlike,
    unlike_validation,
)
from lab.verdict.harder import harder
from lab.verdict.headline import GOOD, MUCH, against_chance, headline, numbers, unseen
from lab.verdict.lost import forgot, lost
from lab.verdict.perturbed import perturbed
from lab.verdict.setting import Finding, Metrics, Setting
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
from lab.verdict.traces import EXPOSED, FITTED, attacker, mislabeled
from lab.verdict.uneven import uneven

_FAULTS = ("misled", "misled partly", "combinations missed", "shortcut", "ignored", "groups")
"""Kinds of findings with which it has not learned the task, whatever its test accuracy."""

_LEARNED = ("learned", "memorized a little", "memorized partly")
"""Kinds of the main finding with which more is said about shortcuts than about memorizing."""

_OF_THE_LEARNED = ("not misled", "combinations mastered", "combinations unsettled")
"""Kinds of findings that would mislead about a network that has learned nothing."""

HALF = 0.5
"""Share of the training or test examples without finite logits above which nothing else is told,
and of test examples with an answer that no example has above which nothing is advised."""


def verdict(metrics: Metrics, setting: Setting) -> str:
    """The sentences of `findings`, one finding per line; `metrics` are the final metrics by tag."""
    return "\n".join(finding.text for finding in findings(metrics, setting))


def findings(metrics: Metrics, setting: Setting) -> list[Finding]:
    """The findings, the most important first, advice last; `metrics` are the final metrics by
    tag."""
    found = _found(metrics, setting)
    doubts = another(setting)
    useless = setting.unmet is not None and setting.unmet.share.value > HALF
    if doubts or useless:  # advice on training would be about another network or other inputs
        found = [each for each in found if each.kind != "advice"]
    return [*doubts, *unlike(setting), *unlike_validation(metrics, setting), *found]


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
    main = headline(metrics, setting, traced=bool(kinds & {EXPOSED, FITTED}))
    read = reading(metrics, setting)
    if main.kind == "nothing":
        read = [finding for finding in read if finding.kind not in _OF_THE_LEARNED]
    misleads = [finding for finding in read if finding.kind == "misled"]
    first = misleads or [
        finding for finding in read if _matters_most(finding, main, metrics, setting)
    ]
    if misleads:
        claim = "Its ordinary figures do not show that."
        main = Finding(main.kind, f"{claim} {numbers(metrics, setting, main.kind)}")
    elif main.kind == "learned" and _knows(read, metrics, setting):
        errors = percent(1 - metrics["accuracy/test"].value)
        claim = f"It has learned {setting.concept}; it errs on {errors} of {unseen(setting)}."
        main = Finding(main.kind, f"{claim} {numbers(metrics, setting, main.kind)}")
    first = [*dependent(setting), *first]
    forgotten = forgot(setting.forgotten, noun)
    fell = ""
    untrained = setting.unrecognized and setting.peak is not None and not setting.peak.step
    if not forgotten and not untrained:  # which its loop never trained on these inputs
        fell = lost(
            setting.peak, metrics["accuracy/train"], noun, guess=setting.train_chance,
            by_loop=not setting.flags,
        )  # fmt: skip
    after = [Finding("forgotten", forgotten)] if forgotten else []
    after += [Finding("lost", fell)] if fell else []
    after += [Finding("harder", said)] if (said := harder(metrics, setting)) else []
    rest = [finding for finding in read if finding not in first]
    claims = [*first, main, *after, *rest, *traces]
    shown = noun if noun == "examples" else "pictures"
    if said := varying(metrics, noun=shown):
        claims.append(Finding("answers vary", said))
    if setting.stated is not None:
        claims.append(over_clusters(*setting.stated, noun))
    sound = main.kind in _LEARNED and not any(finding.kind in _FAULTS for finding in read)
    if sound and (small := steady(metrics, setting.relevant, noun)):
        claims.append(Finding("steady", small))
    hint = advice(
        main.kind,
        lost=bool(fell),
        untrained=setting.kept == 0,
        error=1 - metrics["accuracy/test"].value,
        wrong_labels=FITTED in kinds,
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
        loss=metrics["loss/train"].value,
        clustered=setting.stated is not None,
        one_cluster=setting.stated is not None and setting.stated[0] == 1,
        drawn=bool(setting.relevant),
        learnable=bool(setting.relevant)
        or against_chance(metrics["accuracy/test"], setting) == "above",
    )
    if any(finding.kind in ("misled", "misled partly") for finding in claims):
        hint = break_cues(setting.cues, noun) or hint
    elif hint and (fell or main.kind in SHORT or metrics["accuracy/train"].interval[0] < GOOD):
        if setting.unrecognized:
            hint = (
                "None of the inputs that the loop was seen to feed it is one of those on which it"
                " was measured: if the loop changes them, and not at random, do so in a transform,"
                f" or in forward=, too. {hint}"
            )
        elif setting.one_compared:
            hint = f"{ONE_COMPARED} {hint}"
    return [*claims, *([Finding("advice", hint)] if hint and not forgotten else [])]


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
