"""Models in files outside the lab, named as `path/to/file.py:function`."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from lab.names import one_line, unknown

_agreed: ContextVar[Collection[str] | None] = ContextVar("agreed", default=None)


@contextmanager
def only_agreed(digests: Collection[str]) -> Iterator[None]:
    """Within this, and in this thread, files are imported only if the digest of their content is
    one of `digests`: others raise `ValueError`."""
    token = _agreed.set(digests)
    try:
        yield
    finally:
        _agreed.reset(token)


def digest_of(content: bytes) -> str:
    """What stands for a file's content."""
    return hashlib.sha256(content).hexdigest()


class _Source(SourceFileLoader):
    """Executes a file as it is now, never what an earlier import left in `__pycache__`."""

    def get_code(self, fullname: str) -> CodeType:
        content = self.get_data(self.path)
        agreed = _agreed.get()
        if agreed is not None and digest_of(content) not in agreed:
            raise PermissionError("it is not the file that was agreed to")
        code: CodeType = self.source_to_code(content, self.path)
        return code


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
    name = f"{path.stem}_{digest}"
    if path.suffix != ".py":
        raise ImportError("not a Python file")
    spec = importlib.util.spec_from_file_location(name, path, loader=_Source(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
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
