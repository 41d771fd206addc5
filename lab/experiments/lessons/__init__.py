"""Lessons: experiments on a published statement, with a question to the user and tested claims.

Each is one file in `lab/experiments/lessons/book/`, and the folder is the list.
"""

from lab.experiments.lessons.claims import Claim, at_least, falls, greater, near, rises, together
from lab.experiments.lessons.lesson import Lesson, find_lesson, list_lessons
from lab.experiments.lessons.results import to_markdown
from lab.experiments.lessons.teach import LessonResult, teach

__all__ = [
    "Claim", "Lesson", "LessonResult", "at_least", "falls", "find_lesson", "greater",
    "list_lessons", "near", "rises", "teach", "to_markdown", "together",
]  # fmt: skip
