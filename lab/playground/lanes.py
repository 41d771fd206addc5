"""Who computes: one thread for quick questions and one for slow ones, each with a short queue.

Requests come in threads of their own. They would fight for the processor, and for networks that
only one of them may ask at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lab.playground.refusal import Busy
from lab.training import set_threads

T = TypeVar("T")


class Lane:
    """A thread that answers one question at a time; `Busy` where more than `most` are waiting."""

    def __init__(self, name: str, *, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)
        # torch counts the threads of a computation for each thread that starts one
        self._worker = ThreadPoolExecutor(1, name, initializer=set_threads, initargs=(1,))

    def run(self, question: Callable[[], T]) -> T:
        """What `question` returns or raises."""
        if not self._places.acquire(blocking=False):
            raise Busy("too many questions at once; ask again in a moment")
        try:
            return self._worker.submit(question).result()
        finally:
            self._places.release()

    def begin(self, work: Callable[[], object]) -> None:
        """Do `work` before the next question, and wait for nothing."""
        self._worker.submit(work)
