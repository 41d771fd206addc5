"""The list of models: a name for every architecture, and one way to build it.

The folder is the list: every module of `lab/models` is imported when the list is first asked for,
so a new architecture is one new file with `@register_model` and nothing else. A file anywhere else
is named as `path/to/file.py:function`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from torch import nn

from lab.names import unknown


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What a model is asked for; it maps (N, in_channels, S, S) in -1..1 to (N, num_outputs)."""

    in_channels: int = 3
    """Channels of a picture, 1 or more."""
    image_size: int = 32
    """Width and height S of a picture in pixels, 16 to 512."""
    num_outputs: int = 2
    """Logits per picture: the number of the task's classes."""
    width: int = 16
    """The capacity dial, 1 or more: channels of the first layer; the others follow."""
    dropout: float = 0.0
    """Share of the last hidden features dropped in training, 0 to below 1."""


Builder = Callable[[ModelSpec], nn.Module]

_builders: dict[str, Builder] = {}


def register_model(build: Builder) -> Builder:
    """Give `build` its place in the list, under its own name.

    Raises `ValueError` if another function holds the name (the same one, reloaded, may replace it).
    """
    name = build.__name__
    holder = _builders.get(name)
    if holder is not None and _origin(holder) != _origin(build):
        where = ".".join(_origin(holder))
        raise ValueError(f"the model name {name!r} is taken by {where}; call yours something else")
    _builders[name] = build
    return build


def list_models() -> list[str]:
    """The names of all registered models, in alphabetical order."""
    _import_all()
    return sorted(_builders)


def create_model(name: str, spec: ModelSpec) -> nn.Module:
    """Build the model called `name`, or made by the function at `path/to/file.py:function`.

    Weights are drawn from torch's global random stream. Raises `ValueError` with one line that says
    what is wrong: no such name, file or function, or what went wrong in it.
    """
    build = find_model(name)
    try:
        model = build(spec)
    except Exception as error:
        raise ValueError(f"--model {name} cannot be built: {one_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"--model {name} must return a torch.nn.Module, not a {type(model).__name__}"
        )
    return model


def find_model(name: str) -> Builder:
    """The function that builds the model `name`; `ValueError` if there is none."""
    path, colon, function = name.rpartition(":")
    if not colon and name.endswith(".py"):
        raise ValueError(f"--model {name} must name a function too: {name}:FUNCTION")
    if colon:
        return _from_file(Path(os.path.expanduser(path)), function, name)  # Path's would raise
    _import_all()
    if name not in _builders:
        raise ValueError(f"{unknown('model', name, list_models())}, or path/to/file.py:function")
    return _builders[name]


def one_line(error: BaseException) -> str:
    """An exception as one line for people."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@cache
def _import_all() -> None:
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__, f"{__package__}."):
        importlib.import_module(module.name)


def _from_file(path: Path, function: str, name: str) -> Builder:
    if not path.is_file():
        raise ValueError(f"--model {name}: there is no file {path}")
    try:
        module = _import_file(path.resolve())
    except (Exception, SystemExit) as error:
        raise ValueError(f"--model {name}: {path} does not import: {one_line(error)}") from error
    build: Builder | None = getattr(module, function, None)
    if not callable(build):
        callables = [key for key, value in vars(module).items() if _defined_in(module, value)]
        raise ValueError(f"--model {name}: {unknown(f'function in {path}', function, callables)}")
    return build


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


def _origin(build: Builder) -> tuple[str, str]:
    return build.__module__, build.__qualname__
