"""Work queues: a queue and a worker thread for each kind of request, first in, first out.

Each request has a thread of its own, but the worker does the computing, so that requests do not
compete for the processors and for a network, which one thread at a time may use. Requests of many
users wait rather than being refused. A newer request of a page replaces its older one, identical
requests are computed once, and those whose connection was closed are dropped.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lab.playground.errors import Busy, Overtaken
from lab.training import set_threads

T = TypeVar("T")

MOST = 1000
"""Most distinct requests that wait in a queue: a class of thirty sends fewer than a hundred."""

PATIENCE = 120.0
"""Most seconds that a request waits."""

POLITE = 0.3
"""Most seconds that a request waits for those of a queue with priority."""

IDLE = 0.5
"""Seconds without a request after which the worker thread ends; the next request starts another."""


class WorkQueue:
    """A queue of requests and the thread that processes them one by one.

    Beyond `most` waiting requests or `patience` seconds of waiting `Busy` is raised. Requests in
    the queue `first` have priority, for up to `POLITE` seconds each time; with `aside` also while
    one of them is being processed. `asked` counts the requests that entered the queue."""

    def __init__(
        self,
        name: str,
        *,
        first: WorkQueue | None = None,
        aside: bool = False,
        most: int = MOST,
        patience: float = PATIENCE,
    ) -> None:
        self._name, self._first, self._most, self._patience = name, first, most, patience
        self._aside = aside
        self._waiting: dict[Hashable, _Job] = {}
        self.asked = 0
        self._changed = threading.Condition()
        self._works = self._busy = False

    def run(
        self,
        question: Callable[[], T],
        *,
        key: Hashable = None,
        slot: str | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> T:
        """The return value of `question`, or what it raises.

        `key`: requests with the same key have the same result and are computed once; None: unique.
        `slot`: of the requests with the same slot only the newest is computed; it takes the place
        of the older ones, which end with `Overtaken` unless they have begun. `wanted()`: whether
        the result is still needed, checked when the request's turn comes.
        """
        asker = _Asker(slot, wanted)
        with self._changed:
            if ending():
                raise Busy("the board is being stopped")
            key = self.asked if key is None else (key,)
            turn = min([self.asked, *self._overtake(slot, key)])
            if key not in self._waiting and len(self._waiting) >= self._most:
                raise Busy("too many questions at once; ask again in a moment")
            self.asked += 1
            job = self._waiting.setdefault(key, _Job(question, turn))
            job.turn = min(job.turn, turn)
            job.askers.append(asker)
            self._wake()
        if not wait([asker.answer], self._patience).done:
            with self._changed:
                self._leave(key, job, asker)
            raise Busy("too many questions at once: it took too long; ask again in a moment")
        return asker.answer.result()  # type: ignore[no-any-return]

    def before(self, slot: str) -> int:
        """How many jobs are processed before the one that waits in `slot`, with the one that is
        being processed; 0 if none waits there."""
        with self._changed:
            turns = [
                job.turn for job in self._waiting.values()
                if any(asker.slot == slot for asker in job.askers)
            ]  # fmt: skip
            if not turns:
                return 0
            return self._busy + sum(job.turn < min(turns) for job in self._waiting.values())

    def begin(self, work: Callable[[], object]) -> None:
        """Queue `work` without waiting for it."""
        with self._changed:
            self._waiting[self.asked] = _Job(work, self.asked, [_Asker(None, lambda: True)])
            self.asked += 1
            self._wake()

    def _overtake(self, slot: str | None, key: Hashable) -> list[int]:
        """Drop the older requests in a slot, other than `key`; returns their places in the
        queue."""
        turns = []
        for other, job in list(self._waiting.items()) if slot is not None else []:
            for asker in [each for each in job.askers if each.slot == slot]:
                if other != key:
                    self._leave(other, job, asker)
                    asker.answer.set_exception(Overtaken())
                    turns.append(job.turn)
        return turns

    def _leave(self, key: Hashable, job: _Job, asker: _Asker) -> None:
        """Remove an asker from a job, and the job from the queue if it was the last."""
        if self._waiting.get(key) is job and asker in job.askers:
            job.askers.remove(asker)
            if not job.askers:
                del self._waiting[key]
                self._changed.notify_all()

    def _wake(self) -> None:
        self._changed.notify_all()
        if not self._works:
            # not a daemon: exiting while PyTorch computes crashes the program
            threading.Thread(target=self._work, name=self._name, daemon=False).start()
            self._works = True

    def _work(self) -> None:
        if ending():
            return
        set_threads(1)  # torch's number of threads is set for each calling thread
        while (job := self._next()) is not None:
            gone = [asker for asker in job.askers if not asker.wanted()]
            for asker in gone:
                asker.answer.set_exception(Overtaken())
            askers = [asker for asker in job.askers if asker not in gone]
            if not askers:
                continue
            try:
                answer = job.question()
            except BaseException as error:
                _let_go(error)
                for asker in askers:
                    asker.answer.set_exception(error)
            else:
                for asker in askers:
                    asker.answer.set_result(answer)

    def _next(self) -> _Job | None:
        """The next job, once there is one; None after `IDLE` seconds without, or when the program
        ends."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: bool(self._waiting), IDLE) or ending():
                self._works = False
                return None
        if self._first is not None:
            self._first.let_pass(also_begun=self._aside)
        with self._changed:
            if not self._waiting:  # they were abandoned meanwhile
                return _Job(lambda: None, 0)
            key = min(self._waiting, key=lambda key: self._waiting[key].turn)
            job = self._waiting.pop(key)
            self._busy = True
            self._changed.notify_all()
            return job

    def let_pass(self, *, also_begun: bool = False) -> None:
        """Wait until this queue is empty, at most `POLITE` seconds; `also_begun`: and until nothing
        of it is being processed."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._waiting and not (also_begun and self._busy), POLITE
            )


def _let_go(error: BaseException) -> None:
    """Let the frames of an error, and of those that led to it, let go of their objects: the last of
    a tensor in a request's thread would crash the program at its end."""
    met: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is not None and id(each) not in met:
            met.add(id(each))
            traceback.clear_frames(each.__traceback__)
            left += [each.__cause__, each.__context__]


def ending() -> bool:
    """Whether the program is ending and waits for its threads."""
    return not threading.main_thread().is_alive()


@dataclass(eq=False)
class _Asker:
    """A request that waits for a result."""

    slot: str | None
    wanted: Callable[[], bool]
    answer: Future[Any] = field(default_factory=Future)


@dataclass(eq=False)
class _Job:
    """A computation, its place in the queue, and the requests that wait for its result."""

    question: Callable[[], object]
    turn: int
    askers: list[_Asker] = field(default_factory=list)
