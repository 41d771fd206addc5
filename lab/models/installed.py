"""Models of installed packages: an entry point of the group `lab.models` is a name and its builder.

A package declares in its pyproject.toml:

    [project.entry-points."lab.models"]
    their_net = "their_package.nets:their_net"

Creating a network imports only the package that offers its name.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lab.core.text import one_line

GROUP = "lab.models"
log = logging.getLogger(__name__)


def offers() -> dict[str, list[EntryPoint]]:
    """What the installed packages offer: for each name the entry points that claim it."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in _entries(tuple((folder, _changed(folder)) for folder in sys.path)):
        found.setdefault(entry.name, []).append(entry)
    return found


@lru_cache(maxsize=1)
def _entries(path: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    """The entry points in the folders of `sys.path` as they are now. Finding them is reading a
    hundred files, and a run asks several times."""
    return tuple(entry_points(group=GROUP))


def _changed(folder: str) -> int:
    """When a folder of `sys.path` was last changed, in nanoseconds; 0 if there is none."""
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


def load(name: str, entries: list[EntryPoint]) -> Any:
    """The function behind `name`; `ValueError` names the package that is to blame if it fails."""
    if len(entries) > 1:
        packages = " and ".join(sorted(package(entry) for entry in entries))
        raise ValueError(f"the model name {name!r} is claimed by the packages {packages}")
    (entry,) = entries
    try:
        build = entry.load()
    except (Exception, SystemExit) as error:
        raise ValueError(f"{_blame(entry)} does not import: {one_line(error)}") from error
    if not callable(build):
        raise ValueError(f"{_blame(entry)} is no function")
    return build


def package(entry: EntryPoint) -> str:
    """Name and version of the package that `entry` belongs to."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "of unknown name"


@cache
def warn(line: str) -> None:
    """Write `line` to standard error, once."""
    log.warning("warning: %s", line)


def _blame(entry: EntryPoint) -> str:
    return f"the model {entry.name!r} ({entry.value}) of the package {package(entry)}"
