"""The lesson type, and the list of all lessons."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from lab.core.text import unknown
from lab.experiments.lessons.claims import Claim
from lab.experiments.lessons.guess import Guess
from lab.experiments.lessons.tries import Try
from lab.experiments.plan import Plans, PoolPlan, Tables

BOOK = "lab.experiments.lessons.book"

Chapter = Literal["Three networks", "Memorizing", "Which faces", "Shortcuts", "What helps"]
"""The parts of the book, in the order of its index."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """An experiment on a published claim, with a check of that claim."""

    title: str
    """The subject, in a few words."""
    published: str
    """The published claim, with its source."""
    question: str
    """The question that the user answers before the results are shown."""
    chapter: Chapter
    place: int
    """The place within the chapter, from 1."""
    guess: Guess
    """Answers to choose from, and which of them the runs show."""
    meaning: str
    """What it means if the claims are confirmed, in two or three sentences for everybody."""
    tries: tuple[Try, ...]
    """Things to try afterwards."""
    papers: tuple[tuple[str, str], ...]
    """The sources: a short reference and an address each; (): there is none."""
    plans: Plans
    """Grids of runs, by name; all share the lesson's folder. Those of pools share theirs with other
    lessons."""
    seconds: float
    """Processor seconds of all runs with three seeds, as last measured."""
    check: Callable[[Tables], list[Claim]]
    """From the tables of results to the tested claims."""
    plot: Callable[[Tables, Path], None]
    """Draws the figure to a PNG file."""

    @property
    def networks(self) -> int:
        """How many networks a pool of the lesson has at most; 0 for a lesson without pools."""
        pools = [plan for plan in self.plans.values() if isinstance(plan, PoolPlan)]
        return max((plan.networks for plan in pools), default=0)

    @property
    def duration(self) -> str:
        """The approximate duration on two cores, in words."""
        minutes = self.seconds / 2 / 60
        return f"{round(minutes)} min" if minutes >= 1.5 else f"{round(self.seconds / 2, -1):.0f} s"


def list_lessons() -> dict[str, Lesson]:
    """All lessons by name, in alphabetical order: every module of the book holds one."""
    book = importlib.import_module(BOOK)
    names = sorted(module.name for module in pkgutil.iter_modules(book.__path__))
    return {name: importlib.import_module(f"{BOOK}.{name}").LESSON for name in names}


def in_book_order() -> dict[Chapter, dict[str, Lesson]]:
    """All lessons by chapter and name, in the order of the book."""
    lessons = sorted(list_lessons().items(), key=lambda item: item[1].place)
    return {
        chapter: {name: lesson for name, lesson in lessons if lesson.chapter == chapter}
        for chapter in get_args(Chapter)
    }


def find_lesson(name: str) -> Lesson:
    """The lesson called `name`; `ValueError` with the nearest match if there is none."""
    lessons = list_lessons()
    if name not in lessons:
        raise ValueError(unknown("lesson", name, lessons))
    return lessons[name]
