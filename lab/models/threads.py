"""Threads that do parts of one computation, and are waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def pool(count: int, name: str) -> ThreadPoolExecutor:
    """So many threads, in which an operation of torch gets as many threads as in this one: OpenMP
    would give each of them one for every processor."""
    return ThreadPoolExecutor(
        count, name, initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),)
    )


class Threads:
    """This thread and `count` - 1 others, which are started when they are first needed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = pool(count - 1, "part") if count > 1 else None

    def map(self, compute: Callable[[T], R], parts: Sequence[T]) -> list[R]:
        """`compute` of each of the parts, in their order; each thread takes the next one that is
        left. Raises what the first of them raises, once all threads are done.

        torch's gradient mode and autocast are those of new threads: `compute` sets them.
        """
        if self._pool is None or len(parts) < 2:
            return [compute(part) for part in parts]
        made: dict[int, R] = {}
        places = iter(range(len(parts)))
        others = [
            self._pool.submit(_work, compute, parts, places, made)
            for _ in range(min(self.count, len(parts)) - 1)
        ]
        try:
            _work(compute, parts, places, made)
        finally:
            failures = [other.exception() for other in others]  # waits for them
        for failure in failures:
            if failure is not None:
                raise failure
        return [made[place] for place in range(len(parts))]


ALONE = Threads(1)
"""This thread."""

_given: ContextVar[Threads] = ContextVar("threads", default=ALONE)


def given_threads() -> Threads:
    """Those that the code which called may use."""
    return _given.get()


@contextmanager
def lent(threads: Threads) -> Iterator[None]:
    """Let what is called inside use the threads."""
    token = _given.set(threads)
    try:
        yield
    finally:
        _given.reset(token)


def _work(
    compute: Callable[[T], R], parts: Sequence[T], places: Iterator[int], made: dict[int, R]
) -> None:
    for place in places:
        made[place] = compute(parts[place])
