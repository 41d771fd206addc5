"""Write a run's faces with all their attributes: python3 scripts/export.py --out faces"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.export import export
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(export))
