"""All measures of a network, compared with built-in ones: python3 scripts/report_card.py
--model my_net.py:my_net"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.report_card import report_card
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(report_card))
