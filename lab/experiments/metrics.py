"""The metrics that tables of runs show: headings, possible values, and which ones can be asked for.

A metric is a number of a run's `summary.json`, named by its tag: accuracy/test, shapley/eyes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from lab.core.config import RunConfig
from lab.core.text import unknown
from lab.tracking.tags import TAGS

HEADINGS = {
    "accuracy/train": "train accuracy",
    "accuracy/test": "test accuracy",
    "accuracy/unbiased": "unbiased",
    "accuracy/conflicting": "conflicting",
    "accuracy/worst_group": "worst group",
    "accuracy/unseen_combinations": "unseen combinations",
    "gap/accuracy": "gap",
    "memorization/membership_auc": "membership AUC",
    "memorization/mislabeled_fitted": "mislabeled fitted",
}
"""Metrics with a heading of their own, in the order of a table's columns; a table shows those that
any of its runs has."""

DRAWN = (
    "accuracy/test",
    "accuracy/unbiased",
    "accuracy/conflicting",
    "gap/accuracy",
    "memorization/membership_auc",
)
"""The metrics that a sweep draws where no others are asked for."""

SUMMARY_ONLY = ("necessity/<part>", "sufficiency/<part>", "shapley/<part>", "seconds/<what>")
"""Metrics that a run's summary has and its evaluations do not."""

REDRAWN = ("reliance", "logit_change", "shortcut", "necessity", "sufficiency", "shapley")
"""Metrics that are measured with counterfactuals only."""

FITTED = 0.99
"""Accuracy on the given training labels from which a network counts as fitted to them."""


def heading(tag: str) -> str:
    """A metric's heading in a table: a short text, or the tag itself."""
    return HEADINGS.get(tag, tag)


def limits(tag: str) -> tuple[float, float]:
    """The least and the greatest value that a metric can have; infinite where there is no bound."""
    unit = next((row.unit for row in TAGS if row.kind == "scalar" and row.fits(tag)), "")
    if found := re.search(r"(-?\d+) to (-?\d+)$", unit):
        return float(found[1]), float(found[2])
    if tag.partition("/")[0] in ("necessity", "sufficiency"):
        return 0.0, 1.0
    return (0.0 if unit.endswith("from 0") else -math.inf), math.inf


def check_metrics(
    tags: Sequence[str], configs: Sequence[RunConfig], *, measured: Iterable[str] = ()
) -> None:
    """Raise `ValueError` if none of the runs with these configs can have one of the metrics `tags`.

    `measured` are the metrics of runs that are finished already: they are known whatever their
    names.
    """
    known = set(measured)
    scalars = [row.name for row in TAGS if row.kind == "scalar"]
    for tag in dict.fromkeys(tags):
        if tag in known:
            continue
        family, _, name = tag.partition("/")
        names = [*(row.name for row in TAGS if row.kind == "scalar" and row.fits(tag))]
        names += [each for each in SUMMARY_ONLY if name and each.startswith(f"{family}/")]
        if not names:
            raise ValueError(f"--metrics: {unknown('metric', tag, [*scalars, *SUMMARY_ONLY])}")
        if names[0].endswith(("<attribute>", "<part>")):
            _check_attribute(tag, configs)
        if family in REDRAWN and not any(config.counterfactuals for config in configs):
            raise ValueError(
                f"--metrics {tag} is measured with counterfactuals: --counterfactuals must be 1 or"
                " more, not 0"
            )


def _check_attribute(tag: str, configs: Sequence[RunConfig]) -> None:
    """Raise `ValueError` if no task of the configs has the attribute that the metric is about."""
    from lab.worlds import get_task

    tasks = [get_task(name) for name in dict.fromkeys(config.data.task for config in configs)]
    names = dict.fromkeys(name for task in tasks for name in (*task.relevant, *task.nuisances))
    name = tag.partition("/")[2]
    if name not in names:
        raise ValueError(f"--metrics {tag}: {unknown('attribute', name, names)}")
