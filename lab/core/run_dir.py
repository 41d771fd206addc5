"""A run's folder: its name, its exclusive creation, and its lock."""

from __future__ import annotations

import errno
import logging
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from lab.core.config import RunConfig
from lab.core.text import model_label

CONFIG, CHECKPOINTS = "config.json", "checkpoints"
LONGEST = 100
LOCK = ".lock"

RESERVED = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)))
)
"""Names that no file or folder can have on Windows, with whatever extension."""

NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL))
"""Errors of file systems without locks: NFS without its lock daemon, Lustre without `-o flock`,
several FUSE mounts."""


def check_name(name: str) -> str:
    """`name` if it is fit for a folder's on every system; `ValueError` with the rule otherwise."""
    fit = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) and len(name) <= LONGEST
    if not fit or name.endswith("."):
        raise ValueError(
            f"--name {name[:LONGEST]!a}: use A-Z, a-z, digits and . _ - only, not a dot or a dash"
            f" first, no dot last, and at most {LONGEST} of them"
        )
    if name.partition(".")[0].lower() in RESERVED:
        raise ValueError(f"--name {name}: Windows keeps that name for a device; choose another")
    return name


def automatic_name(config: RunConfig) -> str:
    """A name from the settings that experiments vary, such as person-100-cnn16-s0."""
    data, model = config.data, config.model
    of_a_library = ".py:" not in model.model and ":" in model.model  # its name says its size
    label = model.model.rpartition(":")[2] if of_a_library else model_label(model.model)
    architecture = re.sub(r"[^A-Za-z0-9_]+", "_", label).strip("_")
    faces = "online" if config.train.online else str(data.num_train)
    what = data.task if data.data is None else Path(data.data).name
    parts = [re.sub(r"[^A-Za-z0-9_]+", "_", what).strip("_") or "task", faces]
    parts += [re.sub(r"[^A-Za-z0-9_.]+", "_", cue) for cue in data.cues]
    if data.label_noise:
        parts.append(f"noise{data.label_noise:g}")
    if config.train.objective != "erm":
        parts.append(re.sub(r"[^A-Za-z0-9_]+", "_", model_label(config.train.objective)).strip("_"))
    parts += [architecture if of_a_library else f"{architecture}{model.width}", f"s{config.seed}"]
    return check_name("-".join(parts)[: LONGEST - 10].rstrip("."))


def check_path(path: Path) -> Path:
    """`path` if it is text, as TensorBoard's writer needs it; `ValueError` otherwise."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{str(path)!r} is not in UTF-8: rename it, or choose another") from None
    return path


def make_folder(config: RunConfig) -> Path:
    """Create a new folder for a run, exclusively.

    A name that is taken is refused if the user gave it; an automatic one gets a number.
    """
    if config.name is not None:
        check_name(config.name)
    check_path(config.out)
    config.out.mkdir(parents=True, exist_ok=True)
    if config.name is not None:
        folder = config.out / config.name
        try:
            folder.mkdir()
        except FileExistsError:
            raise ValueError(
                f"--name {config.name}: {folder} exists already; choose another name, or go on with"
                f" it: --resume {folder}"
            ) from None
        return folder
    name = automatic_name(config)
    for number in count(2):
        folder = config.out / name
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            name = f"{automatic_name(config)}-{number}"
    raise AssertionError("unreachable")


def give_up(folder: Path) -> None:
    """Remove the folder of a run that could not write its settings, so that its name is free; what
    else may lie in it stays."""
    with suppress(OSError):
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()


class InUse(ValueError):
    """Another process works in the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; `InUse` names the one that holds it already.

    The lock ends with the process, however it ends. Where the file system has no locks, a warning
    is printed, and the folder is not locked.
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
    """The process that holds the lock, as far as known: its number, and its machine if that is
    another one."""
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
