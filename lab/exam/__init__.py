"""What a run asks its network at every evaluation, and what it shows of the answers."""

from lab.exam.exams import Exams

__all__ = ["Exams"]
