"""Check that nothing undeclared predicts the label: python3 scripts/audit.py

The exit code is 1 if something does. --no-probes leaves out the probes, the slow part.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.audit import audit
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(audit))
