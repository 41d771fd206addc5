"""The progress of a grid: a table of finished cells, and a bar with the remaining time.

On a terminal both stand still and change in place; elsewhere there is a line for each run that
ends.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TextIO

from tqdm import tqdm

from lab.core.metrics import heading, shown
from lab.experiments.runner.grid import in_words
from lab.experiments.runner.jobs import Job
from lab.experiments.table import Failure, Run
from lab.measure.judged import AUC, GAP, judged, kind


class Progress:
    """Shows how far a grid is, with the metrics that the table has for it
    and further `metrics` by tag, each the mean of the seeds so far; pass it to `run_grid` as
    `watch`. Gap and membership AUC are those by which memorization is judged, and say so where
    these are not the plain ones, unless they are among the `metrics`."""

    def __init__(self, stream: TextIO | None = None, *, metrics: Sequence[str] = ()) -> None:
        self._stream = stream or sys.stderr
        self._tags = tuple(dict.fromkeys((*shown("progress"), *metrics)))
        self._judged = {GAP, AUC} - set(metrics)
        self._live = self._stream.isatty()
        self._lines = 0
        self._began = time.monotonic()
        self._warned: set[str] = set()

    def warn(self, warnings: Sequence[str]) -> None:
        """Show each warning once, also over several sweeps."""
        for warning in warnings:
            if warning not in self._warned:
                self._say(f"warning: {warning}")
        self._warned.update(warnings)

    def begin(self, jobs: Sequence[Job], done: Mapping[str, Run]) -> None:
        """Start the clock; what an earlier grid has shown stays above."""
        self._lines = 0
        self._began = time.monotonic()
        self._total, self._before = len(jobs), len(done)
        self._ended = self._failed = 0
        self._names = tuple(jobs[0].settings)
        self._rows: dict[tuple[str, ...], list[Run]] = {}
        self._seeds: dict[tuple[str, ...], int] = {}
        for job in jobs:
            place = _place(job)
            self._rows.setdefault(place, [])
            self._seeds[place] = self._seeds.get(place, 0) + 1
            if job.key in done:
                self._rows[place].append(done[job.key])
        self._fresh = list(self._rows)
        if done and (not self._live or len(done) == len(jobs)):
            self._say(f"{len(done):,} of {len(jobs):,} runs are finished already")
            self._live = self._live and len(done) < len(jobs)
        self._draw()

    def ended(self, job: Job, result: Run | Failure, seconds: float) -> None:
        """Show what came out of a run."""
        self._ended += 1
        place = _place(job)
        if isinstance(result, Run):
            self._rows[place].append(result)
        else:
            self._failed += 1
        self._fresh.remove(place)
        self._fresh.append(place)
        if self._live:
            self._draw()
            return
        said = (
            ", ".join(f"{name} {value}" for name, value in self._means([result]).items())
            if isinstance(result, Run)
            else f"failed: {result.reason}"
        )
        count = f"{self._before + self._ended}/{self._total}"
        self._say(f"{count}  {job}: {said} ({seconds:.1f} s; {self._left()})")

    def tick(self) -> None:
        """Move the clock."""
        self._draw()

    def _left(self) -> str:
        each = (time.monotonic() - self._began) / max(1, self._ended)
        left = each * (self._total - self._before - self._ended)
        return f"{tqdm.format_interval(left)} left" if left else "all done"

    def _draw(self) -> None:
        if not self._live:
            return
        size = shutil.get_terminal_size()
        lines = [line[: size.columns - 1] for line in self._table(max(1, size.lines - 4))]
        bar = tqdm.format_meter(
            self._ended,
            self._total - self._before,
            time.monotonic() - self._began,
            ncols=min(size.columns - 1, 100),
            unit=" runs",
            postfix=f"{self._failed} failed" if self._failed else None,
        )
        back = f"\x1b[{self._lines}F" if self._lines else ""
        self._stream.write(f"{back}\x1b[J" + "\n".join([*lines, bar]) + "\n")
        self._stream.flush()
        self._lines = len(lines) + 1

    def _table(self, height: int) -> list[str]:
        """The rows of the cells; if they are too many, of those in which something happened last"""
        latest = set(self._fresh[-height:])
        places = [place for place in self._rows if place in latest]
        means = {place: self._means(self._rows[place]) for place in places}
        names = map(heading, self._tags)
        columns = [name for name in names if any(name in found for found in means.values())]
        rows = [[*self._names, "seeds", *columns]]
        for place in places:
            seeds = f"{len(self._rows[place])}/{self._seeds[place]}"
            rows.append([*place, seeds, *(means[place].get(name, "") for name in columns)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["  ".join(w.rjust(n) for w, n in zip(row, widths, strict=True)) for row in rows]

    def _means(self, runs: Sequence[Run]) -> dict[str, str]:
        """The means of the metrics that all runs have, by heading."""
        return {
            heading(tag): self._mean(tag, runs)
            for tag in self._tags
            if runs and all(tag in run.metrics for run in runs)
        }

    def _mean(self, tag: str, runs: Sequence[Run]) -> str:
        """A metric's mean over runs, and by which kinds of figure it is judged, if not the plain
        one: "0.021 by right labels"."""
        if tag not in self._judged:
            return f"{fmean(run.metrics[tag].value for run in runs):.3f}"
        value = fmean(run.metrics[judged(tag, run.metrics)].value for run in runs)
        kinds = dict.fromkeys(filter(None, (kind(tag, run.metrics) for run in runs)))
        return " ".join([f"{value:.3f}", " or ".join(kinds)]).strip()

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def _place(job: Job) -> tuple[str, ...]:
    return tuple(in_words(value) for value in job.settings.values())
