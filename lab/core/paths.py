"""Paths as people write them: a leading `~` is a user's folder, wherever a path is given."""

from __future__ import annotations

import os
from pathlib import Path

HOME = "~"
"""What paths in a user's folder begin with."""


def expanded(path: str) -> str:
    """`path` with the user's folder in place of a leading `~`, that of NAME in place of `~NAME`; as
    it is where there is no such folder."""
    return os.path.expanduser(path)


def at_home(path: str | os.PathLike[str], flag: str = "") -> Path:
    """`path`, which `flag` names, with a user's folder in place of a leading `~` or `~NAME`;
    `ValueError` in one line if there is no such user. What is really called so is `./~NAME`, which
    becomes the whole path: once more it is no other one."""
    text = os.fspath(path)
    if not text.startswith(HOME):
        place = Path(text)
        return Path.cwd() / place if str(place).startswith(HOME) else place
    found = expanded(text)
    if not found.startswith(HOME):
        return Path(found)
    what = f"{flag} {text}".strip()
    name = text.replace(os.sep, "/").partition("/")[0].removeprefix(HOME)
    if not name:
        raise ValueError(f"{what}: this user has no home folder (is HOME set?): write the path out")
    raise ValueError(
        f"{what}: there is no user {name!r} here; if that is a name in this folder, write ./{text}"
        " (from Python the whole path)"
    )


def is_there(path: str) -> bool:
    """Whether there is a file or folder at `path`, of which a leading `~` is a user's folder."""
    return os.path.exists(expanded(path))
