"""Run a lesson: python3 scripts/lesson.py NAME. Without a name it lists all lessons."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.lesson import lesson
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(lesson))
