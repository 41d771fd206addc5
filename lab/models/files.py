"""Models in files outside the lab, named as `path/to/file.py:function`."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from lab.names import one_line, unknown


def from_file(path: Path, function: str, name: str) -> Any:
    """The function in the file at `path`, imported anew; `ValueError` says what is wrong with it.

    `name` is what was asked for, to be repeated in errors.
    """
    if not path.is_file():
        raise ValueError(f"--model {name}: there is no file {path}")
    try:
        module = _import_file(path.resolve())
    except (Exception, SystemExit) as error:
        raise ValueError(f"--model {name}: {path} does not import: {one_line(error)}") from error
    build = getattr(module, function, None)
    if not callable(build):
        callables = [key for key, value in vars(module).items() if _defined_in(module, value)]
        raise ValueError(f"--model {name}: {unknown(f'function in {path}', function, callables)}")
    return build


def absolute(path: str) -> str:
    """`path` as it is found from every folder, without `~` and `..`; links stay as they are."""
    return os.path.abspath(os.path.expanduser(path))


def _import_file(path: Path) -> ModuleType:
    """Import `path` anew as a module of its own; files beside it can be imported by it."""
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(f"{path.stem}_{digest}", path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up by name
    sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


def _defined_in(module: ModuleType, value: object) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__
