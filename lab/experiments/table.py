"""The results of a grid: its cells, the runs of each, their final metrics and histories by tag.

Everything is read from the runs' own folders (`summary.json`, `metrics.jsonl`), so a table can be
had again at any time.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lab.core.config import RunConfig, parse_settings
from lab.core.estimate import Estimate
from lab.core.finite import NOT_FINITE
from lab.core.run_dir import RunDir
from lab.core.text import unknown
from lab.experiments.metrics import FITTED
from lab.experiments.runner.grid import describe
from lab.measure import mean_of_seeds, right_labels
from lab.measure.class_shares import unstudied
from lab.measure.judged import ACCURACY, judged
from lab.measure.known_before import KNOWN_BEFORE

LEFT = 0.1
"""Share of the training labels which are not fitted that are right ones, up to which only the wrong
ones count as left."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One finished run: its seed, its folder, its final metrics by tag, and how many training
    examples were in all batches before it had its weights, the same one again in each epoch (None:
    not known)."""

    seed: int
    folder: Path
    metrics: Mapping[str, Estimate]
    shown: int | None = None

    @cached_property
    def history(self) -> list[dict[str, float | None]]:
        """The lines of `metrics.jsonl`: `step`, and tag -> value, for each evaluation in turn. None
        stands for what is not finite. `ValueError` in one line if the file is damaged."""
        try:
            return RunDir(self.folder).metrics()
        except ValueError as error:
            raise ValueError(f"{error}; {self.again}") from None

    @property
    def again(self) -> str:
        """What to do where its files are damaged."""
        return f"delete the folder {self.folder}, and the same command does that run again"


@dataclass(frozen=True)
class Curves:
    """One tag's values at every evaluation that all seeds of a cell have reached."""

    steps: npt.NDArray[np.int64]  # (E,)
    values: Numbers  # (seeds, E); NaN where a value is not finite


@dataclass(frozen=True)
class Cell:
    """Runs that differ in their seed alone: `settings` are the grid's, `config` is the whole config
    (of the first seed), `runs` are the finished ones in the order of their seeds."""

    settings: Mapping[str, Any]
    config: RunConfig
    runs: tuple[Run, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the finished runs."""
        return tuple(run.seed for run in self.runs)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the final metrics that all its runs have."""
        first, *others = (run.metrics for run in self.runs) if self.runs else [{}]
        return tuple(tag for tag in first if all(tag in other for other in others))

    @property
    def found(self) -> tuple[str, ...]:
        """The tags of the final metrics that any of its runs has: of a group, which the test sets
        of some seeds may lack, too."""
        return tuple(dict.fromkeys(tag for run in self.runs for tag in run.metrics))

    def values(self, tag: str) -> Numbers:
        """The final metric `tag` of each seed (S,); `ValueError` if a run has none of that name."""
        for run in self.runs:
            if tag not in run.metrics:
                what = f"metric of {describe(self.settings) or 'the run'}, seed {run.seed}:"
                raise ValueError(unknown(what, tag, run.metrics))
        return np.array([run.metrics[tag].value for run in self.runs], dtype=np.float64)

    def known(self, tag: str) -> Numbers:
        """The final metric `tag` of each seed that has it (K,)."""
        having = [run.metrics[tag].value for run in self.runs if tag in run.metrics]
        return np.array(having, dtype=np.float64)

    def mean(self, tag: str) -> Estimate:
        """The mean of the final metric `tag` over the seeds that have it, with Student's 95 %
        interval (two seeds or more); `ValueError` if none has."""
        return mean_of_seeds((self.known(tag) if tag in self.found else self.values(tag)).tolist())

    def judged(self, tag: str) -> Estimate:
        """As `mean`, but of each seed what stands for the plain `tag` where memorization is judged
        by another figure (`lab.measure.judged`): classes counted at their shares of the test
        set."""
        return mean_of_seeds([run.metrics[judged(tag, run.metrics)].value for run in self.runs])

    @property
    def doubt(self) -> str:
        """A sentence on answers that change though the picture does not, by the means over the
        seeds; empty if there are none."""
        from lab.measure import CONSISTENCY, varying

        found = {tag: Estimate(self.mean(tag).value) for tag in self.tags if tag in CONSISTENCY}
        return varying(found)

    @property
    def unfitted(self) -> int:
        """How many of the runs end with an accuracy on their training labels below `FITTED`; 0 for
        online training, which has no training set to fit."""
        if self.config.train.online:
            return 0
        return sum(_below(run, ACCURACY) for run in self.runs)

    @property
    def wrong_labels_left(self) -> int:
        """How many of the `unfitted` runs are fitted to the right ones among their training labels,
        or get hardly any of these wrong beside the wrong ones: at most `LEFT` of their errors."""
        if not self.unfitted:
            return 0
        return sum(_below(run, ACCURACY) and _leaves_wrong_labels(run) for run in self.runs)

    @property
    def unreached(self) -> int:
        """How many of the runs were not shown all their training examples before they had their
        weights, as far as that is known."""
        count = self.config.data.num_train
        return sum(run.shown is not None and run.shown < count for run in self.runs)

    @property
    def not_finite(self) -> int:
        """In how many of the runs a logit of some examples is not finite."""
        return sum(any(tag.startswith(NOT_FINITE) for tag in run.metrics) for run in self.runs)

    @property
    def known_before(self) -> tuple[Estimate, ...]:
        """Accuracy on the test set before training, of those of the runs where that shows that the
        network knew it already."""
        found = (run.metrics.get(KNOWN_BEFORE) for run in self.runs)
        return tuple(right for right in found if right is not None)

    @property
    def unstudied(self) -> tuple[Estimate, ...]:
        """The share of the test examples of groups that the training set lacks, of those of the
        runs where that matters."""
        found = (unstudied(run.metrics) for run in self.runs)
        return tuple(share for share in found if share is not None)

    def curves(self, tag: str) -> Curves:
        """The values of `tag` at every evaluation, for each seed. With early stopping seeds end at
        different steps: up to the first end. `ValueError` if a run's file is damaged."""
        histories = [run.history for run in self.runs]
        count = min((len(history) for history in histories), default=0)
        steps = [line["step"] for line in histories[0][:count]] if histories else []
        for run, history in zip(self.runs, histories, strict=True):
            if [line["step"] for line in history[:count]] != steps:  # one plan for all seeds
                raise ValueError(
                    f"{RunDir(run.folder).metrics_file} has other steps than that of"
                    f" {self.runs[0].folder}, lines are missing in one of them; {run.again}"
                )
            if history and tag not in history[0]:
                raise ValueError(unknown("metric", tag, [k for k in history[0] if k != "step"]))
        values = [[_number(line.get(tag)) for line in history[:count]] for history in histories]
        return Curves(np.array(steps, dtype=np.int64), np.array(values, dtype=np.float64))

    def __str__(self) -> str:
        return describe(self.settings) or "the plain run"


@dataclass(frozen=True)
class Failure:
    """A run that ended with an error: `reason` in one line, `trace` with its traceback."""

    settings: Mapping[str, Any]
    seed: int
    folder: Path
    reason: str
    trace: str = ""

    def __str__(self) -> str:
        settings = describe(self.settings)
        return f"{settings + ', ' if settings else ''}seed {self.seed}: {self.reason}"


@dataclass(frozen=True)
class Table:
    """All cells of a grid in the grid's order, with their finished runs; the failed runs; what is
    doubtful of pictures from disk, a sentence each; and, of runs that were found, those that are
    taken for one training though their figures differ, likewise."""

    grid: Mapping[str, tuple[Any, ...]]
    out: Path
    cells: tuple[Cell, ...]
    failed: tuple[Failure, ...] = field(default=())
    about_pictures: tuple[str, ...] = ()
    unequal: tuple[str, ...] = ()

    def cell(self, **settings: Any) -> Cell:
        """The one cell with these settings; `ValueError` if there are none or several."""
        found = self.where(**settings)
        if len(found) != 1:
            raise ValueError(f"{len(found)} cells have {describe(settings)}, not one")
        return found[0]

    def where(self, **settings: Any) -> tuple[Cell, ...]:
        """The cells with these settings, in the grid's order."""
        for name in settings:
            if name not in self.grid:
                raise ValueError(unknown("setting of the grid", name, self.grid))
        return tuple(
            cell
            for cell in self.cells
            if all(cell.settings[name] == value for name, value in settings.items())
        )

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the final metrics that any cell has."""
        return tuple(dict.fromkeys(tag for cell in self.cells for tag in cell.tags))

    @property
    def doubts(self) -> tuple[str, ...]:
        """A sentence for each cell whose answers are no function of the picture."""
        return tuple(f"{cell}: {cell.doubt}" for cell in self.cells if cell.doubt)

    def complain(self) -> int:
        """Print what is doubtful and the failed runs on standard error; returns the exit code, 1 if
        runs failed, else 0."""
        for doubt in self.doubts:
            print(f"warning: {doubt}", file=sys.stderr)
        if self.failed:
            print(f"{len(self.failed)} of the runs failed:", file=sys.stderr)
        for failure in self.failed:
            print(f"  {failure}", file=sys.stderr)
        return 1 if self.failed else 0


def read_run(folder: Path, *, seed: int) -> Run:
    """A finished run from its folder."""
    run = RunDir(folder)
    summary = run.summary()
    return Run(seed, folder, flatten(summary), _shown(summary))


def _shown(summary: Mapping[str, Any]) -> int | None:
    """How many training examples a finished run was shown before it had its weights; None: that
    cannot be told, as of a watched one."""
    try:
        config, provenance = parse_settings(json.dumps(summary["config"]))
        if provenance.watched:
            return None
        step = int(summary.get("weights_of_step", summary["step"]))
        return step * config.train.batch_size
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _below(run: Run, tag: str) -> bool:
    """Whether a run has an accuracy `tag` that is below `FITTED`, or NaN."""
    share = run.metrics.get(tag)
    return share is not None and not share.value >= FITTED


def _leaves_wrong_labels(run: Run) -> bool:
    """Whether the training labels that a run has not fitted are mostly wrong ones."""
    whole, right = run.metrics.get(ACCURACY), run.metrics.get(right_labels.ACCURACY)
    if whole is None or right is None:
        return False
    if not _below(run, right_labels.ACCURACY):
        return True
    errors, of_right = ((each.count or 0) * (1 - each.value) for each in (whole, right))
    return 0 < of_right <= LEFT * errors


def flatten(summary: Mapping[str, Any]) -> dict[str, Estimate]:
    """The metrics of a `summary.json` by tag."""
    metrics: dict[str, Estimate] = {}

    def walk(entry: Mapping[str, Any], path: str) -> None:
        if "value" in entry and not isinstance(entry["value"], dict):  # own/value is a name, too
            low, high = entry.get("low"), entry.get("high")
            if low is None or high is None:
                low = high = None
            metrics[path] = Estimate(_number(entry["value"]), low, high, entry.get("count"))
            return
        for name, inner in entry.items():
            if isinstance(inner, dict) and (path or name != "config"):
                walk(inner, f"{path}/{name}" if path else name)

    walk(summary, "")
    return metrics


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
