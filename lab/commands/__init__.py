"""The commands: one module each, with the dataclass `Flags` and a function of the module's name.

`memorization-lab NAME` and `python3 scripts/NAME.py` call that function with its flags. A new
command is a module here and a script of a few lines.
"""

from __future__ import annotations

import ast
import pkgutil
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

STARTED_AT = time.perf_counter()
"""When the program was started, or nearly: what is imported later counts as its start."""

from lab.core import cli  # noqa: E402
from lab.core.program import CONSOLE  # noqa: E402
from lab.core.text import unknown  # noqa: E402


def list_commands() -> dict[str, str]:
    """One line on each command, by its name as it is typed."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            text = (Path(__path__[0]) / f"{module.name}.py").read_text(encoding="utf-8")
            about = ast.get_docstring(ast.parse(text)) or ""  # not by its import: that takes time
            found[module.name.replace("_", "-")] = about.partition("\n")[0]
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """The console command: run the subcommand that `argv` (None: the program's own) begins with;
    list all of them if it begins with --help or is empty. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return cli.guarded(lambda: _dispatch(words))


def _dispatch(words: Sequence[str]) -> int:
    commands = list_commands()
    if not words or words[0] in ("-h", "--help", "help"):
        print(f"usage: {CONSOLE} COMMAND [flags]    ({CONSOLE} COMMAND --help lists the flags)\n")
        width = max(map(len, commands))
        for name, about in commands.items():
            print(f"  {name:<{width}}  {about}")
        return 0
    name = words[0].lower().replace("_", "-")
    if name not in commands:
        raise ValueError(unknown("command", words[0], commands))
    word = name.replace("-", "_")
    run = getattr(import_module(f"lab.commands.{word}"), word)
    return cli.main(run, words[1:], program=f"{CONSOLE} {name}")
