"""Who computes: for each kind of question a thread and a queue, first come, first served.

Requests come in threads of their own. They would fight for the processor, and for networks that
only one of them may ask at a time. A class of thirty asks more than two processors can answer, so
questions wait rather than being refused; what nobody waits for any more is not computed: a newer
question takes the place of its page's older one, and identical questions are answered together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lab.playground.errors import Busy, Overtaken
from lab.training import set_threads

T = TypeVar("T")

MOST = 1000
"""Different questions that may wait in a lane: a class of thirty asks fewer than a hundred."""

PATIENCE = 120.0
"""Seconds that a question may wait."""

POLITE = 0.3
"""Seconds that a question lets those of a quicker lane go first, at most."""

IDLE = 0.5
"""Seconds without a question after which a lane's thread ends; the next question starts another."""


class WorkQueue:
    """A queue of questions and the thread that answers them one by one.

    `most` and `patience` (seconds) bound the waiting; beyond, the answer is `Busy`. Questions of
    the lane `first` come before each of this one, for up to `POLITE` seconds. `asked` counts the
    questions that were let into the queue.
    """

    def __init__(
        self,
        name: str,
        *,
        first: WorkQueue | None = None,
        most: int = MOST,
        patience: float = PATIENCE,
    ) -> None:
        self._name, self._first, self._most, self._patience = name, first, most, patience
        self._waiting: dict[Hashable, _Job] = {}
        self.asked = 0
        self._changed = threading.Condition()
        self._works = False

    def run(
        self,
        question: Callable[[], T],
        *,
        key: Hashable = None,
        slot: str | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> T:
        """What `question` returns or raises.

        `key`: questions with the same one have the same answer; None: like no other's. `slot`: of
        the questions with the same one only the newest is wanted; it takes the turn of the older
        ones, which end with `Overtaken` unless they have begun. `wanted()`: whether anybody still
        waits for the answer; looked at when the question's turn comes.
        """
        asker = _Asker(slot, wanted)
        with self._changed:
            if ending():
                raise Busy("the board ends")
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

    def begin(self, work: Callable[[], object]) -> None:
        """Do `work` before the questions that come after, and wait for nothing."""
        with self._changed:
            self._waiting[self.asked] = _Job(work, self.asked, [_Asker(None, lambda: True)])
            self.asked += 1
            self._wake()

    def _overtake(self, slot: str | None, key: Hashable) -> list[int]:
        """End the waiting of older questions in a slot, other than `key`, and give their turns."""
        turns = []
        for other, job in list(self._waiting.items()) if slot is not None else []:
            for asker in [each for each in job.askers if each.slot == slot]:
                if other != key:
                    self._leave(other, job, asker)
                    asker.answer.set_exception(Overtaken())
                    turns.append(job.turn)
        return turns

    def _leave(self, key: Hashable, job: _Job, asker: _Asker) -> None:
        """Take an asker off a question, and the question out of the queue if it was the last."""
        if self._waiting.get(key) is job and asker in job.askers:
            job.askers.remove(asker)
            if not job.askers:
                del self._waiting[key]
                self._changed.notify_all()

    def _wake(self) -> None:
        self._changed.notify_all()
        if not self._works:
            # no daemon, as requests' threads are: a program that ends amid PyTorch's work crashes
            threading.Thread(target=self._work, name=self._name, daemon=False).start()
            self._works = True

    def _work(self) -> None:
        if ending():
            return
        set_threads(1)  # torch counts the threads of a computation for each thread that starts one
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
                for asker in askers:
                    asker.answer.set_exception(error)
            else:
                for asker in askers:
                    asker.answer.set_result(answer)

    def _next(self) -> _Job | None:
        """The question whose turn it is, once there is one; None after a while without, and where
        the program ends."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._waiting), IDLE) or ending():
                self._works = False
                return None
        if self._first is not None:
            self._first.let_pass()
        with self._changed:
            if not self._waiting:  # they were abandoned meanwhile
                return _Job(lambda: None, 0)
            key = min(self._waiting, key=lambda key: self._waiting[key].turn)
            job = self._waiting.pop(key)
            self._changed.notify_all()
            return job

    def let_pass(self) -> None:
        """Wait until no question waits here, or `POLITE` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, POLITE)


def ending() -> bool:
    """Whether the program is about to end, and waits for its threads."""
    return not threading.main_thread().is_alive()


@dataclass(eq=False)
class _Asker:
    """A request that waits for an answer."""

    slot: str | None
    wanted: Callable[[], bool]
    answer: Future[Any] = field(default_factory=Future)


@dataclass(eq=False)
class _Job:
    """A question, its place in the queue, and all who wait for its answer."""

    question: Callable[[], object]
    turn: int
    askers: list[_Asker] = field(default_factory=list)
