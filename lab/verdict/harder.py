"""The finding that a network is surely more often right on test examples than on those for its
training."""

from __future__ import annotations

from lab.measure.judged import GAP, judged
from lab.verdict.headline import MUCH
from lab.verdict.setting import Metrics, Setting


def harder(metrics: Metrics, setting: Setting) -> str:
    """What such a gap may come from, where all of it lies below minus `MUCH`; empty if it does not,
    or if wrong labels, other inputs or test examples that it knew may be the reason."""
    gap = metrics[judged(GAP, metrics)]
    inputs = setting.redrawn or setting.test_redrawn or setting.replaced or setting.rescaled
    seen = setting.uncalled or setting.fed or setting.before or setting.shared or setting.turned
    if setting.label_noise > 0 or inputs or seen or gap.interval[1] >= -MUCH:
        return ""
    noun = setting.noun
    return (
        f"It is much more often right on the test {noun} than on those it studied: perhaps some of"
        f" the training labels are wrong, the {noun} for training are harder, as augmented ones"
        " are, or the sets are exchanged. What is said of memory goes by the difference, and may"
        " miss some."
    )
