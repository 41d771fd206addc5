"""A pool of networks trained on random subsets of one training set, and what it says of each
training example."""

from lab.pool.membership import membership
from lab.pool.run import run_pool
from lab.pool.store import Pool

__all__ = ["Pool", "membership", "run_pool"]
