"""A run's folder: its name, its exclusive making, and the lock of the process that works in it.

Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from lab.config import RunConfig
from lab.names import model_label

CONFIG, CHECKPOINTS = "config.json", "checkpoints"
LONGEST = 100
_LOCK = ".lock"


def check_name(name: str) -> str:
    """`name` if it is fit for a folder's; `ValueError` with the rule otherwise."""
    fit = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) and len(name) <= LONGEST
    if not fit:
        raise ValueError(
            f"--name {name[:LONGEST]!a}: use A-Z, a-z, digits and . _ - only, not a dot or a dash"
            f" first, and at most {LONGEST} of them"
        )
    return name


def automatic_name(config: RunConfig) -> str:
    """A name from the settings that experiments vary, such as person-100-cnn16-s0."""
    data, model = config.data, config.model
    of_a_library = ".py:" not in model.model and ":" in model.model  # its name says its size
    label = model.model.rpartition(":")[2] if of_a_library else model_label(model.model)
    architecture = re.sub(r"[^A-Za-z0-9_]+", "_", label).strip("_")
    faces = "fresh" if config.train.fresh else str(data.num_train)
    parts = [re.sub(r"[^A-Za-z0-9_]+", "_", data.task) or "task", faces]
    parts += [re.sub(r"[^A-Za-z0-9_.]+", "_", cue) for cue in data.cues]
    if data.label_noise:
        parts.append(f"noise{data.label_noise:g}")
    parts += [architecture if of_a_library else f"{architecture}{model.width}", f"s{config.seed}"]
    return check_name("-".join(parts)[: LONGEST - 10])


def check_path(path: Path) -> Path:
    """`path` if it is text, as TensorBoard's writer needs it; `ValueError` otherwise."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{str(path)!r} is not in UTF-8: rename it, or choose another") from None
    return path


def make_folder(config: RunConfig) -> Path:
    """Make a new folder for a run; nobody else can have been given the same one.

    A name that is taken is refused if it was asked for, and gets a number if it was automatic.
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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; `ValueError` names the one that holds it already.

    The lock ends with the process, however it ends.
    """
    check_path(folder)
    with (folder / _LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise ValueError(f"{folder} is in use by {holder}; wait for it or stop it") from None
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield
