"""Lessons: named experiments that claim something, ask for a prediction, and check the claim.

Each is one file in `lab/lessons/book/`, and the folder is the list.
"""

from lab.lessons.claims import Claim, at_least, falls, greater, near, rises, together
from lab.lessons.lesson import Lesson, Plan, find_lesson, list_lessons
from lab.lessons.results import to_markdown
from lab.lessons.teach import Outcome, teach

__all__ = [
    "Claim", "Lesson", "Outcome", "Plan", "at_least", "falls", "find_lesson", "greater",
    "list_lessons", "near", "rises", "teach", "to_markdown", "together",
]  # fmt: skip
