"""Which face is memorized? python3 scripts/pool.py --num-train 500 --networks 60

Trains networks on random subsets of one training set. The same command continues, and with more
--networks adds some.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.pool import pool
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(pool))
