"""Models in files outside the lab, named as `path/to/file.py:function`."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from lab.core.locks import check_path
from lab.core.paths import expanded
from lab.core.text import missing, one_line, unknown
from lab.models.isolation import without_arguments
from lab.models.sources import Lookup, Sources, is_installed
from lab.models.space import Space

ONCE = (
    "a network's file is imported anew for each network that is made, several times in a process;"
    " put what can be done only once (a registration, a setting of the process) under if __name__"
    ' == "__main__", or ask first whether it is done'
)
"""What to do about code that works the first time and not the second."""

_imported: dict[Path, Sources] = {}
"""The files that were imported in this process, and the sources that this executed."""


def from_file(
    path: Path, function: str, name: str, *, flag: str = "--model", beside: Space | None = None
) -> tuple[Any, Space | None]:
    """The function or class in the file at `path`, imported in a space of its own (None: the file
    is an installed package's), anew but for what a space `beside` it has imported already;
    `ValueError` says what is wrong with it.

    `name` is what was asked for by `flag`, to be repeated in errors.
    """
    if not path.is_file():
        raise ValueError(f"{flag} {name}: {path}: {missing(path)}")
    space: Space | None = None
    check_path(path, flag)
    try:
        if path.suffix != ".py":
            raise ImportError("not a Python file")
        where = path.resolve()
        if is_installed(where):
            module = importlib.import_module(Lookup(where).module)
        else:
            space = Space(where, beside=beside)
            with without_arguments(path):
                module = space.execute()
            _imported[where] = {**_imported.get(where, {}), **space.loaded}
    except (Exception, SystemExit) as error:
        if space is not None:
            space.close()
        reason = one_line(error).replace(f"{space.name}." if space else "\0", "")
        hint = ""
        if isinstance(error, ImportError) and "beyond top-level package" in reason:
            hint = ": put an __init__.py into each folder of the package that it belongs to"
        elif isinstance(error, SystemExit):
            hint = (
                "; it ends the program when it is imported: put what it does as a program of its"
                ' own under if __name__ == "__main__"'
            )
        elif space is not None and space.loaded.items() <= _imported.get(where, {}).items():
            hint = f"; it was imported before: {ONCE}"
        raise ValueError(f"{flag} {name}: {path} does not import: {reason}{hint}") from error
    build = getattr(module, function, None)
    if isinstance(build, nn.Module):
        what = (
            "is a network already, and each run makes one of its own: name a class, or a function"
            " such as def make(spec): return …"
        )
        if flag == "--objective":
            what = (
                f"is a {type(build).__name__}, not a function: name one such as def loss(logits,"
                f" batch): return {function}(logits, batch.labels)"
            )
        raise ValueError(f"{flag} {name}: {function} {what}")
    if not callable(build):
        callables = [key for key, value in vars(module).items() if _defined_in(module, value)]
        raise ValueError(f"{flag} {name}: {unknown(f'function in {path}', function, callables)}")
    return build, space


def refuse_other_arguments(function: Any, wanted: Sequence[str], *, asked: str) -> None:
    """Raise `ValueError` if a function cannot be called with as many arguments as are `wanted`, one
    or two, which are named in the error; `asked` is the flag and the name that asked for it."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # some of Python's own have none
        return
    try:
        signature.bind(*wanted)
    except TypeError:
        count = {1: "one argument", 2: "two arguments"}[len(wanted)]
        raise ValueError(
            f"{asked} must be a function of {count}, {' and '.join(wanted)}, not {signature}"
        ) from None


def absolute(path: str) -> str:
    """`path` as it is found from every folder, without `~` and `..`; links stay as they are."""
    return os.path.abspath(expanded(path))


def _defined_in(module: ModuleType, value: object) -> bool:
    makes = callable(value) and not isinstance(value, nn.Module)
    return makes and getattr(value, "__module__", None) == module.__name__
