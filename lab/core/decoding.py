"""Decoding of many picture files, in this process or in several that write to one mapped file.

The other processes import no torch and start in a fifth of a second. Threads would not do: of a
small picture more than half of the time is spent in Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lab.core.machine import TORCHRUN
from lab.core.pictures import Resize, open_picture, squared

Pixels = npt.NDArray[np.uint8]
"""Pictures (N, 3, S, S)."""

CHUNK = 64
"""Files that a process is given at a time."""

WORTH = 2000
"""Files, at least, for which other processes are started: those of 100 x 100 pixels take a
second."""

MOST = 8
"""Processes at most."""


def decode(
    paths: Sequence[Path],
    positions: Sequence[int],
    pixels: Pixels,
    *,
    size: int,
    resize: Resize,
    file: Path | None = None,
    processes: int = 1,
    done: Callable[[int], None] = lambda number: None,
) -> None:
    """Write the picture at `paths[i]` to `pixels[positions[i]]`, for all i.

    `file`: where `pixels` is mapped from; None: it is in memory, and there is one process. `done`
    gets how many pictures were added. Raises `ValueError` about the first file that cannot be read.
    """
    jobs = [(paths[i : i + CHUNK], positions[i : i + CHUNK]) for i in range(0, len(paths), CHUNK)]
    if file is None or processes < 2 or len(paths) < WORTH:
        for some, places in jobs:
            _decode(some, places, pixels, size, resize)
            done(len(some))
        return
    settings = {"file": str(file), "shape": pixels.shape, "size": size, "resize": resize}
    _Pool(jobs, settings, done).run(min(processes, MOST))


def serve() -> None:
    """Decode what standard input asks for, line by line, and answer with a line each."""
    settings = json.loads(sys.stdin.readline())
    pixels: Pixels = np.memmap(
        settings["file"], np.uint8, "r+", shape=tuple(settings["shape"])
    )  # closed with the process
    for line in sys.stdin:
        names, places = json.loads(line)
        try:
            paths = [Path(name) for name in names]
            _decode(paths, places, pixels, settings["size"], settings["resize"])
            error = ""
        except ValueError as problem:
            error = str(problem)
        print(json.dumps(error), flush=True)


def _decode(
    paths: Sequence[Path], places: Sequence[int], pixels: Pixels, size: int, resize: Resize
) -> None:
    for path, place in zip(paths, places, strict=True):
        picture = squared(open_picture(path), size=size, resize=resize)
        pixels[place] = picture.transpose(2, 0, 1)


class _Pool:
    """Processes that take jobs in their order, until one of them fails."""

    def __init__(
        self,
        jobs: Sequence[tuple[Sequence[Path], Sequence[int]]],
        settings: dict[str, Any],
        done: Callable[[int], None],
    ) -> None:
        self._todo: Iterator[tuple[int, tuple[Sequence[Path], Sequence[int]]]] = iter(
            enumerate(jobs)
        )
        self._settings, self._done = settings, done
        self._errors: dict[int, str] = {}
        self._lock = threading.Lock()

    def run(self, processes: int) -> None:
        with ThreadPoolExecutor(processes) as threads:
            try:
                for each in [threads.submit(self._work) for _ in range(processes)]:
                    each.result()
            except BaseException:  # Ctrl-C, too: nothing further is begun
                self._stop("stopped")
                raise
        if self._errors:
            raise ValueError(self._errors[min(self._errors)])

    def _work(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", "from lab.core.decoding import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the parent alone
            env={
                **{name: value for name, value in os.environ.items() if name not in TORCHRUN},
                "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            },
        )
        assert process.stdin
        assert process.stdout
        try:
            self._tell(process, self._settings)
            while (job := self._next()) is not None:
                number, (paths, places) = job
                self._tell(process, ([os.fspath(path) for path in paths], list(places)))
                said = process.stdout.readline()
                error = json.loads(said) if said else self._died(process, paths)
                if error:
                    self._stop(error, number)
                    return
                with self._lock:
                    self._done(len(paths))
        except BrokenPipeError:
            self._stop(self._died(process, ()))
        finally:
            process.stdout.close()
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()

    @staticmethod
    def _tell(process: subprocess.Popen[str], words: object) -> None:
        assert process.stdin
        process.stdin.write(json.dumps(words) + "\n")
        process.stdin.flush()

    @staticmethod
    def _died(process: subprocess.Popen[str], paths: Sequence[Path]) -> str:
        where = f", among the {len(paths)} files from {paths[0]} on" if paths else ""
        return f"a process that decodes pictures ended with exit code {process.wait()}{where}"

    def _next(self) -> tuple[int, tuple[Sequence[Path], Sequence[int]]] | None:
        with self._lock:
            return None if self._errors else next(self._todo, None)

    def _stop(self, error: str, number: int = sys.maxsize) -> None:
        with self._lock:
            self._errors[number] = error
