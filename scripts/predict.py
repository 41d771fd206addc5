"""Predict picture files with a network: python3 scripts/predict.py runs/NAME face.png folder …"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.predict import predict
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(predict))
