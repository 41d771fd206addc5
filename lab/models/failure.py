"""Errors raised by a network's own code, as one line with file and line number."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import torch

from lab.core.errors import LabError
from lab.core.text import memory_ran_out, one_line

_OTHERS = (
    str(Path(torch.__file__).parent),
    str(Path(__file__).parent.parent),  # the lab
    sysconfig.get_paths()["stdlib"],
)
"""Folders of code that is not the network's; packages may lie in the last one all the same."""
_PACKAGES = (sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"])


class NetworkError(LabError, ValueError):
    """A network's code raised an exception: one line with the file and the line of that code.

    `step` is the number of whole steps that it was trained for until then.
    """

    step = 0


@contextmanager
def blamed(what: str, step: int = 0) -> Iterator[None]:
    """Raise exceptions of the block as `NetworkError`, beginning with `what`, after `step` steps.

    Lack of memory and Ctrl-C are passed on unchanged.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        blame(error, what, step)


def blame(error: BaseException, what: str, step: int = 0) -> NoReturn:
    """Raise the caught `error` as `blamed` does."""
    if memory_ran_out(error):
        raise error
    if isinstance(error, NetworkError):
        error.step = step
        raise error
    place = f" ({where})" if (where := place_of(error)) else ""
    failure = NetworkError(f"{what} fails: {one_line(error)}{place}")
    failure.step = step
    raise failure from error


def place_of(error: BaseException) -> str:
    """The innermost line of the network's own code in a traceback, as `file.py:12`; empty if there
    is none, because torch's or the lab's own code raised it."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        packaged = frame.filename.startswith(_PACKAGES)
        others = frame.filename.startswith(_OTHERS[:2] if packaged else _OTHERS)
        if not others and not frame.filename.startswith("<"):
            return f"{frame.filename}:{frame.lineno}"
    return ""
