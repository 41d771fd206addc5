"""Metrics of one split: functions of a model's predictions on one set, listed by their tags.

    @split_metric("calibration/ece_{split}", splits=("train", "test"))
    def ece(predictions: Predictions) -> Estimate: ...

Every module of `lab/measure` is imported when the list is first asked for, so a new metric is such
a function and a row of `lab.core.metrics` for each tag. A metric of your own, in a file
(`--metric my.py:name`) or registered from Python, brings its row along:

    @metric(low=0, high=1, better="down", meaning="mean squared error of the probabilities")
    def brier(predictions: Predictions) -> float: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lab.core.estimate import Estimate
from lab.core.metrics import Better, declare, find, own_row
from lab.core.registry import import_modules
from lab.core.text import one_line, unknown
from lab.measure.dependent import allowing_for_dependence
from lab.measure.predictions import Predictions
from lab.models.isolation import isolated
from lab.models.space import Space

Measure = Callable[[Predictions], "Estimate | float"]

SPLITS = ("train", "test", "validation", "unbiased", "conflicting", "unseen_combinations")
"""The sets that a model is measured on, where a run has them."""

_F = TypeVar("_F", bound=Callable[..., Any])
_listed: dict[str, SplitMetric] = {}
_registered: list[SplitMetric] = []


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitMetric:
    """A function of the predictions on a split, and its tag on each split that it is for.

    `source` names a user's metric in errors; '': the lab's own. `space` is the import space of the
    file at `file` that it was loaded from, if it was.
    """

    tags: Mapping[str, str]
    measure: Measure
    source: str = ""
    file: Path | None = None
    space: Space | None = None

    def __call__(self, predictions: Predictions) -> dict[str, Estimate | float]:
        """Its value by tag; empty on a split that it is not for. Intervals of the lab's own metrics
        are those of `allowing_for_dependence`. Raises
        `MetricError` if a user's function fails or returns something else than a number."""
        tag = self.tags.get(predictions.split)
        if tag is None:
            return {}
        if not self.source:

            def measure(_: Predictions, one: Predictions) -> dict[str, Estimate]:
                found = self.measure(one)
                assert isinstance(found, Estimate), "the lab's own are estimates"
                return {tag: found}

            return {**allowing_for_dependence(measure, predictions, predictions)}
        try:
            with isolated():  # it leaves random states and settings as they were
                return {tag: _number(self.measure(predictions.copied()))}
        except (Exception, SystemExit) as error:
            raise MetricError(f"{self.source}: {one_line(error)}") from error


class MetricError(ValueError):
    """A user's metric that failed."""


def split_metric(tag: str, *, splits: tuple[str, ...]) -> Callable[[_F], _F]:
    """List a function of `Predictions` as the lab's metric `tag`, in which {split} stands for each
    of `splits`; its rows must be in the table of metrics."""

    def register(function: _F) -> _F:
        tags = {split: tag.format(split=split) for split in splits}
        for each in tags.values():
            find(each)
        _listed[tag] = SplitMetric(tags=tags, measure=function)
        return function

    return register


def metric(
    *,
    name: str | None = None,
    splits: tuple[str, ...] = ("test",),
    meaning: str = "",
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    better: Better = "",
    heading: str = "",
) -> Callable[[_F], _F]:
    """Declare the row of a metric of your own; a decorator of its function.

    Args:
        name: its tag is own/NAME on the test set and own/NAME_SPLIT on others; None: the
            function's name.
        splits: the sets that it is computed on, of `SPLITS`.
        meaning, unit, low, high, better, heading: as in `lab.core.metrics.Metric`.
    """
    row = {"meaning": meaning, "unit": unit, "low": low, "high": high, "better": better,
           "heading": heading}  # fmt: skip
    told = {key: value for key, value in row.items() if value not in ("", None)}

    def mark(function: _F) -> _F:
        function.__metric__ = {"name": name, "splits": splits, "row": told}  # type: ignore[attr-defined]
        return function

    return mark


def register_metric(function: Measure, **declared: Any) -> SplitMetric:
    """Add a metric of your own to every evaluation in this process; `declared` is what `metric`
    takes. It takes the place of those with a tag of its own. Raises `ValueError` if its declaration
    cannot work, or if its name is that of an end of another one's interval."""
    if declared:
        function = metric(**declared)(function)
    found = own_metric(function, source=f"the metric {_name(function)}")
    own = set(found.tags.values())
    kept = [other for other in _registered if own.isdisjoint(other.tags.values())]
    by_tag([*kept, found])
    _registered[:] = [*kept, found]
    return found


def by_tag(metrics: Sequence[SplitMetric]) -> dict[str, SplitMetric]:
    """The metrics by their tags. Raises `ValueError` in one line that begins with a metric's
    `source` if two of them have a tag in common, or one has the tag of an end of another's
    interval."""
    found: dict[str, SplitMetric] = {}
    for metric in metrics:
        for tag in metric.tags.values():
            if tag in found:
                raise ValueError(f"{metric.source}: {found[tag].source} is called {tag}, too")
            found[tag] = metric
    for tag in found:
        base = tag.removesuffix("_low").removesuffix("_high")
        if base in found and base != tag:
            raise ValueError(
                f"{found[tag].source} is called {tag}, as an end of the interval of {base}"
                f" ({found[base].source}) is: give it another name"
            )
    return found


def unregister_metrics() -> None:
    """Forget all metrics that `register_metric` has added."""
    _registered.clear()


def own_metric(function: Measure, *, source: str) -> SplitMetric:
    """The metric that a user's function is, with its rows declared in the table of metrics."""
    told = getattr(function, "__metric__", {"name": None, "splits": ("test",), "row": {}})
    name, splits, row = told["name"] or _name(function), tuple(told["splits"]), told["row"]
    if not splits:
        raise ValueError(f"{source}: splits must name one set or more of {', '.join(SPLITS)}")
    for split in splits:
        if split not in SPLITS:
            raise ValueError(f"{source}: {unknown('split', split, SPLITS)}")
    if row.get("better", "") not in ("up", "down", "zero", "half", ""):
        raise ValueError(
            f"{source}: {unknown('value of better', row['better'], ('up', 'down', 'zero', 'half'))}"
        )
    tags = {s: f"own/{name}" if s == "test" else f"own/{name}_{s}" for s in splits}
    meaning = row.get("meaning") or _first_line(function) or f"what {name} returns"
    for split, tag in tags.items():
        where = "" if split == "test" else f" ({split})"
        head = row.get("heading") or name
        declared = {**row, "heading": f"{head}{where}", "meaning": f"{meaning}{where}"}
        try:
            declare(own_row(tag.removeprefix("own/"), **declared))
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None
    return SplitMetric(tags=tags, measure=function, source=source)


def registered_metrics() -> tuple[SplitMetric, ...]:
    """The metrics that `register_metric` has added in this process."""
    return tuple(_registered)


def split_metrics() -> tuple[SplitMetric, ...]:
    """The lab's own metrics of a split."""
    import_modules(__package__)
    return tuple(_listed.values())


def _number(value: object) -> Estimate | float:
    """What a user's function has returned, as a number with or without an interval."""
    if not isinstance(value, Estimate):
        return _plain(value, "one number, or a lab.core.estimate.Estimate")
    low, high = (
        None if end is None else _plain(end, _OF_NUMBERS) for end in (value.low, value.high)
    )
    if low is not None and high is not None and low > high:
        raise ValueError(f"the interval of its Estimate begins at {low:g} and ends at {high:g}")
    count = None if value.count is None else int(_plain(value.count, _OF_NUMBERS))
    return Estimate(_plain(value.value, _OF_NUMBERS), low, high, count)


_OF_NUMBERS = "an Estimate of numbers"


def _plain(value: object, wanted: str) -> float:
    """A number, or a tensor's or an array's only element, as a plain float."""
    item = getattr(value, "item", None)
    if callable(item):
        value = item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"it must return {wanted}, not {type(value).__name__}")
    return float(value)


def _name(function: object) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return re.sub(r"\W+", "_", str(name)).strip("_") or "metric"


def _first_line(function: object) -> str:
    text = (getattr(function, "__doc__", None) or "").strip()
    return text.splitlines()[0].rstrip(".") if text else ""
