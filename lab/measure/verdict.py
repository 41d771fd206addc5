"""The verdict: what the figures of a run show, in plain words.

A verdict is a list of findings, each one claim with the numbers that show it. A claim is stated as
a fact only where the interval leaves no doubt. Another kind of finding is another function here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lab.estimate import Estimate
from lab.measure.advice import advice, break_cues
from lab.measure.consistency import varying
from lab.measure.shortcuts import combined, ignored, misled, relied_on
from lab.measure.words import auc, percent, share

Figures = Mapping[str, Estimate]

MUCH = 0.1
"""A gap in accuracy surely above this is called memorizing, one below it memorizing a little."""
GOOD = 0.9
"""Accuracy surely below this, on studied faces too, is called not having learned enough."""
NEAR = 0.05
"""An interval that ends within this of the value of a guess, on either side, is called a guess: a
few more wrong than right labels among the studied faces are enough to be off by that."""


_EXPOSED, _FITTED = "members exposed", "wrong labels fitted"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the verdict must know of a run beside its figures."""

    num_train: int
    num_test: int
    num_classes: int
    """Answers that the network chooses from; they are equally frequent."""
    label_noise: float
    steps: int
    """Optimizer steps that were really made."""
    width: int | None
    """None: the network has no such dial."""
    relevant: tuple[str, ...] = ()
    """Attributes that the label depends on."""
    varied: tuple[str, ...] = ()
    """Those of them in which the training faces differ."""
    cues: tuple[str, ...] = ()
    """Nuisances that are tied to the label, as the command line has them."""
    fresh: int | None = None
    """Faces that were studied once each, of which `num_train` were the first; None: these alone
    were studied, again and again."""

    @property
    def chance(self) -> float:
        """Accuracy of a guess, 0 to 1."""
        return 1 / self.num_classes


@dataclass(frozen=True)
class Finding:
    """One claim: `kind` for programs, `text` for people (whole sentences)."""

    kind: str
    text: str


def verdict(figures: Figures, setting: Setting) -> str:
    """The findings, a line each; `figures` are those that the exams give."""
    return "\n".join(finding.text for finding in findings(figures, setting))


def findings(figures: Figures, setting: Setting) -> list[Finding]:
    """What the figures show, the most important first; what to try comes last."""
    if not math.isfinite(figures["loss/train"].value + figures["loss/test"].value):
        text = "It broke: its losses are not finite. Try a smaller --learning-rate."
        return [Finding("broken", text)]
    traces = [finding for finding in (attacker(figures), mislabelled(figures)) if finding]
    kinds = {finding.kind for finding in traces}
    main = headline(figures, setting, traced=bool(kinds & {_EXPOSED, _FITTED}))
    claims = [main, *reading(figures, setting), *traces]
    if any(finding.kind == "misled" for finding in claims):  # what matters most comes first
        rest = main.text[main.text.index("It is right about") :]
        claims[0] = Finding(main.kind, f"Its ordinary figures do not show that. {rest}")
        claims.sort(key=lambda finding: finding.kind != "misled")
    if said := varying(figures):
        claims.append(Finding("answers vary", said))
    hint = advice(
        main.kind,
        error=1 - figures["accuracy/test"].value,
        wrong_labels=_FITTED in kinds,
        num_train=setting.num_train,
        num_test=setting.num_test,
        label_noise=setting.label_noise,
        steps=setting.steps,
        width=setting.width,
        fresh=setting.fresh is not None,
    )
    if any(finding.kind in ("misled", "misled partly") for finding in claims):
        hint = break_cues(setting.cues) or hint
    return [*claims, *([Finding("advice", hint)] if hint else [])]


def headline(figures: Figures, setting: Setting, *, traced: bool) -> Finding:
    """Did it memorize, learn, or neither? With its accuracy on studied and on unseen faces.

    `traced` says that it memorized by other signs than accuracy.
    """
    train, test = figures["accuracy/train"], figures["accuracy/test"]
    kind, claim = _claim(train, test, figures["gap/accuracy"], setting.chance, traced)
    but = "but only" if kind in ("memorized", "memorized partly") else "and"
    return Finding(
        kind,
        f"{claim} It is right about {percent(train.value)} of the {_studied(setting)}"
        f" {but} {share(test)} of faces it has never seen{_guess(test, setting.chance)}.",
    )


def _studied(setting: Setting) -> str:
    """Which faces training accuracy is about."""
    if setting.fresh is None or setting.fresh <= setting.num_train:
        return f"{setting.num_train:,} faces it studied"
    return (
        f"first {setting.num_train:,} of the {setting.fresh:,} faces it studied, each of them once,"
    )


def reading(figures: Figures, setting: Setting) -> list[Finding]:
    """What do its answers go by: the cues, other nuisances, what the label depends on?"""
    names = [cue.partition(":")[0].partition("=")[0] for cue in setting.cues]
    found = [Finding(*pair) for pair in (misled(figures, names), combined(figures)) if pair]
    if figures["accuracy/test"].ends[0] <= setting.chance:  # who knows nothing is not praised
        found = [one for one in found if one.kind not in ("not misled", "combinations mastered")]
    for kind, text in (
        ("shortcut", relied_on(figures, setting.relevant)),
        ("ignored", ignored(figures, setting.varied)),
    ):
        if text:
            found.append(Finding(kind, text))
    return found


def attacker(figures: Figures) -> Finding | None:
    """Can one tell from its losses which faces it studied?"""
    figure = figures["memorization/membership_auc"]
    low, high = figure.ends
    if low > 0.5:
        return Finding(_EXPOSED, f"An attacker can tell which faces it studied with {auc(figure)}.")
    if high < 0.5:
        text = f"Its answers fit the faces it studied less well than fresh ones: {auc(figure)}."
        return Finding("members disowned", text)
    if high - 0.5 < NEAR:
        text = f"An attacker can only guess which faces it studied: {auc(figure)}."
        return Finding("members hidden", text)
    text = f"Whether an attacker can tell which faces it studied is not settled: {auc(figure)}."
    return Finding("members unsettled", text)


def mislabelled(figures: Figures) -> Finding | None:
    """Which label do faces with a wrong one get? `None` where there are no such faces."""
    fitted = figures.get("memorization/mislabelled_fitted")
    true = figures.get("memorization/mislabelled_true_label")
    if fitted is None or true is None or not fitted.count:
        return None
    numbers = (
        f"of the {fitted.count:,} mislabelled faces, {share(fitted)} get the wrong label they came"
        f" with and {share(true)} their true one"
    )
    if fitted.ends[0] > true.ends[1]:
        return Finding(_FITTED, f"It learned wrong labels by heart: {numbers}.")
    if true.ends[0] > fitted.ends[1]:
        return Finding("wrong labels resisted", f"It saw through most wrong labels: {numbers}.")
    return Finding("wrong labels unsettled", f"{numbers[0].upper()}{numbers[1:]}.")


def _claim(
    train: Estimate, test: Estimate, gap: Estimate, chance: float, traced: bool
) -> tuple[str, str]:
    learned = test.ends[0] > chance
    low, high = gap.ends
    if train.ends[0] <= chance:
        return "nothing", "It has learned nothing that shows."
    if test.ends[1] < chance - NEAR:
        return "contrary", "It learned the opposite of the truth."
    if low >= MUCH or (low > 0 and not learned):
        return "memorized", "It memorized."
    if low > 0 and high >= MUCH:
        return "memorized partly", "It learned, and it memorized too."
    if low > 0 or (traced and learned):
        return "memorized a little", "It learned, and it memorized a little."
    if not learned:
        return "unsettled", "What it learned cannot be told from so few faces."
    if max(train.ends[1], test.ends[1]) < GOOD:
        return "underfit", "It learned something, but not enough yet."
    if high >= MUCH:
        return "unsettled", "It learned; whether it memorized too, so few faces cannot tell."
    return "learned", "It learned, and nothing shows that it memorized."


def _guess(test: Estimate, chance: float) -> str:
    low, high = test.ends
    if low > chance:
        return ""
    guess = f"a guess is right about {percent(chance)}"
    if high < chance - NEAR:
        return f", worse than guessing ({guess})"
    if high - chance < NEAR:
        return f", no better than guessing ({guess})"
    return f", which may be guessing ({guess})"
