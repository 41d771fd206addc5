"""The local executor: worker processes that import torch once and execute one job after the other.

Each worker is served by one thread of this process. When a worker dies, its thread knows which job
it was doing, and other jobs are not affected. (A `ProcessPoolExecutor` fails all pending jobs, and
does not tell which one killed the worker.)
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from lab.core.errors import LabError
from lab.core.machine import TORCHRUN
from lab.experiments.runner import gpus

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")

GRACE = 30.0
"""Seconds that workers have to write their checkpoints when they are stopped."""


class WorkerDied(LabError, RuntimeError):
    """A job ended the process that did it, twice."""


class Local:
    """An executor of `processes` workers, with one thread each; use it as a context manager.

    Left by an exception, Ctrl-C for example, it stops what is going on as SIGTERM would a run, and
    waits for the checkpoints; a second Ctrl-C ends that, too.
    """

    shares_disk = True

    def __init__(self, processes: int) -> None:
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="worker")
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._stopping = False

    def submit(self, function: Callable[[Argument], Answer], argument: Argument) -> Future[Answer]:
        """Call `function`, which must be importable by name, in the next free worker.

        A worker that dies of it is replaced, and the call made once more; the future of one that
        kills two raises `WorkerDied`.
        """
        return self._threads.submit(self._call, function, argument)

    def __enter__(self) -> Local:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._threads.shutdown()
        with self._lock:
            self._stopping = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        try:
            until = time.monotonic() + GRACE
            for worker in self._workers:
                worker.stop()
            for worker in self._workers:
                with suppress(subprocess.TimeoutExpired):
                    worker.process.wait(max(0.0, until - time.monotonic()))
        finally:
            for worker in self._workers:
                worker.process.kill()
                worker.close()

    def _call(self, function: Callable[[Argument], Answer], argument: Argument) -> Answer:
        died = ""
        for _ in range(2):
            worker = self._worker()
            try:
                return worker.call(function, argument)  # type: ignore[no-any-return]
            except (EOFError, OSError, pickle.UnpicklingError):
                died = worker.end()
        raise WorkerDied(f"its worker died twice, {died}")

    def _worker(self) -> _Worker:
        """This thread's worker, a new one if there is none that lives."""
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None or worker.process.poll() is not None:
            with self._lock:
                if self._stopping:
                    raise WorkerDied("the sweep was stopped")
                worker = self._mine.worker = _Worker(len(self._workers))
                self._workers.append(worker)
        return worker


class _Worker:
    """One process, the executor's `number`th from 0, and the pipes to and from it."""

    def __init__(self, number: int) -> None:
        # Its own session, or on Windows its own group: Ctrl-C in the terminal reaches the parent
        # alone, which passes it on once.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from lab.core.workers import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            env={
                # As one of the processes of torchrun it would wait for the others.
                **{name: value for name, value in os.environ.items() if name not in TORCHRUN},
                **gpus.environment(number),
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            },
        )

    def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """The function's answer; `EOFError` or `OSError` if the process has died."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(pickle.dumps((function, argument)))
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)

    def stop(self) -> None:
        """Close its input, upon which it stops its run with a checkpoint and ends."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()

    def end(self) -> str:
        """Make sure that it has ended; returns the reason: an exit code or a signal, and its last
        line on standard error."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self.process.kill()
        code = self.process.wait()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip().splitlines()
        self.close()
        end = f"with exit code {code}"
        if code < 0:
            known = [number.name for number in signal.Signals if number == -code]
            end = f"of {known[0] if known else f'signal {-code}'}"
        return f"{end}: {said[-1].strip()}" if said else end

    def close(self) -> None:
        """Close the pipes."""
        for pipe in (self.process.stdin, self.process.stdout, self._said):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
