"""Questions in a queue: their turns, and which of them are not computed."""

import contextlib
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from lab.playground import work_queue as lanes
from lab.playground.errors import Busy, Overtaken
from lab.playground.work_queue import WorkQueue

PATIENCE = 60
"""Seconds to wait for what should take none."""


class Crowd:
    """Askers in threads of their own, and a lane that is held up until they all stand in line."""

    def __init__(self, **options: Any) -> None:
        self.lane = WorkQueue("test", **options)
        self.done: list[str] = []
        self.threads = ThreadPoolExecutor(64)
        self.held, self.go_on = threading.Event(), threading.Event()
        self.first = self.threads.submit(self.lane.run, self._hold)
        assert self.held.wait(PATIENCE)

    def _hold(self) -> str:
        self.held.set()
        assert self.go_on.wait(PATIENCE)
        return "first"

    def ask(self, name: str, **options: Any) -> Future[str]:
        """Ask, and return once the question stands in line."""
        before = self.lane.asked
        answer = self.threads.submit(self.lane.run, lambda: self.answer(name), **options)
        wait_until(lambda: self.lane.asked > before)
        return answer

    def answer(self, name: str) -> str:
        self.done.append(name)
        return f"answer to {name}"

    def release(self) -> None:
        """Let the lane go on, and wait until it stands still."""
        self.go_on.set()
        self.first.result(PATIENCE)
        self.lane.run(lambda: None)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    here = Crowd()
    yield here
    here.go_on.set()
    here.threads.shutdown()


def overtaken(answer: Future[str]) -> bool:
    return isinstance(answer.exception(PATIENCE), Overtaken)


def test_who_comes_first_is_answered_first(crowd: Crowd) -> None:
    answers = [crowd.ask(name) for name in "abc"]
    crowd.release()
    assert crowd.done == ["a", "b", "c"]
    assert [answer.result() for answer in answers] == [f"answer to {name}" for name in "abc"]


def test_a_newer_question_of_a_page_takes_the_turn_of_its_older_one(crowd: Crowd) -> None:
    old = crowd.ask("old", slot="mine")
    other = crowd.ask("other", slot="another page's")
    new = crowd.ask("new", slot="mine")
    assert overtaken(old), "who is overtaken need not wait"
    crowd.release()
    assert crowd.done == ["new", "other"], "the newest of each, in the turn of its oldest"
    assert new.result() == "answer to new"
    assert other.result() == "answer to other"


def test_who_waits_is_told_how_many_are_before(crowd: Crowd) -> None:
    answers = [crowd.ask(name, slot=name) for name in "abc"]
    assert [crowd.lane.before(slot) for slot in "abcd"] == [1, 2, 3, 0]
    answers.append(crowd.ask("new", slot="a"))
    assert crowd.lane.before("a") == 1, "the newer one has the turn of the older one"
    crowd.release()
    assert [crowd.lane.before(slot) for slot in "abc"] == [0, 0, 0]


def test_what_is_asked_alike_is_computed_once(crowd: Crowd) -> None:
    answers = [crowd.ask("same", key="k", slot=f"page{i}") for i in range(5)]
    moved_on = crowd.ask("another", key="l", slot="page0")
    crowd.release()
    assert crowd.done == ["same", "another"] or crowd.done == ["another", "same"]
    assert overtaken(answers[0])
    assert {answer.result() for answer in answers[1:]} == {"answer to same"}
    assert moved_on.result() == "answer to another"
    assert crowd.lane.run(lambda: "later", key="k") == "later", "an answer is never kept"


def test_the_same_question_once_more_overtakes_nothing(crowd: Crowd) -> None:
    answers = [crowd.ask("same", key="k", slot="mine") for _ in range(2)]
    crowd.release()
    assert [answer.result() for answer in answers] == ["answer to same"] * 2
    assert crowd.done == ["same"]


def test_what_nobody_waits_for_is_not_computed(crowd: Crowd) -> None:
    left = crowd.ask("left", wanted=lambda: False)
    both = [crowd.ask("one stays", key="k", wanted=lambda stays=stays: stays) for stays in (0, 1)]
    crowd.release()
    assert crowd.done == ["one stays"]
    assert overtaken(left)
    assert overtaken(both[0])
    assert both[1].result() == "answer to one stays"


def test_errors_reach_all_who_asked_and_the_lane_goes_on(crowd: Crowd) -> None:
    def fail() -> str:
        raise ValueError("no answer")

    answers = [crowd.threads.submit(crowd.lane.run, fail, key="k") for _ in range(3)]
    crowd.release()
    for answer in answers:
        with pytest.raises(ValueError, match="no answer"):
            answer.result(PATIENCE)
    assert crowd.lane.run(lambda: "next") == "next"


def test_an_error_brings_no_object_of_its_computation_along() -> None:
    """A tensor among them, let go of last by a request's thread, would crash the ending program."""

    class Held:
        """What a computation has in hand."""

    held: list[weakref.ref[Held]] = []

    def inner() -> None:
        mine = Held()
        held.append(weakref.ref(mine))
        raise KeyError("inner")

    def question() -> str:
        mine = Held()
        held.append(weakref.ref(mine))
        try:
            inner()
        except KeyError as error:
            raise ValueError("outer") from error
        return "never"

    with pytest.raises(ValueError, match="outer") as raised:
        WorkQueue("test").run(question)
    assert len(held) == 2
    assert [each() for each in held] == [None, None]
    assert "in inner" in "".join(traceback.format_exception(raised.value)), "its lines are known"


def test_who_waits_too_long_is_refused_and_the_lane_goes_on() -> None:
    crowd = Crowd(patience=0.1)
    waiting = [crowd.ask("late", slot=f"page{i}", key="k") for i in range(3)]
    for answer in waiting:
        assert isinstance(answer.exception(PATIENCE), Busy)
    crowd.go_on.set()

    def answers() -> bool:
        with contextlib.suppress(Busy):
            return crowd.lane.run(lambda: True)
        return False

    wait_until(answers)
    assert crowd.done == []
    crowd.threads.shutdown()


def test_no_more_than_some_questions_wait() -> None:
    crowd = Crowd(most=2)
    waiting = [crowd.ask(name, key=name) for name in "ab"]
    with pytest.raises(Busy):
        crowd.lane.run(lambda: "c")
    waiting.append(crowd.ask("a", key="a"))
    crowd.release()
    assert [answer.result() for answer in waiting] == [f"answer to {name}" for name in "aba"]
    crowd.threads.shutdown()


def test_what_takes_long_lets_the_quick_go_first_for_a_while(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [crowd.ask(name) for name in "ab"]
    slow = WorkQueue("slow", first=crowd.lane)
    monkeypatch.setattr(lanes, "POLITE", 0.01)
    assert slow.run(lambda: "a while has passed") == "a while has passed"
    assert crowd.done == []
    monkeypatch.setattr(lanes, "POLITE", PATIENCE)
    answer = crowd.threads.submit(slow.run, lambda: crowd.answer("slow"))
    crowd.release()
    assert answer.result(PATIENCE) == "answer to slow"
    assert crowd.done.index("a") < crowd.done.index("slow")
    assert [each.result() for each in quick] == ["answer to a", "answer to b"]


def test_work_begun_comes_before_later_questions(crowd: Crowd) -> None:
    crowd.lane.begin(lambda: crowd.done.append("work"))
    after = crowd.ask("after")
    crowd.release()
    assert after.result() == "answer to after"
    assert crowd.done == ["work", "after"]


def test_a_lane_sleeps_without_a_thread_and_wakes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "IDLE", 0.01)
    lane = WorkQueue("sleepy")

    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "sleepy"]

    for question in range(3):
        assert lane.run(lambda question=question: question) == question
        wait_until(lambda: not threads())


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
