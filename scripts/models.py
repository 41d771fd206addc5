"""List all networks, with how fast they train, and all tasks: python3 scripts/models.py"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.models import models
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(models))
