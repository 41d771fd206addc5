"""Command lines for messages: of the installed program, or of a script in a checkout.

Standard library only.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from lab.core.machine import WINDOWS
from lab.core.text import escape

CONSOLE = "memorization-lab"
"""The console command that installing the project provides."""

SCRIPTS = Path(__file__).parents[2] / "scripts"
"""The folder of scripts, if the lab is used from a checkout."""


def installed() -> bool:
    """Whether this process was started by the console command, or has no scripts beside it."""
    return Path(sys.argv[0]).stem.startswith(CONSOLE) or not SCRIPTS.is_dir()


def spelled(command: str, *, processes: int = 1) -> str:
    """The beginning of a command line, without its flags: 'python3 scripts/train.py', or
    'memorization-lab train'; for several `processes` by torchrun.

    >>> spelled("report_card")
    'python3 scripts/report_card.py'
    """
    script = f"scripts/{command}.py"
    subcommand = command.replace("_", "-")
    if processes > 1:
        what = f"-m lab.commands {subcommand}" if installed() else script
        return f"torchrun --nproc-per-node {processes} {what}"
    return f"{CONSOLE} {subcommand}" if installed() else f"python3 {script}"


def from_here(command: str) -> str:
    """The same for a command that is typed in the folder that this process is in, wherever that is:
    outside of the checkout a script is named by its whole path."""
    if installed() or _here() == SCRIPTS.parent:
        return spelled(command)
    return f"python3 {quoted(SCRIPTS / f'{command}.py')}"


def _here() -> Path | None:
    """The folder that this process is in; None: it is gone."""
    try:
        return Path.cwd()
    except OSError:
        return None


def quoted(path: Path) -> str:
    """A path as a word of a shell's command line, which no flag is taken for: of a POSIX shell, on
    Windows of its two.

    >>> quoted(Path("-my runs"))
    "'./-my runs'"
    """
    text = str(path)
    return _word(f"./{text}" if text.startswith("-") else text)


def typed(command: str) -> str:
    """This process's own command line, for one that was started as the given command."""
    words = sys.argv[1:]
    if words and words[0].replace("-", "_") == command:  # the subcommand's name
        words = words[1:]
    return " ".join([spelled(command), *map(_word, words)])


def _word(text: str) -> str:
    """A text as a word of a shell's command line, on one line."""
    if WINDOWS:  # neither of its shells knows single quotes as POSIX shells do
        return subprocess.list2cmdline([text])
    if text.isprintable():
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{escape(escaped)}'"
