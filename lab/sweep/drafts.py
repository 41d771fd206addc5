"""Folders that come whole or not at all: they are filled beside their place, under another name."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.folder import CONFIG
from lab.tracking.writer import METRICS

EVENTS = "events.out.tfevents."
"""What TensorBoard's files are called, with a time and a process behind it."""


@contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, to fill and to rename. What is left of it in the end is
    removed, and so is what was left by processes that were killed."""
    for path in folder.parent.glob(f".{folder.name}.*.tmp"):
        number = re.fullmatch(r"\.(\d+)\.tmp", path.name.removeprefix(f".{folder.name}"))
        if number and not _lives(int(number[1])):
            shutil.rmtree(path, ignore_errors=True)
    path = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `folder` if all goes well.

    Only a `Tracker`'s files and files of the same names are lost with the old one; whatever else is
    in it stays. Raises `ValueError` if the old one is a run's.
    """
    refuse_run(folder)
    with draft(folder) as path:
        yield path
        if folder.is_dir():
            for entry in folder.iterdir():
                if not is_record(entry) and not (path / entry.name).exists():
                    os.replace(entry, path / entry.name)
            shutil.rmtree(folder)
        os.replace(path, folder)


def is_record(path: Path) -> bool:
    """Whether it is a file that a `Tracker` writes."""
    return path.is_file() and (path.name.startswith(EVENTS) or path.name == METRICS)


def refuse_run(folder: Path) -> None:
    """Raise `ValueError` if `folder` is a run's, which nothing may take the place of."""
    if (folder / CONFIG).exists():
        raise ValueError(
            f"{folder} is a run's folder, and needed for results: choose another --out"
        )


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
