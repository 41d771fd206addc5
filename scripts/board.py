"""Open TensorBoard over the runs, with links to the views that matter: python3 scripts/board.py"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.board import board
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(board))
