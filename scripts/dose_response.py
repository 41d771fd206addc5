"""The same run at several strengths of a cue, several seeds each.

python3 scripts/dose_response.py --cue eye_color --strengths 0.5 0.95 1 --sizes 300 --seeds 3
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.dose_response import dose_response
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(dose_response))
