"""The files that Python code opens, noted while it is executed by an audit hook of the interpreter.

Seen is what goes through Python's own `open` and `os.open`, also that of libraries (NumPy, PIL,
`torch.load`), in the thread of the block that asks. Not seen are files that C code opens itself
(HDF5, safetensors), and environment variables.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

_WRITING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
"""The flags of `os.open` of which a file that is there to be read has none: with `os.O_RDWR` alone
NumPy maps a file unless it is told otherwise."""


class OpenedFiles:
    """Absolute paths of files that were opened, links as they are."""

    def __init__(self) -> None:
        self.read: dict[str, None] = {}
        """To be read, in the order in which they were first opened."""
        self.written: set[str] = set()
        """To be made or written, whether or not they were read, too."""
        self.passed: set[str] = set()
        """Those that `pass_over` was told of."""

    def note(self, file: Any, flags: int | None) -> None:
        """Take note of a file that is about to be opened with these flags of `os.open`."""
        if isinstance(file, int):
            return
        path = os.path.abspath(os.fsdecode(file))
        if not flags or not flags & _WRITING:
            self.read.setdefault(path)
        else:
            self.written.add(path)


_noting: ContextVar[OpenedFiles | None] = ContextVar("noting", default=None)
_installed = False
_lock = threading.Lock()


@contextmanager
def opened_files() -> Iterator[OpenedFiles]:
    """Note the files that are opened inside, by this thread; a block within a block has its own
    notes alone."""
    _install()
    noted = OpenedFiles()
    token = _noting.set(noted)
    try:
        yield noted
    finally:
        _noting.reset(token)


def pass_over(path: str | os.PathLike[str]) -> None:
    """Tell the block that this is in, if any, that a file is no data, but a source."""
    noting = _noting.get()
    if noting is not None:
        noting.passed.add(os.path.abspath(path))


def _install() -> None:
    """Add the hook, which stays as long as the process, when it is first needed."""
    global _installed
    with _lock:
        if not _installed:
            sys.addaudithook(_hook)
            _installed = True


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open":
        return
    noting = _noting.get()
    if noting is not None:
        with suppress(Exception):  # it would be raised where the file is opened
            noting.note(arguments[0], arguments[2])
