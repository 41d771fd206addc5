"""Search the nuisances for pictures that fool a network, and find out what it takes."""

from lab.robustness.failures import Failures, find_failures
from lab.robustness.oracle import Ask, Progress
from lab.robustness.resample_and_evolve import CHILDREN

__all__ = ["CHILDREN", "Ask", "Failures", "Progress", "find_failures"]
