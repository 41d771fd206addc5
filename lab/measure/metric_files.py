"""Metrics of your own in files, named as `path/to/file.py:name`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from lab.core.paths import expanded
from lab.measure.predictions import Predictions
from lab.measure.split_metrics import SplitMetric, by_tag, own_metric
from lab.models.files import absolute, from_file, refuse_other_arguments
from lab.models.isolation import TURN, isolated, refuse_changed, shared_code
from lab.models.sources import Sources, is_installed, source_files, with_recorded
from lab.models.space import Space

FLAG = "--metric"

TRIED = 12
"""Examples of the predictions on which a metric is tried."""


def load_metrics(names: Sequence[str], *, beside: Space | None = None) -> tuple[SplitMetric, ...]:
    """The metrics called `path/to/file.py:name`, and their rows declared in the table of metrics.
    The modules of their files are those of the import space `beside` them, a network's or an
    objective's, where it has them already, and the same for all of them.

    A metric is a function of `Predictions` that returns a number or an `Estimate`. Raises
    `ValueError` with one line that begins with --metric and the name: no such file or function,
    what went wrong in it, or two metrics of one name, or one with the name of another's interval.
    """
    found = []
    for name in names:
        file = Path(expanded(_file(name)))
        shared = shared_code()
        with TURN, isolated():
            function, space = from_file(
                file, name.rpartition(":")[2], name, flag=FLAG, beside=beside
            )
        beside = beside or space
        refuse_changed(shared, name, flag=FLAG)
        refuse_other_arguments(function, ("the predictions",), asked=f"{FLAG} {name}")
        metric = own_metric(function, source=f"{FLAG} {name}")
        found.append(replace(metric, file=file, space=space))
    return tuple(dict.fromkeys(by_tag(found).values()))


def try_metrics(metrics: Sequence[SplitMetric], *, classes: Sequence[str]) -> None:
    """Compute the metrics once on random predictions; `ValueError` with one line if one fails."""
    for metric in metrics:
        for split in metric.tags:
            metric(random_predictions(split, classes))


def random_predictions(split: str, classes: Sequence[str]) -> Predictions:
    """Predictions of no model on no examples, of the right shapes and types: random logits, labels
    that are the classes in turn, one of them wrong."""
    generator = torch.Generator().manual_seed(0)
    count = max(TRIED, 2 * len(classes))
    labels = torch.arange(count) % len(classes)
    given = labels.clone()
    given[0] = (given[0] + 1) % len(classes)
    return Predictions.of(
        torch.randn(count, len(classes), generator=generator, device="cpu"),
        given if split == "train" else labels,
        clean_labels=labels,
        classes=tuple(classes),
        split=split,
    )


def locate_metric(name: str) -> str:
    """`name` as it means the same in every folder: the path of its file is made absolute."""
    return f"{absolute(_file(name))}:{name.rpartition(':')[2]}"


def metric_sources(
    names: Sequence[str], metrics: Sequence[SplitMetric] = (), *, recorded: Sources | None = None
) -> dict[str, str]:
    """The source files outside the installed packages that define the metrics: the metric's file
    and the source's name as in `lab.models.sources_of` -> SHA-256.

    Of `metrics` that were loaded by those names the digests are of what was executed, modules with
    computed names among them, which reading the files does not tell. Of a table that is `recorded`
    such modules are looked up again.
    """
    found: dict[str, str] = {}
    for name in names:
        file = Path(expanded(_file(name)))
        if file.is_file() and not is_installed(file):
            before = f"{file}: "
            then = {
                key.removeprefix(before): digest
                for key, digest in (recorded or {}).items()
                if key.startswith(before)
            }
            now = with_recorded(source_files(file), file, then)
            found |= {f"{before}{key}": digest for key, digest in now.items()}
    for metric in metrics:
        loaded = metric.space.loaded if metric.space is not None else {}
        found |= {f"{metric.file}: {key}": digest for key, digest in loaded.items()}
    return found


def _file(name: str) -> str:
    """The path in `path/to/file.py:name`."""
    path, colon, function = name.rpartition(":")
    if not (colon and path and function):
        raise ValueError(f"{FLAG} {name} must name a function in a file: FILE.py:NAME")
    return path
