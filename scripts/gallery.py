"""Write sheets of persons, of each subpopulation and of single attributes.

python3 scripts/gallery.py --out gallery
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401

from lab.commands.gallery import gallery
from lab.core.cli import main

if __name__ == "__main__":
    sys.exit(main(gallery))
