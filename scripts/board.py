"""Open TensorBoard over the runs, with links to the views that matter: python3 scripts/board.py"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # which python3 -P leaves out

import _bootstrap  # noqa: F401  (installs the lab where it is missing)

from lab.cli import main
from lab.playground.plugin import FacesPlugin
from lab.tracking.board import serve


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Open TensorBoard over the runs, for this machine alone, with links to what matters."""

    logdir: Path = Path("runs")
    """Folder that holds the runs."""
    port: int | None = None
    """Port to serve on, 1 to 65,535; None: 6006 or the next free one."""
    model_file: tuple[Path, ...] = ()
    """Files of networks that are not where they were when they were trained: a file stands in for a
    missing one if it has the same content."""
    links_only: bool = False
    """Print the links of a board that is already running, and end."""


def board(flags: Flags) -> None:
    """Serve until Ctrl-C."""
    FacesPlugin.model_files = flags.model_file
    serve(flags.logdir, port=flags.port, links_only=flags.links_only, tabs=[FacesPlugin])


if __name__ == "__main__":
    sys.exit(main(board))
