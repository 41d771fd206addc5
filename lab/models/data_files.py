"""The files that a user's code reads as data (class weights, pretrained weights, costs): noted
while it is executed, with digests of their contents.

Source files have digests of their own, see `sources.py`. What is not seen says `lab.core.opened`.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab.core.opened import OpenedFiles, opened_files
from lab.core.paths import expanded
from lab.models.sources import is_installed

DataFiles = Mapping[str, str]
"""A file's absolute path -> the digest of its content, as `digest_of_file` gives it."""

MOST = 1000
"""Files that are noted of a run, the first ones that its code opens."""

WHOLE = 200 * 2**20
"""Bytes of the largest files of which all is digested."""

PIECES, PIECE = 64, 2**20
"""Of larger ones so many pieces are, of so many bytes each."""

SETTLED = 2e9
"""Nanoseconds after which a file's time of change tells that nothing was written since: clocks of
file systems are coarse."""

_SYSTEM = (
    "/proc", "/sys", "/dev", "/etc", "/lib", "/usr/lib", "/usr/lib64", "/usr/share",
    "/usr/local/lib", "/usr/local/share", "/private/etc", "/System", "/Library",
)  # fmt: skip
_OF_PROGRAMS = (".cache", ".config", ".local", ".triton")
"""Folders in the home folder that hold settings and caches of programs."""

_digests: dict[tuple[str, int, int, int, int, int], str] = {}
"""Digests of files of which nothing has been written for a while, by path, device, number, size and
times of change."""


class Noted:
    """What a block has noted: `files` are known once it has ended."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}


@contextmanager
def noting_data_files() -> Iterator[Noted]:
    """Note the data files that code inside reads, in this thread, with their digests at the end of
    the block.

    Left out are source files that were executed or are imported by them, files that were written
    inside, those of Python, of installed packages, of the lab and of the system, settings and
    caches of programs (`~/.cache`, `~/.config`, `__pycache__`, `.git`, those of torch.compile), and
    what is no regular file or gone.
    """
    noted = Noted()
    began = time.time_ns()
    with opened_files() as opened:
        yield noted
    noted.files = _data_among(opened, began, time.time_ns())


def _data_among(opened: OpenedFiles, began: int, ended: int) -> dict[str, str]:
    """The data files among those that a block has opened, which took from one time in nanoseconds
    to another."""
    found: dict[str, str] = {}
    sources = {os.path.realpath(path) for path in opened.passed}
    written = {os.path.realpath(path) for path in opened.written}
    for path in opened.read:
        real = os.path.realpath(path)
        if real in sources or real in written or _is_no_data(Path(real)):
            continue
        if began <= _changed_at(real) <= ended:  # written by another name, or in place
            continue
        digest = digest_of_file(path)
        if digest is not None:
            found[path] = digest
        if len(found) == MOST:
            break
    return dict(sorted(found.items()))


def _changed_at(path: str) -> int:
    """When a file, or its name, was changed last, in nanoseconds; 0: it is not there."""
    try:
        about = os.stat(path)
    except OSError:
        return 0
    return max(about.st_mtime_ns, about.st_ctime_ns)


def _is_no_data(path: Path) -> bool:
    """Whether a file, by its path without links, belongs to the system or to a program."""
    if {"__pycache__", ".git"} & set(path.parts) or is_installed(path):
        return True
    if any(part.startswith("torchinductor_") for part in path.parts):
        return True
    return any(path.is_relative_to(place) for place in _places_of_programs())


def _places_of_programs() -> tuple[Path, ...]:
    home = Path(os.path.realpath(expanded("~")))
    return (*map(Path, _SYSTEM), *(home / name for name in _OF_PROGRAMS))


def digest_of_file(path: str) -> str | None:
    """The SHA-256 of a regular file's content; None if there is no such file, or it cannot be read.

    Of a file above 200 MB, which may be a network's weights, of its size and of 64 MB of it in
    pieces that are spread evenly, the first and the last ones included: a change that leaves all of
    these as they are is not noticed.
    """
    try:
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode):  # opening a named pipe waits
            return None
        key = (
            path, about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
        )  # fmt: skip
        if key in _digests:
            return _digests[key]
        began = time.time_ns()
        with opened_files(), open(path, "rb") as file:  # not noted where code is executed
            digest = hashlib.sha256()
            if about.st_size <= WHOLE:
                while piece := file.read(PIECE):
                    digest.update(piece)
            else:
                digest.update(str(about.st_size).encode())
                for number in range(PIECES):
                    file.seek((about.st_size - PIECE) * number // (PIECES - 1))
                    digest.update(file.read(PIECE))
    except (OSError, ValueError):  # ValueError: a path that there cannot be
        return None
    found = digest.hexdigest()
    if began - max(about.st_mtime_ns, about.st_ctime_ns) > SETTLED:
        _digests[key] = found
    return found


def changed_files(recorded: DataFiles, read: DataFiles | None = None) -> list[str]:
    """Those of the `recorded` files, by path, that have another content now; and of those that the
    code `read` now (None: not known) ones that it reads in place of a recorded file of the same
    name, with another content. One that is gone is not among them: code that needs it says so
    itself."""
    now = data_files_now(recorded)
    changed = [path for path, digest in recorded.items() if now[path] != digest]
    for path, digest in recorded.items():
        if read is None or path in read or path in changed:
            continue
        name = os.path.basename(path)
        others = [p for p in read if p not in recorded and os.path.basename(p) == name]
        if others and all(read[other] != digest for other in others):
            changed += others
    return list(dict.fromkeys(changed))


def data_files_now(recorded: DataFiles) -> dict[str, str]:
    """The `recorded` files with the digests of their contents now; of one that is gone as
    recorded."""
    return {path: digest_of_file(path) or digest for path, digest in recorded.items()}
