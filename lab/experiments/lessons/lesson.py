"""The lesson type, and the list of all lessons."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.core.text import unknown
from lab.experiments.lessons.claims import Claim
from lab.experiments.plan import Plans, Tables

BOOK = "lab.experiments.lessons.book"


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """An experiment on a published claim, with a check of that claim."""

    title: str
    """The subject, in a few words."""
    published: str
    """The published claim, with its source."""
    question: str
    """The question that the user answers before the results are shown."""
    plans: Plans
    """Grids of runs, by name; all share the lesson's folder."""
    seconds: float
    """Processor seconds of all runs with three seeds, as last measured."""
    check: Callable[[Tables], list[Claim]]
    """From the tables of results to the tested claims."""
    plot: Callable[[Tables, Path], None]
    """Draws the figure to a PNG file."""

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


def find_lesson(name: str) -> Lesson:
    """The lesson called `name`; `ValueError` with the nearest match if there is none."""
    lessons = list_lessons()
    if name not in lessons:
        raise ValueError(unknown("lesson", name, lessons))
    return lessons[name]
