"""Models in files outside the lab, named as `path/to/file.py:function`."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from lab.core.text import one_line, unknown
from lab.models.sources import Lookup, is_installed
from lab.models.space import Space


def from_file(
    path: Path, function: str, name: str, *, flag: str = "--model"
) -> tuple[Any, Space | None]:
    """The function or class in the file at `path`, imported anew in a space of its own (None: the
    file is an installed package's); `ValueError` says what is wrong with it.

    `name` is what was asked for by `flag`, to be repeated in errors.
    """
    if not path.is_file():
        raise ValueError(f"{flag} {name}: there is no file {path}")
    space: Space | None = None
    try:
        if path.suffix != ".py":
            raise ImportError("not a Python file")
        where = path.resolve()
        if is_installed(where):
            module = importlib.import_module(Lookup(where).module)
        else:
            space = Space(where)
            module = space.execute()
    except (Exception, SystemExit) as error:
        if space is not None:
            space.close()
        reason = one_line(error).replace(f"{space.name}." if space else "\0", "")
        hint = ""
        if isinstance(error, ImportError) and "beyond top-level package" in reason:
            hint = ": put an __init__.py into each folder of the package that it belongs to"
        raise ValueError(f"{flag} {name}: {path} does not import: {reason}{hint}") from error
    build = getattr(module, function, None)
    if not callable(build):
        callables = [key for key, value in vars(module).items() if _defined_in(module, value)]
        raise ValueError(f"{flag} {name}: {unknown(f'function in {path}', function, callables)}")
    return build, space


def absolute(path: str) -> str:
    """`path` as it is found from every folder, without `~` and `..`; links stay as they are."""
    return os.path.abspath(os.path.expanduser(path))


def _defined_in(module: ModuleType, value: object) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__
