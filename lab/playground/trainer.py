"""Runs that are started on the page: one at a time, each in a process of its own.

Standard library only. A process that has imported PyTorch waits for the next run, so that it begins
at once. The processes end with the board, whichever way that ends, and their runs can be resumed.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import IO, Any, Literal

from lab.core.config import RunConfig, to_json
from lab.core.run_dir import RunDir
from lab.core.run_names import automatic_name
from lab.playground.errors import Busy, NotThere
from lab.playground.recipe import config_of

MOST_WAITING, MOST_JOBS = 8, 500
"""Most runs that wait for their turn, and most that one board trains."""

PATIENCE = 15.0
"""Seconds that a process gets to write its last checkpoint when the board ends."""

State = Literal["waiting", "running", "stopping", "finished", "stopped", "failed"]


@dataclass(kw_only=True)
class Job:
    """One run: in its folder `out/name`; `line` says why it failed."""

    name: str
    config: RunConfig
    state: State = "waiting"
    line: str = ""
    resumed: bool = False

    @property
    def folder(self) -> RunDir:
        """The folder of its run."""
        return RunDir(self.config.out / self.name)


class Trainer:
    """Trains the runs that the page asks for in the folder `out`, for whoever knows `token`."""

    def __init__(
        self, out: Path, *, spawn: Callable[[], subprocess.Popen[str]] | None = None
    ) -> None:
        """`spawn` starts a process that behaves as `train_worker` does (None: that)."""
        self.out = out
        self._spawn = spawn or spawn_worker
        self.token = secrets.token_urlsafe(12)
        self._jobs: dict[str, Job] = {}
        self._waiting: list[Job] = []
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._running: Job | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="trainer", daemon=True)
        self._thread.start()

    def knows(self, token: object) -> bool:
        """Whether a request may start and stop runs."""
        return isinstance(token, str) and secrets.compare_digest(
            token.encode("utf-8", "replace"), self.token.encode()
        )

    def start(self, recipe: Mapping[str, object]) -> Job:
        """Queue the run that a recipe describes; `RequestError` in one line if that cannot be."""
        config = config_of(recipe, self.out)
        with self._changed:
            if self._ended.is_set() or len(self._jobs) >= MOST_JOBS:
                raise Busy(f"this board has trained {MOST_JOBS} runs: start it anew for more")
            config = replace(config, name=self._free_name(config))
            job = Job(name=str(config.name), config=config)
            self._queue(job)
            self._jobs[job.name] = job
        return job

    def stop(self, name: str) -> Job:
        """Stop a run so that it can go on later."""
        with self._changed:
            job = self._find(name)
            if job in self._waiting:
                self._waiting.remove(job)
                job.state = "stopped"
            elif job is self._running and job.state == "running":
                job.state = "stopping"
                self._tell("stop")
        return job

    def go_on(self, name: str) -> Job:
        """Queue a run that was stopped."""
        with self._changed:
            job = self._find(name)
            if job.state == "stopped":
                job.resumed = job.folder.is_run()
                self._queue(job)
        return job

    def told(self) -> list[dict[str, Any]]:
        """All runs of this board, the newest first, as JSON values."""
        with self._changed:
            jobs = list(self._jobs.values())[::-1]
            return [_told(job) for job in jobs]

    def close(self) -> None:
        """Stop the run and end the processes."""
        with self._changed:
            self._ended.set()
            process = self._process
            self._hang_up()
            self._changed.notify_all()
        self._thread.join(PATIENCE)
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()

    def _queue(self, job: Job) -> None:
        if len(self._waiting) >= MOST_WAITING:
            raise Busy(f"{MOST_WAITING} runs are waiting already: stop one, or wait")
        job.state, job.line = "waiting", ""
        self._waiting.append(job)
        self._changed.notify_all()

    def _find(self, name: str) -> Job:
        job = self._jobs.get(name)
        if job is None:
            raise NotThere(f"this board has not trained a run {name[:100]!r}")
        return job

    def _free_name(self, config: RunConfig) -> str:
        base = automatic_name(config)
        names = (base if number == 1 else f"{base}-{number}" for number in count(1))
        return next(
            name for name in names if name not in self._jobs and not (self.out / name).exists()
        )

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._ended.is_set():
                    return
                process = self._process = self._spawn()
            ready = _answer(process.stdout)
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._ended.is_set())
                if self._ended.is_set():
                    break
                job = self._running = self._waiting.pop(0)
                job.state = "running"
                self._tell(_order(job))
            told = _answer(process.stdout) if ready else {}
            code = process.wait()
            _close(process)
            with self._changed:
                self._running = None
                job.state = told.get("status", "failed")
                job.line = str(told.get("line") or "")
                if not told and not self._ended.is_set():
                    job.line = f"its process ended with code {code}"
        self._hang_up()
        process.wait()
        _close(process)

    def _tell(self, line: str) -> None:
        try:
            assert self._process is not None
            assert self._process.stdin is not None
            print(line, file=self._process.stdin, flush=True)
        except (OSError, ValueError):
            logging.getLogger(__name__).warning("the process that trains has ended")

    def _hang_up(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()


def spawn_worker() -> subprocess.Popen[str]:
    """A process that waits for a run to train."""
    here = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, "-m", "lab.playground.train_worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        encoding="utf-8", env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C in the terminal is the board's, which ends it in order
    )  # fmt: skip


def _close(process: subprocess.Popen[str]) -> None:
    """Close the pipes to a process that has ended."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _order(job: Job) -> str:
    if job.resumed:
        return json.dumps({"resume": str(job.folder.path)})
    return json.dumps({"config": to_json(job.config)})


def _answer(stream: IO[str] | None) -> dict[str, Any]:
    """The next line of a process as a dictionary; empty if it has ended."""
    assert stream is not None
    try:
        told = json.loads(stream.readline() or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _told(job: Job) -> dict[str, Any]:
    done, accuracies = 0, {}
    if job.folder.is_run():
        try:
            lines = job.folder.metrics()
        except (OSError, ValueError):
            lines = []
        for tag in ("accuracy/train", "accuracy/test"):
            accuracies[tag] = [
                [line["step"], round(line[tag], 4)] for line in lines if line.get(tag) is not None
            ]
        seen = [line["step"] for line in lines]
        done = max([0, *seen, *job.folder.snapshot_steps()])
    return {
        "name": job.name, "state": job.state, "line": job.line, "step": done,
        "steps": job.config.train.max_steps, "accuracies": accuracies,
    }  # fmt: skip
