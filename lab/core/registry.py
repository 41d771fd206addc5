"""What the registries of models, objectives, metrics and attribution methods share."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache


@cache
def import_modules(package: str) -> None:
    """Import all modules of a package once, so that each registers what it defines."""
    path = importlib.import_module(package).__path__
    for module in pkgutil.iter_modules(path, f"{package}."):
        importlib.import_module(module.name)


def refuse_another(name: str, kind: str, holder: object, newcomer: object) -> None:
    """Raise `ValueError` if the `name` of a `kind` of things is held by a function or class that is
    not the newcomer; the same one, of a module that was reloaded, is taken for it. `holder` None:
    nothing holds it."""
    if holder is not None and origin(holder) != origin(newcomer):
        raise ValueError(
            f"the {kind} name {name!r} is taken by {origin(holder)}; call yours something else"
        )


def origin(definition: object) -> str:
    """Where a function, a class or a callable object is defined, as package.module.name."""
    name = getattr(definition, "__qualname__", type(definition).__qualname__)
    return f"{definition.__module__}.{name}"
