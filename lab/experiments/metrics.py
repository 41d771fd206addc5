"""The check of requested metrics before the runs are executed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.core.config import RunConfig
from lab.core.metrics import all_metrics, known
from lab.core.text import unknown

FITTED = 0.99
"""Accuracy on the given training labels from which a network counts as fitted to them."""


def check_metrics(
    tags: Sequence[str], configs: Sequence[RunConfig], *, measured: Iterable[str] = ()
) -> None:
    """Raise `ValueError` if none of the runs with these configs can have one of the metrics `tags`.

    `measured` are the metrics of runs that are finished already: they are known whatever their
    names.
    """
    there = set(measured)
    for tag in dict.fromkeys(tags):
        if tag in there:
            continue
        row = known(tag)
        if row is None or row.when == "evaluate":
            names = [row.name for row in all_metrics() if row.when != "evaluate"]
            raise ValueError(f"--metrics: {unknown('metric', tag, names)}")
        if row.name.endswith(("<attribute>", "<component>")):
            _check_attribute(tag, configs)
        if row.needs == "counterfactuals" and not any(c.counterfactuals for c in configs):
            raise ValueError(
                f"--metrics {tag} is measured with counterfactuals: --counterfactuals must be 1 or"
                " more, not 0"
            )
        if row.needs == "--metric" and not any(config.metric for config in configs):
            raise ValueError(f"--metrics {tag} is a metric of your own: name its file by --metric")


def _check_attribute(tag: str, configs: Sequence[RunConfig]) -> None:
    """Raise `ValueError` if no task of the configs has the attribute that the metric is about."""
    from lab.worlds import get_task

    drawn = [config.data.task for config in configs if config.data.data is None]
    if not drawn:
        raise ValueError(
            f"--metrics {tag} is about an attribute of drawn pictures; those of --data have none"
        )
    tasks = [get_task(name) for name in dict.fromkeys(drawn)]
    names = dict.fromkeys(name for task in tasks for name in (*task.relevant, *task.nuisances))
    name = tag.partition("/")[2]
    if name not in names:
        raise ValueError(f"--metrics {tag}: {unknown('attribute', name, names)}")
