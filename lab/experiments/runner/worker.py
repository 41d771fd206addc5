"""The execution of jobs by workers: `do` on this machine, in the run's folder, and `do_there` on a
cluster, which returns the files of that folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

from lab.core.errors import Interrupted, LabError
from lab.core.locks import LOCK, InUse
from lab.core.run_dir import CONFIG, RunDir
from lab.core.text import plain, reason
from lab.core.workers import is_worker
from lab.experiments.runner.jobs import Job, refuse_other, refuse_other_key
from lab.models import changed_files

MEMORY = 2**28
"""Bytes of pictures that a worker keeps for jobs on the same faces: 87,000 faces of 32 px."""

PATIENCE = 20.0
"""Seconds that a run's folder may be held by a worker of an earlier sweep that is about to end."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The end of a job: `error` is one line, empty if it succeeded, and `trace` the traceback.
    `files` are those of the run's folder, by path in it, if it was done elsewhere."""

    key: str
    seconds: float
    error: str = ""
    trace: str = ""
    files: dict[str, bytes] | None = None


def do(job: Job) -> Report:
    """Do a job in its folder, from its last checkpoint if it was begun. Errors are reported; only a
    signal is raised, as `Interrupted` or `KeyboardInterrupt`."""
    began = time.perf_counter()
    error = trace = ""
    try:
        with _alone():
            _run(job)
    except (Interrupted, KeyboardInterrupt):
        raise
    except BaseException as caught:  # a network of the user's may even call exit()
        error, trace = _one_line(caught), traceback.format_exc()
    return Report(key=job.key, seconds=time.perf_counter() - began, error=error, trace=trace)


def do_there(job: Job) -> Report:
    """Do a job in a temporary folder, and report its files."""
    with tempfile.TemporaryDirectory() as place:
        report = do(replace(job, config=replace(job.config, out=Path(place))))
        folder = Path(place) / str(job.config.name)
        _say_out(folder, job)
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != LOCK
        }
    return replace(report, files=files)


_RUNNING = threading.Lock()


@contextmanager
def _alone() -> Iterator[None]:
    """One run at a time in this process, and silent: runs in threads would draw from the same
    random streams of torch."""
    with (
        _RUNNING,
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        yield


def _run(job: Job) -> None:
    from lab.runs.train import resume, start
    from lab.worlds.drawn import remember

    if is_worker():
        remember(MEMORY)
    refuse_other_key(job.config, job.key, job.seen, when="the sweep began")
    if changed := changed_files(job.data_files):
        raise ValueError(
            f"{changed[0]}, which its code reads, is not what it was when the sweep began: put that"
            " file back as it was, and run the same command again"
        )
    folder, run = job.folder, RunDir(job.folder)
    if folder.exists() and not run.config_file.exists():  # killed before it began
        foreign = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
        if foreign:
            raise ValueError(
                f"{folder} is in the way: it has no {CONFIG}, but {', '.join(sorted(foreign)[:3])};"
                " move it away"
            )
        shutil.rmtree(folder)
    if not folder.exists():
        start(job.config)
        return
    refuse_other(*run.settings(), job)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            resume(folder, device=job.config.device)
            return
        except InUse:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    said = plain(reason(error))
    if isinstance(error, (ValueError, LabError)):
        return said
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}, line {last.lineno}"
    return f"{type(error).__name__}: {said or 'nothing said'} ({place})"


def _say_out(folder: Path, job: Job) -> None:
    """Write the folder that the run will be collected in into its config and summary."""
    run = RunDir(folder)
    for path in (run.config_file, run.summary_file):
        if path.exists():
            content = json.loads(path.read_text(encoding="utf-8"))
            settings = content.get("config", content)
            settings["out"] = str(job.config.out)
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
