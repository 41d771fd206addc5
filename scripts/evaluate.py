"""Measure a finished run on any population, without training: python3 scripts/evaluate.py runs/NAME

--cues none, --variation 0.5 and the like ask about other faces than those that it was trained on;
--find-failures looks for faces that fool it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.evaluate import evaluate
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(evaluate))
