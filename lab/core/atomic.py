"""Atomic writing: files and folders are complete or absent, even after a crash or a power cut.

They are written beside their place under a hidden name, and renamed. Standard library only.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab.core.machine import WINDOWS

NO_FOLDER_SYNC = frozenset(
    (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES,
     errno.EPERM, errno.EISDIR)
)  # fmt: skip
"""Errors of systems that cannot flush a folder: some FUSE and CIFS mounts, and Windows, where a
folder cannot even be opened. The rename itself has happened then."""

PATIENCE = 2.0
"""Seconds that Windows may take to let go of a file that a scanner or a reader has open."""


def replace_file(path: Path, *pieces: bytes, keep: Path | None = None) -> None:
    """Write a file, the `pieces` one after the other, in place of any at `path`: a reader, or a
    crash, finds either the old content or the new.

    The file that stood there stays as `keep`, if given; a crash between the two renames leaves
    `keep` alone. Raises `OSError` naming `path`; what stood there is then at `path` or `keep`.
    """
    try:
        with draft(path) as new:
            with new.open("wb") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            if keep is not None and path.exists():
                replace(path, keep)
            replace(new, path)
        _sync_folder(path.parent)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def replace_text(path: Path, text: str) -> None:
    """Write a file in UTF-8 as `replace_file` does; lines end in a line feed on every system."""
    replace_file(path, text.encode())


def check_files(files: Mapping[str, Path | None]) -> None:
    """Raise `ValueError` if one of the files, by the flags that name them, cannot be written by
    `replace_file`, or if two are the same one. None: not to be written."""
    flags: dict[str, str] = {}
    for flag, path in files.items():
        if path is None:
            continue
        # a device, such as /dev/null, would be replaced by a file, for everybody
        taken = path.exists() and not path.is_file()
        if taken or path.is_symlink() or not path.parent.is_dir():
            raise ValueError(f"{flag} {path}: it must be a file in a folder that exists")
        other = flags.setdefault(os.path.realpath(path), flag)
        if other != flag:
            raise ValueError(f"{other} and {flag} both name {path}: choose two files")


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` for a file or folder to be written there and then renamed.

    What is left there in the end is removed, and so is what was left by processes of this machine
    that were killed.
    """
    ours = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.tmp")
    for entry in path.parent.iterdir() if path.parent.is_dir() else ():
        number = ours.fullmatch(entry.name)
        if number and not _lives(int(number[1])):
            _remove(entry)
    new = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove(new)
    try:
        yield new
    finally:
        _remove(new)


def replace(source: Path, target: Path) -> None:
    """Rename `source` to `target`, in place of any file there, in one step (`os.replace`).

    Windows refuses that while anybody has `target` open; there it is tried for `PATIENCE` seconds.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if not WINDOWS or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    """Whether there is such a process on this machine, as far as can be told."""
    if WINDOWS:
        return True  # os.kill would end it, whatever the signal
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the file system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
