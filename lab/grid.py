"""Many runs side by side: each a folder of its own, finished ones kept, interrupted ones gone on
with, so that the same command again is the recovery."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from lab.config import RunConfig, flag, given


def do_runs(jobs: Sequence[RunConfig], *, processes: int) -> Iterator[Path]:
    """Do all runs (their names are given), `processes` at a time with one thread each; yields
    their folders as they are finished."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, _begin, initargs=(os.getpid(),)) as pool:
        futures = [pool.submit(_work, replace(job, threads=1)) for job in jobs]
        try:
            for done in as_completed(futures):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def refuse(config: RunConfig, **instead: str) -> None:
    """Raise `ValueError` if a setting is given that the grid sets itself: its name, and the flag
    that is meant instead."""
    for name in instead:
        if name in given(config):
            raise ValueError(f"{flag(name)} is set by {instead[name]}: leave it out")


def do_run(config: RunConfig) -> Path:
    """The folder of a finished run with these settings: found, gone on with, or done anew."""
    from lab import run

    folder = config.out / str(config.name)
    if not folder.exists():
        return run.start(config).folder
    known = replace(run.read_config(folder), device=config.device)
    if replace(known, out=config.out) != config:
        raise ValueError(f"{folder} holds a run with other settings; choose another --out")
    run.resume(folder)
    return folder


def figures(folder: Path) -> Mapping[str, Any]:
    """The final figures of a run: tag -> value."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return {
        f"{metric}/{where}": figure["value"]
        for metric, places in summary.items()
        if isinstance(places, dict)
        for where, figure in places.items()
        if isinstance(figure, dict) and "value" in figure
    }


def spread(values: Sequence[float]) -> str:
    """The mean over seeds, and in brackets the lowest and the highest."""
    mean = sum(values) / len(values)
    return f"{mean:.3f} ({min(values):.3f}–{max(values):.3f})"


def _begin(parent: int) -> None:
    """A worker writes nothing to the terminal that its parent draws on, and ends with its parent:
    runs that it leaves unfinished go on with the next command."""
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(config: RunConfig) -> Path:
    """`do_run` in a worker, which a signal ends: it must not begin with the next run."""
    from lab.training import Interrupted

    try:
        return do_run(config)
    except (Interrupted, KeyboardInterrupt):
        os._exit(1)
