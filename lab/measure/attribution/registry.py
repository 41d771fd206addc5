"""The registry of attribution methods: a function for each, by name.

Every module of `lab/measure/attribution` is imported when the registry is first used, so a new
method is one new file with `@register_attribution("name", heading="…")` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lab.core.registry import import_modules, refuse_another
from lab.core.text import unknown
from lab.measure.attribution.case import Case

Method = Callable[[Case], Tensor]
"""The attributions (N, M): by how much, up to a factor, a training example raises the log odds that
networks give to the label of another example. Raises `Unsuitable` where it is not for such
networks."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """A registered method; its `heading` stands in tables."""

    name: str
    heading: str
    method: Method


_methods: dict[str, Attribution] = {}


def register_attribution(name: str, *, heading: str) -> Callable[[Method], Method]:
    """Give a method its name; `ValueError` if another function has it already."""

    def register(method: Method) -> Method:
        holder = _methods[name].method if name in _methods else None
        refuse_another(name, "attribution method", holder, method)
        _methods[name] = Attribution(name=name, heading=heading, method=method)
        return method

    return register


def list_attributions() -> list[str]:
    """The names of all registered methods, in alphabetical order."""
    import_modules(__package__)
    return sorted(_methods)


def attribution(name: str) -> Attribution:
    """The method called `name`; `ValueError` if there is none."""
    import_modules(__package__)
    if name not in _methods:
        raise ValueError(unknown("attribution method", name, list_attributions()))
    return _methods[name]
