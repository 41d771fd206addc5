"""`Recorder`: what is written of a run, whoever trains it: TensorBoard, `metrics.jsonl`,
`summary.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch

from lab.core.errors import Interrupted, LabError
from lab.core.estimate import Estimate
from lab.core.run_dir import RunDir, Status
from lab.core.text import one_line, plain
from lab.evaluators import DataSummary, EvaluatorSuite, SuiteResult
from lab.tracking import hparams, texts
from lab.tracking.summary import write_summary
from lab.tracking.writer import Tracker

Metrics = Mapping[str, "Estimate | float"]
"""Metrics: tag -> value."""


class Recorder:
    """Writes down a run in `folder`: its settings, its evaluations and how it ended.

    `settings` are those that `summary.json` and the text "config" show; `pictures`: whether
    pictures, curves and histograms are logged. `tracker` is set while the run goes on.
    """

    tracker: Tracker

    def __init__(
        self, folder: RunDir, *, settings: Callable[[], Mapping[str, Any]], pictures: bool
    ) -> None:
        self._folder, self._settings, self._pictures = folder, settings, pictures

    def introduce(
        self,
        summary: DataSummary,
        columns: Mapping[str, hparams.Setting],
        *,
        device: torch.device,
        threads: int,
    ) -> None:
        """Log what a new run begins with; `columns` are its settings in the HParams table."""
        self.tracker.start(columns)
        summary.log(
            self.tracker,
            settings=self._settings(),
            environment=texts.environment(device=device, threads=threads),
        )

    def show_distributions(self, step: int, results: Sequence[Any]) -> None:
        """Log histograms of an evaluation's results."""
        for result in results if self._pictures else ():
            result.show_distributions(self.tracker, step)

    def show_pictures(self, step: int, results: Sequence[Any]) -> None:
        """Log pictures and curves of an evaluation's results."""
        for result in results if self._pictures else ():
            result.show_pictures(self.tracker, step)

    def conclude(
        self,
        suite: EvaluatorSuite,
        last: SuiteResult,
        step: int,
        *,
        metrics: Metrics,
        judge: Callable[[Mapping[str, Estimate]], str],
    ) -> tuple[dict[str, Estimate | float], str]:
        """Measure the finished model, which `last` is about, and log that and the verdict, which
        `judge` makes of the estimates by tag. Returns all final metrics, those in `metrics`
        included, and the verdict."""
        final = suite.final(last)
        self.tracker.final(step, final.metrics)
        for result in (last, final):
            result.show_final(self.tracker, step)
            if self._pictures:
                result.show_projector(self.tracker)
        self.tracker.kept(step, last.metrics)
        found = {**metrics, **final.metrics}
        text = judge({tag: each for tag, each in found.items() if isinstance(each, Estimate)})
        return found, text

    def finish(self, step: int, text: str) -> None:
        """Log the verdict, and mark the run as a success."""
        self.tracker.text("verdict", texts.paragraphs(text), step)
        self.tracker.finished()

    def summarize(
        self,
        status: Status,
        step: int,
        text: str,
        metrics: Metrics | None = None,
        *,
        weights_of: int | None = None,
    ) -> None:
        """Write `summary.json`."""
        write_summary(
            self._folder.path,
            status=status,
            step=step,
            metrics=metrics or {},
            verdict=text,
            config=self._settings(),
            weights_of=weights_of,
        )

    @contextmanager
    def failure_noted(
        self, step: Callable[[Exception], int], metrics: Callable[[], Metrics] = dict
    ) -> Iterator[None]:
        """Note in `summary.json` why what is inside failed, if the disk lets us, and let the error
        go on; an interrupted run has not failed."""
        try:
            yield
        except Interrupted:
            raise
        except Exception as error:
            readable = isinstance(error, (LabError, OSError, ValueError))
            reason = plain(str(error)) if readable else one_line(error)
            with suppress(OSError):
                self.summarize("failed", step(error), f"It failed: {reason}", metrics())
            raise
