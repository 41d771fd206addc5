"""Lessons: experiments on a published statement, with a question to the user and tested claims.

Each is one file in `lab/experiments/lessons/book/`, and the folder is the list.
"""

from lab.experiments.lessons.claims import Claim, at_least, falls, greater, near, rises, together
from lab.experiments.lessons.guess import Guess, bin_of, if_confirmed
from lab.experiments.lessons.lesson import Lesson, find_lesson, in_book_order, list_lessons
from lab.experiments.lessons.page import write_book
from lab.experiments.lessons.results import to_markdown
from lab.experiments.lessons.teach import LessonResult, teach
from lab.experiments.lessons.tries import Pinned, Try

__all__ = [
    "Claim", "Guess", "Lesson", "LessonResult", "Pinned", "Try", "at_least", "bin_of", "falls",
    "find_lesson", "greater", "if_confirmed", "in_book_order", "list_lessons", "near", "rises",
    "teach", "to_markdown", "together", "write_book",
]  # fmt: skip
