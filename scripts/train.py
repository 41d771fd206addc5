"""Train a network on a small set of faces and print a verdict: python3 scripts/train.py"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.train import train
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(train))
