"""The lock of a folder: one process at a time works in it, a run's or a sweep's."""

from __future__ import annotations

import errno
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from lab.core.errors import LabError

LOCK = ".lock"
"""The file that is locked; it names the process that did so last."""

NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL))
"""Errors of file systems without locks: NFS without its lock daemon, Lustre without `-o flock`,
several FUSE mounts."""


class InUse(LabError, ValueError):
    """Another process works in the folder."""


def check_path(path: Path, flag: str = "") -> Path:
    """`path`, which `flag` names, if it is text, as TensorBoard's writer and a run's files need it;
    `ValueError` otherwise: of a name that is not in UTF-8, or of one that Python does not read as
    UTF-8 (in a locale such as C)."""
    what = f"{flag} " * bool(flag)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with suppress(UnicodeError):
            told = os.fsencode(path).decode()
            raise ValueError(
                f"{what}{told!r} is in UTF-8, and the locale of this program says that names are in"
                f" {sys.getfilesystemencoding()}: set LC_ALL=C.UTF-8 or PYTHONUTF8=1, or choose a"
                " name in ASCII"
            ) from None
        raise ValueError(
            f"{what}{str(path)!r} is not in UTF-8: rename it, or choose another"
        ) from None
    return path


def check_out(folder: Path) -> Path:
    """`folder`, if one may be there or be made; `ValueError` names --out otherwise."""
    for place in (check_path(folder), *folder.parents):
        if place.is_symlink() and not place.exists():
            raise ValueError(
                f"--out {folder}: {place} is a symbolic link to nowhere: make its folder, or choose"
                " another"
            )
        if place.exists() and not place.is_dir():
            what = "that" if place == folder else f"{place}"
            raise ValueError(
                f"--out {folder}: {what} is no folder: name one that there is, or a new one"
            )
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; `InUse` names the one that holds it already.

    The lock ends with the process, however it ends. Where the file system has no locks, a line says
    so, and the folder is not held.
    """
    check_path(folder)
    # No fallback to a file that only marks the folder as taken: it would outlive a killed process.
    lock = FileLock(folder / LOCK, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise InUse(f"{folder} is in use by {_holder(folder)}; wait for it or stop it") from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            error.filename = str(folder / LOCK)
            raise
        _say_unlocked(folder.parent, error.strerror)
    try:
        with suppress(OSError):  # Windows keeps even its holder from writing; a disk may be full
            (folder / LOCK).write_text(f"process {os.getpid()} on {platform.node()}", "utf-8")
        yield
    finally:
        lock.release()


def _holder(folder: Path) -> str:
    """The process that holds the folder, as far as it is known: its number, and its machine if that
    is another one."""
    try:
        said = (folder / LOCK).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        said = ""
    return said.removesuffix(f" on {platform.node()}") or "another process"


@cache
def _say_unlocked(place: Path, reason: str) -> None:
    log = logging.getLogger(__name__)
    log.warning(
        "warning: the file system of %s has no locks (%s): take care that no two programs work at"
        " the same run or sweep",
        place,
        reason,
    )
