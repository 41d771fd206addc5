"""Robustness: the search for changes of nuisances after which a network misclassifies a sample."""

from lab.robustness.failures import Failures, find_failures
from lab.robustness.oracle import Predict, Progress
from lab.robustness.resample_and_evolve import CHILDREN

__all__ = ["CHILDREN", "Failures", "Predict", "Progress", "find_failures"]
