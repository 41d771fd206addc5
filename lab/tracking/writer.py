"""`Tracker`: everything that a run writes down while it goes on, in one folder by one writer.

Two records of the same metrics under the same names: TensorBoard's event file, and `metrics.jsonl`
with one line for each evaluation, which any other program can read.
"""

import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from lab.core.atomic import replace_text
from lab.core.estimate import Estimate
from lab.core.run_dir import EVENTS, METRICS, RunDir
from lab.tracking import hparams, layout, tags
from lab.tracking.earlier import scalars_at, texts_at
from lab.tracking.graph import write_graph
from lab.tracking.projector import write_points
from lab.tracking.summary import finite

Metric = Estimate | float
Picture = npt.NDArray[np.uint8]

PATIENCE = 2.0
"""Seconds by which an event file's name may be ahead of the clock for a writer to wait for it."""


class Tracker:
    """The one writer of a run's folder; use it as a context manager.

    `start_step` is the first step that will be logged: whatever an earlier process logged at that
    step or later is cut from `metrics.jsonl` and hidden in TensorBoard. A fresh run starts at 0; a
    run that goes on, at the step after the last one whose evaluation its checkpoint remembers.
    `interruptions` are the exceptions that leave a run able to go on, so not failed. `attributes`
    are the names that `layout.layout` takes, for charts of the reliance on them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        start_step: int = 0,
        interruptions: tuple[type[Exception], ...] = (),
        **attributes: Sequence[str],
    ) -> None:
        self.folder = folder
        self._attributes = attributes
        self._interruptions = interruptions
        self._metrics = RunDir(folder).metrics_file
        self._start_step, self._charted = start_step, start_step > 0
        self._last = _cut(self._metrics, start_step)
        # max_queue bounds what a crash may lose between flushes; purge_step is given from the very
        # first start on, because a slow-loading TensorBoard ignores the first one it meets.
        # It writes in a thread of its own, while a network may be in another current folder.
        place = str(folder.absolute())
        _await_later_second(folder)
        hook, threading.excepthook = threading.excepthook, _quiet(threading.excepthook)
        try:
            self._writer = SummaryWriter(place, max_queue=100, purge_step=start_step)
        except OSError as error:  # the hook stays: its thread may end later than this one
            if error.filename is None:
                error.filename = str(folder)
            raise
        threading.excepthook = hook

    def __enter__(self) -> "Tracker":
        self._hook, threading.excepthook = threading.excepthook, _quiet(threading.excepthook)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._writer.close()
                return
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(self.folder)  # TensorBoard's writer does not say where
            with suppress(OSError):  # a full disk must not hide what went wrong before
                if isinstance(error, Exception) and not isinstance(error, self._interruptions):
                    self._end("failed")
            with suppress(OSError):
                self._writer.close()
        finally:
            threading.excepthook = self._hook

    def scalars(self, step: int, metrics: Mapping[str, Metric]) -> None:
        """Log one evaluation's metrics, tag -> number, and flush, so that none is lost after this.

        An `Estimate` with an interval is written as `<tag>`, `<tag>_low` and `<tag>_high`. Raises
        `ValueError` for a tag that the table of metrics lacks.
        """
        values = {k: v for name, metric in metrics.items() for k, v in _spread(name, metric)}
        rows = {tag: tags.scalar(tag) for tag in values}
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)
        kept = {tag: finite(value) for tag, value in values.items() if not rows[tag].clock}
        line = {"step": step, **kept}
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._last = line
        if not self._charted:  # the first evaluation shows which charts this run can fill
            self._add(layout.summary(layout.layout(metrics, **self._attributes)))
            self._charted = True
        self.flush()

    def final(self, step: int, metrics: Mapping[str, Metric]) -> None:
        """Log metrics of the final model, tag -> number, which belong to no evaluation and stand in
        `summary.json`; not those that are not finite (shares of nothing), nor those that an earlier
        process has logged. Raises `ValueError` for a tag that the table of metrics lacks."""
        known = scalars_at(step, self.folder) if step < self._start_step else {}
        for name, metric in metrics.items():
            for tag, value in _spread(name, metric):
                tags.scalar(tag)
                if finite(value) is not None and known.get(tag) != np.float32(value):
                    self._writer.add_scalar(tag, value, step)

    def kept(self, step: int, metrics: Mapping[str, Metric]) -> None:
        """Log metrics of the final model, as `scalars` logs those of an evaluation, in the event
        file alone: one more point of each curve, at `step` + 1, where any of them differs from the
        last evaluation (the model got other weights after it, those of the best one). The HParams
        table shows the last point of a curve; at `step` itself it would hide the evaluation's."""
        values = {k: v for name, metric in metrics.items() for k, v in _spread(name, metric)}
        rows = {tag: tags.scalar(tag) for tag in values}
        measured = {tag: finite(value) for tag, value in values.items() if not rows[tag].clock}
        if any(self._last.get(tag) != value for tag, value in measured.items()):
            for tag, value in values.items():
                self._writer.add_scalar(tag, value, step + 1)

    def image(self, tag: str, step: int, picture: Picture) -> None:
        """Log a picture (H, W, 3) uint8."""
        tags.find(tag, "image")
        # `add_image` takes three times as long: it converts to float and back and compresses hard.
        png = io.BytesIO()
        Image.fromarray(picture).save(png, "PNG", compress_level=1)
        height, width, _ = picture.shape
        content = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=png.getvalue()
        )
        self._add(Summary(value=[Summary.Value(tag=tag, image=content)]), step)

    def histogram(self, tag: str, step: int, values: Tensor) -> None:
        """Log the distribution of the finite ones among `values` (N,), if there are any."""
        tags.find(tag, "histogram")
        numbers = values.detach().float().cpu()
        numbers = numbers[numbers.isfinite()]
        if len(numbers):
            self._writer.add_histogram(tag, numbers.numpy(), step)

    def pr_curve(self, tag: str, step: int, positive: Tensor, probability: Tensor) -> None:
        """Log precision against recall of `probability` (N,) for the faces that are `positive`."""
        tags.find(tag, "pr_curve")
        chances = probability.detach().float().cpu().nan_to_num(0.0)
        self._writer.add_pr_curve(tag, positive.cpu().bool().numpy(), chances.numpy(), step)

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Log a text in Markdown, unless an earlier process has logged it; pass what users wrote
        through `texts.literal` first."""
        tags.find(tag, "text")
        if step < self._start_step and (tag, markdown) in texts_at(step, self.folder):
            return
        self._writer.add_text(tag, markdown, step)

    def embedding(
        self,
        tag: str,
        points: Tensor,
        *,
        columns: Mapping[str, Sequence[str]],
        thumbnails: Tensor,
    ) -> None:
        """Show `points` (N, D) in the projector, in place of those shown before: with N texts for
        each of the named `columns`, and `thumbnails` uint8 (N, 3, S, S)."""
        tags.find(tag, "embedding")
        write_points(self.folder, tag, points, columns=columns, thumbnails=thumbnails)

    def graph(self, model: nn.Module, example: Tensor) -> bool:
        """Log the network's operations on `example` (N, 3, S, S); False if it cannot be traced.

        Neither the model nor any random state is changed.
        """
        return write_graph(self._writer, model, example)

    def start(self, settings: Mapping[str, hparams.Setting]) -> None:
        """Open the run's row in the HParams table; once, when it starts at step 0."""
        self._add(hparams.experiment(settings))
        self._add(hparams.session(settings))
        self.flush()

    def finished(self) -> None:
        """Mark the run as a success. It stays open for a last word, but is over once it is said.

        A run that is interrupted is never marked, so that it can go on: TensorBoard believes the
        first mark that it reads. One that leaves by an exception is marked as failed.
        """
        self._end("finished")
        self.flush()

    def flush(self) -> None:
        """Hand everything logged so far to the operating system; call it before a checkpoint."""
        self._writer.flush()

    def _end(self, status: hparams.Status) -> None:
        self._add(hparams.end(status))

    def _add(self, summary: Summary, step: int = 0) -> None:
        writer: Any = self._writer.file_writer  # declared by torch as None
        writer.add_summary(summary, step)


def _quiet(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The hook, but silent where TensorBoard's thread cannot write: the next call to its writer
    raises the same error in the thread that can do something about it."""

    def quiet(failed: Any) -> None:
        known = type(failed.thread).__name__ == "_AsyncWriterThread"
        if not (known and issubclass(failed.exc_type, OSError)):
            hook(failed)

    return quiet


def _spread(name: str, metric: Metric) -> Iterator[tuple[str, float]]:
    if not isinstance(metric, Estimate):
        yield name, float(metric)
        return
    yield name, metric.value
    if metric.low is not None and metric.high is not None:
        yield f"{name}_low", metric.low
        yield f"{name}_high", metric.high


def _await_later_second(folder: Path) -> None:
    """Wait for a second in which no event file of `folder` was begun, where that is a matter of
    `PATIENCE`. TensorBoard reads a run's files by name, which begins with the second: an older file
    that is read last has the steps after its own purged from the charts. A line says so where that
    second is far off: the clock was set back."""
    names = [path.name.removeprefix(f"{EVENTS}.") for path in folder.glob(f"{EVENTS}.*")]
    seconds = [int(name) for name in (n.partition(".")[0] for n in names) if name.isdecimal()]
    newest = max(seconds, default=0)
    while int(time.time()) <= newest <= time.time() + PATIENCE:
        time.sleep(0.02)
    if newest > time.time():
        logging.getLogger(__name__).warning(
            "warning: the clock is behind the event files in %s, from %s: TensorBoard may not show"
            " what is logged from now on (%s has it)",
            folder, time.strftime("%Y-%m-%d %H:%M", time.localtime(newest)), METRICS,
        )  # fmt: skip


def _cut(path: Path, start_step: int) -> dict[str, Any]:
    """Keep the whole lines of earlier steps; a crash may have torn the last one. Returns the last
    one that is kept, empty if there is none.

    Raises `ValueError` if another line is damaged, and warns if the last ones up to the step before
    `start_step`, which was evaluated, are gone: who goes on must not lose metrics in silence.
    """
    if not path.exists():
        return {}
    kept, last = [], -1
    evaluation: dict[str, Any] = {}
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            found = json.loads(line)
            step = found["step"]
            later = step >= start_step
        except (ValueError, LookupError, TypeError, RecursionError):
            raise ValueError(
                f"{path} is damaged in line {number}; mend that line, or delete the file to go on"
                " without the earlier metrics"
            ) from None
        if later:
            break
        kept.append(f"{line}\n")
        last, evaluation = step, found
    if last < start_step - 1:
        logging.getLogger(__name__).warning(
            "warning: %s lacks the evaluations %s step %s: its curves have a gap",
            path, f"after step {last:,} up to" if kept else "up to", f"{start_step - 1:,}",
        )  # fmt: skip
    replace_text(path, "".join(kept))
    return evaluation
