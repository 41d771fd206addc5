"""What a run asks its network at every evaluation, and what it shows of the answers."""

from lab.evaluators.suite import EvaluatorSuite

__all__ = ["EvaluatorSuite"]
