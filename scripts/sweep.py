"""Runs of every combination of some settings, several seeds each, and their results.

python3 scripts/sweep.py --grid num_train=32,100,300 model=cnn,mlp --seeds 3
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.sweep import sweep
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(sweep))
