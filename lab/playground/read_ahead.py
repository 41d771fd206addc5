"""Reading the snapshots of runs before the timeline asks for them.

The first answer of a snapshot takes some 3 milliseconds longer than the next ones, because its file
is read and its network made. With ten runs that is 30 at each step of the timeline.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress

from lab.playground.errors import RequestError
from lab.playground.model_cache import LoadedNetwork, ModelCache
from lab.playground.work_queue import WorkQueue


class ReadAhead:
    """Reads one snapshot at a time while the queue `first` has nothing to do; each run from its
    last step back, as the timeline is dragged from its end.

    What does not fit into the `cache` beside its contents is not read: nothing is dropped for it.
    """

    def __init__(self, cache: ModelCache, *, first: WorkQueue) -> None:
        self._cache = cache
        self._queue = WorkQueue("playground-ahead", first=first, aside=True)
        self._lock = threading.Lock()
        self._left: list[tuple[LoadedNetwork, list[int]]] = []

    def read(self, runs: Iterable[LoadedNetwork]) -> None:
        """Read the snapshots of these runs that are not in memory, without waiting for them."""
        with self._lock:
            idle = not self._left
            for run in runs:
                if any(run is other for other, _ in self._left):
                    continue
                if steps := run.unread():
                    self._left.append((run, list(steps)))
            if idle and self._left:
                self._queue.begin(self._one)

    @property
    def left(self) -> int:
        """How many snapshots are still to be read."""
        with self._lock:
            return sum(len(steps) for _, steps in self._left)

    def _one(self) -> None:
        """Read the next snapshot, and queue the one after it."""
        with self._lock:
            run, steps = self._left[0]
            step = steps[-1]
        fits = run.snapshot_size(step) <= self._cache.room()
        if fits:
            with suppress(RequestError):  # whoever asks for it is told
                run.at(step)
        with self._lock:
            steps.pop()
            if not fits or not steps:
                self._left.pop(0)
            if self._left:
                self._queue.begin(self._one)
