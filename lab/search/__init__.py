"""Search the nuisances for faces that fool a network, and find out what it takes."""

from lab.search.asking import Ask, Progress
from lab.search.failures import Failures, find_failures
from lab.search.tries import CHILDREN, draw_nuisances

__all__ = ["CHILDREN", "Ask", "Failures", "Progress", "draw_nuisances", "find_failures"]
