"""What the verdict must know of a watched loop beside the metrics."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lab.core.estimate import Estimate
from lab.verdict import Setting
from lab.verdict.setting import Peak
from lab.watching.ending import Ending
from lab.watching.given import GivenSets
from lab.watching.looking import Looking


def setting_of(
    sets: GivenSets,
    looking: Looking,
    ending: Ending,
    *,
    label_noise: float,
    num_classes: int,
    steps: int,
    called: bool,
    peak: Peak | None,
    forgotten: Sequence[str],
    before: Estimate | None,
    changes: tuple[str, ...],
    noun: str,
) -> Setting:
    """The setting of a loop that trained on `sets`, after so many `steps`, of which the watcher was
    told if it was `called`; the other arguments are as in `Setting`."""
    train, test, fed = sets.train, sets.test, looking.fed
    return Setting(
        num_train=train.source.count,
        measured_train=len(train) if train.is_sample else None,
        num_test=len(test),
        num_classes=num_classes,
        met_classes=len(torch.unique(test.labels)),
        frequent=sets.frequent,
        frequent_train=sets.frequent_train,
        label_noise=label_noise,
        label_noise_kind="flip",
        steps=steps,
        width=None,
        flags=False,
        noun=noun,
        peak=peak,
        forgotten=tuple(forgotten),
        before=before,
        changes=changes,
        shared=sets.shared,
        shared_otherwise=sets.shared_otherwise,
        alike=sets.alike,
        clusters=sets.clusters,
        stated=sets.numbers_of_clusters,
        other_scale=sets.other_scale,
        filled=sets.filled,
        other_shape=sets.other_shape,
        opposite=sets.opposite,
        redrawn="inputs" in sets.redrawn,
        test_redrawn="inputs" in sets.test_redrawn,
        broken=train.broken + test.broken,
        fed=(fed.rows, fed.tested) if fed is not None else None,
        fed_more=looking.knows_part,
        part=(part.trained, part.seen, part.looked) if (part := looking.part) else None,
        uncalled=looking.is_uncalled,
        rescaled=looking.rescaled,
        one_compared=looking.one_compared,
        unrecognized=looking.is_unrecognized,
        untouched=called and looking.is_untouched,
        in_training=ending.in_training,
        relabeled=ending.meant.relabeled,
        smallest=ending.meant.smallest,
        threshold=ending.threshold.code if ending.threshold is not None else "",
        ranked=ending.ranked,
        unmet=ending.unmet,
        exchanged=ending.exchanged,
    )
