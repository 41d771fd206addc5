"""Measure how fast the lab is, as ratios: python3 scripts/bench.py

Everything but `threads` and `useful` runs on one thread, and what is compared takes turns: a shared
or slow machine changes the rates, hardly the ratios. Goals are reported, never enforced.
"""

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401  first: the lab need not be installed

from lab.core.cli import main

PARTS = {
    "drawing": "Drawing (processor seconds of one thread)",
    "training": "Training (processor seconds of one thread)",
    "small": "Small networks in C (processor seconds of one thread)",
    "threads": "Two threads of a run (seconds on the wall)",
    "run": "A run (seconds on the wall, one thread)",
    "useful": "A useful network: train.py --preset useful (processor seconds of the whole run)",
    "sweep": "A sweep (seconds on the wall, two processes with one thread each)",
    "watch": "lab.watch in another program's loop (processor seconds of one thread)",
    "pool": "A pool of networks on subsets of one training set (processor seconds of one thread)",
    "pictures": "Pictures from disk (seconds on the wall)",
    "growth": "Growth (processor seconds of one thread)",
    "board": "The board for a class (seconds on the wall)",
    "gpu": "A GPU (seconds on the wall)",
}


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Measure how fast the lab draws, trains, measures, grows and serves."""

    quick: bool = False
    """Tens of seconds instead of minutes: fewer turns, shorter runs, up to 10,000 faces."""
    only: (
        Literal[
            "drawing",
            "training",
            "small",
            "threads",
            "run",
            "useful",
            "sweep",
            "watch",
            "pool",
            "pictures",
            "growth",
            "board",
            "gpu",
        ]
        | None
    ) = None
    """Measure only this; None: everything."""
    json: Path | None = None
    """Write the figures to this file too; None: print them only."""


def run(flags: Flags) -> None:
    """Measure, print a table for each part, and write the file if asked to."""
    import torch  # not above: --help need not wait for it
    from benches.table import to_text

    torch.set_num_threads(1)
    entries = {}
    print(f"torch {torch.__version__}, {platform.machine()}, Python {platform.python_version()}")
    for part in [flags.only] if flags.only else PARTS:
        rows = _measurer(part)(quick=flags.quick)
        print(f"\n{to_text(PARTS[part], rows)}", flush=True)
        entries[part] = [row.entry() for row in rows]
    if flags.json:
        flags.json.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _measurer(part: str) -> Callable[..., list]:
    from importlib import import_module

    return import_module(f"benches.{part}").measure


if __name__ == "__main__":
    sys.exit(main(run))
