"""What is said of the pictures of a grid's jobs: each sentence begins with the settings of the jobs
that it is true of, as far as others have other ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from lab.core.config import DataConfig
from lab.core.text import plain, short_paths
from lab.core.words import listed
from lab.experiments.runner.grid import in_words
from lab.experiments.runner.jobs import Job
from lab.worlds.stored import STORED

SIZES = ("num_train", "num_test")
"""Settings that are numbers of pictures, and named as such."""

Box = tuple[frozenset[Any], ...]
"""Of each setting some values: all their combinations."""


def said_of_jobs(found: Iterable[tuple[Job, str]], jobs: Sequence[Job]) -> tuple[str, ...]:
    """The sentences `found` of some of the `jobs`, each once, with what they are of: 'resize crop
    and letterbox, with 140 training pictures and seed 0: …'. A setting of the data is named where a
    sentence is not true of all values that it has among the jobs, the number of training pictures
    and the seed always, and that of test pictures where the jobs have several."""
    known = {entry.name for entry in fields(DataConfig)}
    order = dict.fromkeys(name for job in jobs for name in job.settings if name in known)
    values: dict[str, list[Any]] = {
        name: list(dict.fromkeys(getattr(job.config.data, name) for job in jobs))
        for name in (*order, *sorted(known - order.keys()))
    }
    varied = [name for name, each in values.items() if len(each) > 1 and name not in SIZES]
    several = len({job.config.data.num_test for job in jobs if job.config.data.data}) > 1
    paths = short_paths(Path(each) for each in values["data"] if each is not None)
    true_of: dict[str, list[Box]] = {}
    for job, sentence in found:
        data = job.config.data
        place = (*(getattr(data, name) for name in (*varied, *SIZES)), job.config.seed)
        true_of.setdefault(sentence, []).append(tuple(frozenset([each]) for each in place))

    def word(name: str, value: Any) -> str:
        if name == "data" and value is not None:
            return plain(paths[Path(value)])
        return in_words(value)

    def where(box: Box) -> str:
        *settings, train, test, seed = box
        named = [
            f"{name} {listed([word(name, one) for one in _in_order(some, values[name])])}"
            for name, some in zip(varied, settings, strict=True)
            if len(some) < len(values[name])
        ]
        counts = f"{_numbers(train)} training"
        counts += f" and {_numbers(test)} test" if several else ""
        named.append(f"with {counts} {STORED} and seed {_numbers(seed)}")
        return ", ".join(named)

    return tuple(
        f"{where(box)}: {sentence}"
        for sentence, places in true_of.items()
        for box in _merged(places)
    )


def _merged(places: Sequence[Box]) -> list[Box]:
    """Boxes that hold the same combinations: those that differ in one setting alone are joined,
    setting after setting."""
    boxes = list(places)
    for k in range(len(boxes[0])):
        alike: dict[Box, frozenset[Any]] = {}
        for box in boxes:
            rest = (*box[:k], *box[k + 1 :])
            alike[rest] = alike.get(rest, frozenset()) | box[k]
        boxes = [(*rest[:k], some, *rest[k:]) for rest, some in alike.items()]
    return boxes


def _in_order(some: Iterable[Any], values: Sequence[Any]) -> list[Any]:
    """Some of the values: numbers by size, others as they are given."""
    if all(isinstance(each, (int, float)) for each in values):
        return sorted(some)
    return sorted(some, key=values.index)


def _numbers(some: Iterable[int]) -> str:
    return listed([f"{each:,}" for each in sorted(some)])
