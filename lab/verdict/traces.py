"""Findings on traces of training examples: their losses, and wrong labels that were fitted."""

from __future__ import annotations

from lab.core.words import auc, percent, share, singular
from lab.measure import class_shares
from lab.measure.judged import AUC, by_right_labels, judged
from lab.verdict.headline import near
from lab.verdict.setting import Finding, Metrics

EXPOSED, FITTED = "members exposed", "wrong labels fitted"
"""Kinds of findings that show memorization."""


def attacker(metrics: Metrics, noun: str = "faces", replaced: int = 0) -> Finding | None:
    """The finding on membership inference: the interval of the membership AUC against 0.5;
    `replaced` of the members were not studied."""
    tag = judged(AUC, metrics)
    one = {class_shares.BY_CLASS[2]: "class", class_shares.BY_GROUP[2]: "group"}.get(tag, "")
    right = " with right labels" if by_right_labels(metrics) else ""
    alike = f"{f' of one {one}' if one else ''}{right}"
    metric = metrics[tag]
    low, high = metric.interval
    told = f"{auc(metric)}."
    told += f" The {replaced:,} that it did not study count as studied." if replaced else ""
    if low > 0.5 and class_shares.unstudied(metrics):
        text = (
            f"Its losses tell the {noun} it studied{right} from the test {noun}: {told} As these"
            " are of other groups, that need not be memory."
        )
        return Finding("members unlike", text)
    if low > 0.5:
        text = (
            f"An attacker who sees its losses on two {noun}{alike}, of which it studied one, can"
            f" tell which: right for {percent(metric.value)} of all such pairs, {told}"
        )
        return Finding(EXPOSED, text)
    if high < 0.5:
        fresh = f"fresh ones{f' of the same {one}' if one else ''}"
        text = f"Its answers fit the {noun} it studied{right} less well than {fresh}: {told}"
        return Finding("members disowned", text)
    which = f"which of two {noun}{alike}" if alike else f"which {noun}"
    if high - 0.5 < near(0.5):
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
            return Finding(FITTED, f"It learned wrong labels by heart: {numbers}.")
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
