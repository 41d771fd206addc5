"""Copies of what Python objects hold, by name, and whether two copies are equal.

Numbers, texts, tensors, arrays and counters are copied, and containers of them; objects, functions
and generators of the user's own code are followed to what they hold. Objects of Python and of
installed packages (loggers, locks, files, random generators) are not looked into. No code of the
objects is executed.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from itertools import count
from operator import length_hint
from pathlib import Path
from types import (
    CellType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lab.models import same_tensor
from lab.models.sources import is_installed
from lab.models.space import in_a_space

MOST = 1000
"""Entries of a container, and letters of a text, that are looked at, at most."""

LARGEST = 2**22
"""Numbers of a tensor or an array that are looked at, at most."""

NUMBERS = 2**24
"""Numbers of all of them that are looked at, at most."""

VALUES = 100_000
"""Values that are looked at, at most: of more nothing is told."""

EACH = 10_000
"""Values that one name holds, at most: a larger one, as a nested table, is left out."""

DEEP = 3
"""Containers within containers, and objects within objects."""

_OWN = frozenset(vars(nn.Module()))
_CONTAINERS: tuple[type, ...] = (dict, list, tuple, deque, set, frozenset)
_ITERATORS = tuple(map(type, (iter([]), iter(()), iter(range(0)), iter(range(2**99)))))
NOTHING = object()
"""What stands for a value that is not there."""
_UNSEEN = object()
"""What stands for a value of another kind, or a large one; equal to everything."""


class Bounded(dict[Any, Any]):
    """A copy of a queue with a largest length: one that grows is on the way to that, no record."""


class Held:
    """Copies of values by name, in `found`. The modules and tensors in `known` are not looked
    at."""

    def __init__(self, known: frozenset[int] = frozenset()) -> None:
        self._found: dict[str, Any] = {}
        self._part: dict[str, Any] = {}
        self._known = known
        self._around: set[int] = set()
        self._values, self._each, self._numbers = VALUES, EACH, NUMBERS

    @property
    def found(self) -> dict[str, Any]:
        """The copies by name; none if there were too many values."""
        return self._found if self._values >= 0 else {}

    def add(self, name: str, value: object) -> None:
        """Copy a value, or what it holds as 'name.attribute'."""
        self._part, self._each = {}, EACH
        try:
            self._add(name, value, DEEP)
        except Exception:  # a proxy of nothing, a tensor out of its context: anybody's code
            self._part = {name: _UNSEEN}
            self._around.clear()
        self._found |= self._part

    def _add(self, name: str, value: object, deep: int) -> None:
        parts = self._parts(value)
        if parts is None:
            self._part[name] = self._copy(value, deep)
        elif deep and id(value) not in self._around:
            self._around.add(id(value))
            for key, part in parts.items():
                self._add(f"{name}.{key}", part, deep - 1)
            self._around.discard(id(value))

    def add_globals(self, name: str, module: ModuleType) -> None:
        """Copy what the globals of a module of the user's hold, and its functions and classes."""
        for key, value in list(vars(module).items()):
            kind = type(value)  # isinstance would ask a proxy
            if key.startswith("__") or issubclass(kind, ModuleType):
                continue
            if kind is FunctionType:
                here = value.__globals__ is vars(module) or "<locals>" in value.__qualname__
                if here:  # and not imported from another, which has it too
                    self.add(f"{name}.{key}", value)
            elif not issubclass(kind, type):
                self.add(f"{name}.{key}", value)
            elif value.__module__ == module.__name__ and value.__name__ == key:
                self._add_class(f"{name}.{key}", value)

    def _add_class(self, name: str, kind: type) -> None:
        for key, value in list(vars(kind).items()):
            method = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
            if isinstance(method, FunctionType) or not key.startswith("__"):
                self.add(f"{name}.{key}", method)

    def _copy(self, value: Any, deep: int) -> Any:
        """A copy of a value; `_UNSEEN` if it is of another kind."""
        self._values -= 1
        self._each -= 1
        if min(self._values, self._each) < 0:
            raise OverflowError("it holds too many values")
        if value is None or type(value) in (bool, int, float, complex):
            return value
        if isinstance(value, str):
            return value if len(value) <= MOST else _UNSEEN
        if type(value) in (Tensor, nn.Parameter, nn.Buffer):
            if id(value) in self._known:
                return _UNSEEN
            return value.detach().clone() if self._fits(_size(value)) else _UNSEEN
        if isinstance(value, (np.ndarray, np.generic)):
            return self._copy_of_numpy(value)
        if type(value) is count:
            return repr(value)
        if type(value) in _ITERATORS:
            return length_hint(value)
        base = next((kind for kind in _CONTAINERS if isinstance(value, kind)), None)
        if base is not None:
            return self._copy_of_container(value, base, deep)
        parts = self._parts(value)
        if parts is None or not deep or id(value) in self._around:
            return _UNSEEN
        self._around.add(id(value))
        copies = {key: self._copy(part, deep - 1) for key, part in parts.items()}
        self._around.discard(id(value))
        return copies

    def _copy_of_container(self, value: Any, base: Any, deep: int) -> Any:
        if not deep or base.__len__(value) > MOST or id(value) in self._around:
            return _UNSEEN
        if base in (set, frozenset):
            entries = list(base.__iter__(value))
            return dict.fromkeys(entries) if all(map(_is_key, entries)) else _UNSEEN
        pairs = base.items(value) if base is dict else enumerate(base.__iter__(value))
        self._around.add(id(value))
        copies = {
            key if _is_key(key) else ("entry", place): self._copy(each, deep - 1)
            for place, (key, each) in enumerate(list(pairs))
        }
        self._around.discard(id(value))
        return Bounded(copies) if base is deque and value.maxlen is not None else copies

    def _copy_of_numpy(self, value: Any) -> Any:
        if value.dtype.kind not in "biufc":
            return _UNSEEN
        if isinstance(value, np.generic):
            return value.item()
        if not self._fits(value.size):
            return _UNSEEN
        try:
            return torch.from_numpy(np.array(value))
        except (TypeError, ValueError):  # a kind of numbers that torch does not have
            return _UNSEEN

    def _fits(self, numbers: int) -> bool:
        if numbers > LARGEST:
            return False
        self._numbers -= numbers
        return self._numbers >= 0

    def _parts(self, value: Any) -> Mapping[str, Any] | None:
        """What an object of the user's own code holds, by name; None for all others."""
        if isinstance(value, nn.Module):
            return {} if id(value) in self._known else _parts_of_module(value)
        if isinstance(value, FunctionType):
            own = _is_own(value.__globals__.get("__name__"))
            return dict(_parts_of_function(value)) if own else None
        if isinstance(value, MethodType):
            return self._parts(value.__self__)
        if isinstance(value, partial):
            return {"func": value.func, "args": value.args, **value.keywords}
        if isinstance(value, GeneratorType):
            frame = value.gi_frame
            if frame is None or not _is_own(frame.f_globals.get("__name__")):
                return None
            return dict(frame.f_locals)
        if isinstance(value, (type, Tensor, *_CONTAINERS)):
            return None
        if type(value) is SimpleNamespace:
            return dict(vars(value))
        return dict(_parts_of_object(value)) if _is_own(type(value).__module__) else None


def hooks(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """The functions that a module calls around its passes, by name."""
    for key in ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"):
        for place, hook in enumerate(list(vars(module).get(key, {}).values())):
            name = getattr(hook, "__name__", type(hook).__name__)
            yield f"{name}{place or ''}", hook


def attributes(module: nn.Module) -> dict[str, Any]:
    """What a module keeps in plain attributes and in buffers that are not saved, by name; without
    what belongs to every module (its hooks, whether it is in training mode)."""
    kept = {key: value for key, value in vars(module).items() if key not in _OWN}
    return kept | {key: module._buffers.get(key) for key in module._non_persistent_buffers_set}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names in `after` of what is other than `before`, up to rounding."""
    return [name for name, value in after.items() if not equal(before.get(name, NOTHING), value)]


def goes_on(before: Any, after: Any, restored: Any) -> bool:
    """Whether a copy has changed from `before` to `after` and is another where the same was done
    from a `restored` state: it is not computed anew. In containers each entry counts, but for those
    that were added at the end, as to a record; in a queue with a largest length those count, too.
    """
    if equal(before, after) or equal(restored, after):
        return False
    if isinstance(after, Bounded) or not (isinstance(before, dict) and isinstance(after, dict)):
        return True
    again = restored if isinstance(restored, dict) else {}
    return not before.keys() <= after.keys() or any(
        goes_on(value, after[key], again.get(key, NOTHING)) for key, value in before.items()
    )


def is_rounded(value: Any) -> bool:
    """Whether a copy has numbers that are not whole, or tensors."""
    if isinstance(value, dict):
        return any(map(is_rounded, value.values()))
    return isinstance(value, (float, complex, Tensor))


def _size(tensor: Tensor) -> int:
    """How many numbers it holds; more than are looked at, where its layout is none that can be
    copied and compared."""
    if tensor.is_meta or tensor.is_nested or tensor.is_mkldnn:
        return LARGEST + 1
    if tensor.layout == torch.strided:
        return tensor.numel()
    values = tensor._values() if tensor.layout == torch.sparse_coo else tensor.values()
    return int(values.numel())


def equal(one: Any, other: Any) -> bool:
    """Whether two copies are equal up to rounding."""
    if one is _UNSEEN or other is _UNSEEN:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return same_tensor(one, other, rounding=True)
    if isinstance(one, (float, complex)) and isinstance(other, (float, complex)):
        return one == other or one != one != other or abs(one - other) <= 1e-6 + 1e-4 * abs(one)
    return type(one) is type(other) and bool(one == other)


def _parts_of_module(module: nn.Module) -> dict[str, Any]:
    return {**attributes(module), **module._parameters, **module._buffers, **module._modules}


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Its attributes, the variables of functions around it, and its arguments' defaults."""
    yield from ((key, each) for key, each in vars(function).items() if not key.startswith("__"))
    cells: tuple[CellType, ...] = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        with suppress(ValueError):  # it is not bound yet
            yield name, cell.cell_contents
    defaults = function.__defaults__ or ()
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount]
    yield from zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _parts_of_object(value: object) -> Iterator[tuple[str, Any]]:
    """Its attributes, those with a slot included."""
    with suppress(AttributeError):  # it has slots alone
        yield from list(object.__getattribute__(value, "__dict__").items())
    for kind in type(value).__mro__:
        for name, slot in vars(kind).items() if _is_own(kind.__module__) else ():
            if isinstance(slot, MemberDescriptorType):
                with suppress(AttributeError):  # it is not bound
                    yield name, slot.__get__(value)


def _is_key(key: object) -> bool:
    """Whether a key means the same in another network: no object, and no address of one."""
    if isinstance(key, tuple):
        return all(map(_is_key, key))
    return key is None or type(key) in (bool, str, float) or (type(key) is int and key < 2**32)


def _is_own(module: object) -> bool:
    """Whether the module of that name is the user's own."""
    return isinstance(module, str) and (in_a_space(module) or _is_users(module))


@cache
def _is_users(module: str) -> bool:
    if module == "__main__":
        return True
    path = getattr(sys.modules.get(module), "__file__", None)
    return isinstance(path, str) and not is_installed(Path(path))
