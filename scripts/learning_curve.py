"""The same run at several training-set sizes, several seeds each.

python3 scripts/learning_curve.py --sizes 32 100 300 1000 --seeds 3
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.learning_curve import learning_curve
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(learning_curve))
