"""`RunDir`: a run's folder, the one owner of its file names, lock, status and settings.

runs/<name>/
  config.json      settings, world version, digests of source files: all that repeats the run
  metrics.jsonl    one line for each evaluation
  summary.json     status, final metrics with intervals, verdict
  checkpoints/     last.pt, previous.pt, best.pt; snapshots/: the weights at earlier steps
  example_scores.csv  with --scores: a row for each training example
  events.out.*     TensorBoard's event file, of one writer
  .lock            held by the process that works in the folder
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

from lab.core.atomic import replace_text
from lab.core.config import DataConfig, Provenance, RunConfig, parse_settings, to_json
from lab.core.locks import LOCK, check_out, locked
from lab.core.program import quoted
from lab.core.run_names import automatic_name, check_name
from lab.core.text import missing

CONFIG, METRICS, SUMMARY, CHECKPOINTS = (
    "config.json",
    "metrics.jsonl",
    "summary.json",
    "checkpoints",
)

LAST, PREVIOUS, BEST = "last.pt", "previous.pt", "best.pt"
"""Checkpoints: the newest state, the one before it, and the weights with the lowest validation loss
so far, where the run has validation examples."""

EVENTS = "events.out.tfevents"
"""The beginning of the names of TensorBoard's event files, of the lab and of other programs."""

SNAPSHOTS = "snapshots"
"""The folder, in that of the checkpoints, with the weights at some steps of the training."""

FAILURES = "failures.png"
"""Where `evaluate --find-failures` writes its pictures."""

EXAMPLE_SCORES = "example_scores.csv"
"""With `--scores`: the scores of each training example."""

_SNAPSHOT = re.compile(r"step-(\d{8})\.pt", re.ASCII)

Status = Literal["finished", "stopped", "failed"]
"""The run came to its end; it was interrupted and can be resumed; an error ended it."""


@dataclass(frozen=True)
class RunDir:
    """The folder of a run at `path`, whether or not it exists yet."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))  # callers may have it as a text

    @classmethod
    def create(cls, config: RunConfig) -> RunDir:
        """Make the folder of a new run below `config.out`; no two callers get the same one.

        A taken `config.name` is refused with `ValueError`; an automatic one gets a number.
        """
        if config.name is not None:
            check_name(config.name)
        check_out(config.out)
        config.out.mkdir(parents=True, exist_ok=True)
        name = config.name or automatic_name(config)
        for number in count(2):
            folder = config.out / name
            try:
                folder.mkdir()
                return cls(folder)
            except FileExistsError:
                if config.name is not None:
                    raise ValueError(
                        f"--name {name}: {folder} exists already; choose another name, or go on"
                        f" with it: --resume {quoted(folder)}"
                    ) from None
            name = f"{automatic_name(config)}-{number}"
        raise AssertionError("unreachable")

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def config_file(self) -> Path:
        """Settings and provenance, as JSON."""
        return self.path / CONFIG

    @property
    def metrics_file(self) -> Path:
        """A line of JSON for each evaluation."""
        return self.path / METRICS

    @property
    def summary_file(self) -> Path:
        """Status, final metrics and verdict, as JSON."""
        return self.path / SUMMARY

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.checkpoints / LAST

    @property
    def previous(self) -> Path:
        """The checkpoint before the newest."""
        return self.checkpoints / PREVIOUS

    @property
    def best(self) -> Path:
        """The checkpoint with the lowest validation loss."""
        return self.checkpoints / BEST

    @property
    def snapshots(self) -> Path:
        """The folder of the snapshots."""
        return self.checkpoints / SNAPSHOTS

    def snapshot_steps(self) -> tuple[int, ...]:
        """The steps of which there is a snapshot, in rising order."""
        try:
            names = [entry.name for entry in self.snapshots.iterdir()]
        except OSError:
            return ()
        found = [_SNAPSHOT.fullmatch(name) for name in names]
        return tuple(sorted(int(name[1]) for name in found if name))

    def snapshot(self, step: int) -> Path:
        """The snapshot of the weights after `step` steps."""
        return self.snapshots / snapshot_name(step)

    @property
    def failures_file(self) -> Path:
        """The pictures of `evaluate --find-failures`."""
        return self.path / FAILURES

    @property
    def example_scores_file(self) -> Path:
        """The scores of each training example, as CSV."""
        return self.path / EXAMPLE_SCORES

    def is_run(self) -> bool:
        """Whether a run was begun here: its settings are written."""
        return self.config_file.is_file()

    def owns(self, file: Path) -> bool:
        """Whether `file` is one that the run itself writes, directly in this folder."""
        names = (CONFIG, METRICS, SUMMARY, EXAMPLE_SCORES, LOCK)
        own = file.name in names or is_events(file.name)
        return own and file.parent == self.path and self.config_file.exists()

    def newest(self) -> Path | None:
        """The newest checkpoint; None if there is none yet."""
        return next((path for path in (self.last, self.previous) if path.exists()), None)

    def trained(self, config: RunConfig) -> Path | None:
        """The checkpoint that the run is opened with: with early stopping the one of the lowest
        validation loss, else the newest; None if there is none yet."""
        return self.best if config.train.early_stopping else self.newest()

    def settings(self) -> tuple[RunConfig, Provenance]:
        """The run's settings and what else decided it; `ValueError` in one line if the folder holds
        none, or those of another format."""
        if not self.is_run():
            raise ValueError(f"{self.path} is no run's folder: {self._why_not()}")
        try:
            return parse_settings(self.config_file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{self.config_file}: {error}") from None

    def config(self) -> RunConfig:
        """The run's settings, as `settings` reads them."""
        return self.settings()[0]

    def write_settings(self, config: RunConfig, provenance: Provenance) -> None:
        """Write `config.json`, whole or not at all."""
        replace_text(self.config_file, to_json(config, provenance) + "\n")

    def note_data(self, config: RunConfig, provenance: Provenance, *, data: DataConfig) -> None:
        """Write other settings of the data into `config.json`, and into `summary.json`, if there
        is one with settings."""
        self.write_settings(replace(config, data=data), provenance)
        summary = self.summary()
        if isinstance(noted := summary.get("config"), dict):
            noted["data"] = asdict(data)
            replace_text(self.summary_file, json.dumps(summary, indent=2) + "\n")

    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`; empty if there is none yet, `ValueError` naming the file
        if it is damaged."""
        path = self.summary_file
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
        if not isinstance(content, dict):
            raise ValueError(f"{path} is damaged: it is no object")
        return content

    def finished(self) -> bool:
        """Whether the run came to its end; a damaged summary counts as none."""
        with suppress(ValueError):
            return self.summary().get("status") == "finished"
        return False

    def finished_at(self) -> int | None:
        """The step that the run came to its end at; None if it did not, or if its summary, damaged,
        does not say."""
        with suppress(ValueError):
            summary = self.summary()
            step = summary.get("step")
            if summary.get("status") == "finished" and type(step) is int:
                return step
        return None

    def metrics(self) -> list[dict[str, Any]]:
        """The evaluations in turn: `step`, and metrics by tag (None: not finite). `ValueError`
        naming the file if it is gone, empty or damaged."""
        path = self.metrics_file
        if not path.is_file():
            raise ValueError(f"{path} is missing")
        found = []
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        for number, line in enumerate(lines[:-1] if lines[-1] == "" else lines, 1):
            try:
                metrics = json.loads(line)
                if type(metrics["step"]) is not int:
                    raise ValueError("no step")
            except (ValueError, LookupError, TypeError, RecursionError):
                raise ValueError(f"{path} is damaged in line {number}") from None
            found.append(metrics)
        if not found:
            raise ValueError(f"{path} is damaged: it is empty")
        return found

    def lock(self) -> AbstractContextManager[None]:
        """Hold the folder for this process; `InUse` if another one does."""
        return locked(self.path)

    def give_up(self) -> None:
        """Remove the folder of a run that could not write its settings, so that its name is free;
        files of others in it stay."""
        with suppress(OSError):
            (self.path / LOCK).unlink(missing_ok=True)
            self.path.rmdir()

    def _why_not(self) -> str:
        """Why there are no settings, and the run around this path, if there is one."""
        path = self.path
        why = f"it has no {CONFIG}" if path.is_dir() else missing(path)
        why = "it is a file" if path.is_file() else why
        around = next((place for place in path.parents if RunDir(place).is_run()), None)
        return why + (f"; did you mean {around}?" if around is not None else "")


def is_events(name: str) -> bool:
    """Whether a file with this name is a TensorBoard event file."""
    return name.startswith(EVENTS)


def snapshot_name(step: int) -> str:
    """The name of the file with the weights after `step` steps."""
    return f"step-{step:08d}.pt"


def runs_in(folder: Path) -> list[RunDir]:
    """The runs directly in `folder`, by name; none if it does not exist."""
    folder = Path(folder)
    if not folder.is_dir():
        return []
    return [run for path in sorted(folder.iterdir()) if (run := RunDir(path)).is_run()]


def holds_a_run(files: Collection[str]) -> bool:
    """Whether a folder with these files is some program's run: the lab's, or any with event
    files."""
    return CONFIG in files or any(map(is_events, files))
