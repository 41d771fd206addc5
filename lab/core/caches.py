"""The user's cache folder, where things are kept that can be made anew.

Standard library only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CACHE = "memorization-lab"
"""The lab's folder in the user's cache."""


def caches() -> Iterator[Path]:
    """The user's cache folder; then one among the temporary files, for users without a home that
    they can write to, as in many containers."""
    with suppress(RuntimeError):  # there is no home
        cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not cache.is_absolute():  # a relative path is ignored, as its specification says
            cache = Path.home() / ".cache"
        if cache.is_absolute():
            yield cache / CACHE
    temporary = Path(os.environ.get("TMPDIR") or "/tmp")
    if hasattr(os, "getuid") and temporary.is_absolute():
        yield temporary / f"{CACHE}-{os.getuid()}"


def is_private(folder: Path) -> bool:
    """Whether nobody else can put files into the folder."""
    found = folder.stat()
    return not hasattr(os, "getuid") or (
        found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
