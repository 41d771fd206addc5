"""Import spaces: a network's file imports the modules beside it, never those of another network.

Python keeps imported modules in one table for the whole process, by name, so that the `blocks.py`
of one network would be given to every later one. Here the sources of a network are imported anew
for each network, under names of their own (`network_3f2a9c71d0_1.blocks`), and what they import is
looked up by `Lookup`: beside them first, then outside the installed packages, and only then where
every other module is. To that end each module of a space has its own `__import__` among its
built-in functions, which also holds for imports that are executed later, in any thread.

What belongs to one run shares its modules: spaces that are made `beside` one another (a network's,
its objective's, its metrics') execute each source file once among them, and the others take over
the module, so that what one of them writes into it the others read.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from lab.core.opened import pass_over
from lab.models.sources import Lookup, digest_of, find_in

_agreed: ContextVar[Collection[str] | None] = ContextVar("agreed", default=None)
_spaces: WeakValueDictionary[str, Space]
_numbers = count(1)


class NotAgreed(PermissionError):
    """A source file whose content is not among those that may be executed."""


@contextmanager
def only_agreed(digests: Collection[str]) -> Iterator[None]:
    """Restrict the spaces that are made within this, in this thread: they execute a source file
    only if the SHA-256 of its content is one of `digests`, and raise `NotAgreed` otherwise.

    Inside another restriction both hold.
    """
    outer = _agreed.get()
    token = _agreed.set(digests if outer is None else set(outer) & set(digests))
    try:
        yield
    finally:
        _agreed.reset(token)


class _Executed(NamedTuple):
    """A module, the SHA-256 of the source that it was made by, the name of the space that executed
    it, and the names of all that have it and are not closed."""

    module: ModuleType
    digest: str
    space: str
    having: set[str]


class Space:
    """The modules that a network's file at `path` and what it imports are executed in; those that
    a space `beside` it, or one beside that, has executed already are the same ones."""

    def __init__(self, path: Path, *, beside: Space | None = None) -> None:
        self.lookup = Lookup(path)
        self._executed: dict[str, _Executed] = beside._executed if beside is not None else {}
        self.loaded: dict[str, str] = {}
        """The sources executed so far: name as in `Lookup.key` -> SHA-256 of what was executed."""
        self._agreed = _agreed.get()
        place = digest_of(str(path).encode())[:10]
        self.name = f"network_{place}_{next(_numbers)}"
        self.builtins = {**vars(builtins), "__import__": self._import}
        self._importlib: ModuleType | None = None
        self._loaders = (lambda n, p: _Extension(n, p, self), lambda n, p: _Source(n, p, self))
        self._private: dict[str, bool] = {}  # top-level name -> whether it is one of this space
        package = ModuleType(self.name)
        package.__path__ = []  # every name below it is found by `_Finder`
        package.__spec__ = ModuleSpec(self.name, None, is_package=True)
        package.__package__ = self.name
        self._package = package
        sys.modules[self.name] = package
        _install_finder()
        _spaces[self.name] = self

    def execute(self) -> ModuleType:
        """Import the network's file, with the packages around it; raises what it raises."""
        return importlib.import_module(f"{self.name}.{self.lookup.module}")

    @property
    def modules(self) -> dict[str, ModuleType]:
        """The modules that it has, those that a space beside it has executed included, by name."""
        return {
            module.__name__.partition(".")[2]: module
            for module, _, _, having in list(self._executed.values())
            if self.name in having and isinstance(module, ModuleType)
        }

    def close(self) -> None:
        """Drop the modules from Python's table, and those that no space beside it has from their
        common one. Networks made of them go on working."""
        for path, there in list(self._executed.items()):
            there.having.discard(self.name)
            if not there.having:
                del self._executed[path]
        for name in [n for n in sys.modules if n == self.name or n.startswith(f"{self.name}.")]:
            del sys.modules[name]

    def admit(self, path: Path, content: bytes) -> None:
        """Take note of a source that is about to be executed; `NotAgreed` if it may not be."""
        self._admit(path, digest_of(content))

    def has_beside(self, path: str) -> bool:
        """Whether a space beside this one has executed the source at `path`."""
        there = self._executed.get(os.path.realpath(path))
        return there is not None and there.space != self.name

    def take_over(self, name: str, path: str) -> None:
        """Make the module that a space beside this one has made of the source at `path` the module
        `name`; `NotAgreed` if this one may not execute it."""
        there = self._executed[os.path.realpath(path)]
        self._admit(Path(path), there.digest)
        there.having.add(self.name)
        sys.modules[name] = there.module

    def offer(self, module: ModuleType, path: str) -> None:
        """Let the spaces beside this one take over the `module` that the source at `path` made, or
        what that has put in its own place."""
        digest = self.loaded[self.lookup.key(Path(path))]
        module = sys.modules.get(module.__name__, module)
        made = _Executed(module, digest, self.name, {self.name})
        self._executed.setdefault(os.path.realpath(path), made)

    def _admit(self, path: Path, digest: str) -> None:
        if self._agreed is not None and digest not in self._agreed:
            raise NotAgreed(f"{path} is not the file that was agreed to")
        self.loaded[self.lookup.key(path)] = digest
        pass_over(path)

    def find(self, fullname: str, places: Sequence[str] | None) -> ModuleSpec | None:
        """The module `fullname` of this space, in `places` (those of its package)."""
        name = fullname.removeprefix(f"{self.name}.")
        if name == self.lookup.module:  # itself, even where a folder has the same name
            path = self.lookup.path
            inside = [str(path.parent)] if path.name == "__init__.py" else None
            return spec_from_file_location(
                fullname, path, loader=_Source(fullname, str(path), self),
                submodule_search_locations=inside,
            )  # fmt: skip
        if "." not in name:
            return self.lookup.find(name, prefix=f"{self.name}.", loaders=self._loaders)
        found = (find_in(place, fullname, self._loaders) for place in list(places or ()))
        return next(filter(None, found), None)

    def _is_private(self, name: str) -> bool:
        top = name.partition(".")[0]
        if top not in self._private:
            self._private[top] = self.find(f"{self.name}.{top}", None) is not None
        return self._private[top]

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """What the statement `import` calls in the modules of this space."""
        fromlist = fromlist or ()
        if level == 0 and self._is_private(name):
            sys.modules.setdefault(self.name, self._package)  # after `close`
            module = builtins.__import__(f"{self.name}.{name}", globals, locals, fromlist, 0)
            top = f"{self.name}.{name.partition('.')[0]}"
            return module if fromlist else sys.modules[top]
        module = builtins.__import__(name, globals, locals, fromlist, level)
        return self._own_importlib() if module is importlib else module

    def _own_importlib(self) -> ModuleType:
        """`importlib` as the space's modules see it: its `import_module` finds their neighbors."""
        if self._importlib is None:
            self._importlib = ModuleType("importlib", importlib.__doc__)
        others = {key: value for key, value in vars(importlib).items() if key != "import_module"}
        self._importlib.__dict__.update(others, import_module=self._import_module)
        return self._importlib

    def _import_module(self, name: str, package: str | None = None) -> ModuleType:
        """As `importlib.import_module`."""
        if not name.startswith(".") and self._is_private(name):
            name = f"{self.name}.{name}"
        return importlib.import_module(name, package)


def in_a_space(module: str) -> bool:
    """Whether a module of that name belongs to a space."""
    return module.partition(".")[0] in _spaces


class _Source(SourceFileLoader):
    """Executes a file as it is now, never what an earlier import left in `__pycache__`."""

    def __init__(self, name: str, path: str, space: Space) -> None:
        super().__init__(name, path)
        self._space = space

    def get_code(self, fullname: str) -> CodeType:
        content = self.get_data(self.path)
        self._space.admit(Path(self.path), content)
        code: CodeType = self.source_to_code(content, self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        if self._space.has_beside(self.path):
            self._space.take_over(module.__name__, self.path)
            return
        module.__dict__["__builtins__"] = self._space.builtins
        super().exec_module(module)
        self._space.offer(module, self.path)


class _Extension(ExtensionFileLoader):
    """Loads a compiled module."""

    def __init__(self, name: str, path: str, space: Space) -> None:
        super().__init__(name, path)
        self._space = space

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        if self._space.has_beside(self.path):
            return ModuleType(spec.name)
        self._space.admit(Path(self.path), Path(self.path).read_bytes())
        return super().create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if self._space.has_beside(self.path):
            self._space.take_over(module.__name__, self.path)
            return
        super().exec_module(module)
        self._space.offer(module, self.path)


class _Finder:
    """Finds the modules of all spaces, by the first part of their names."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        space = _spaces.get(fullname.partition(".")[0])
        return space.find(fullname, path) if space is not None and "." in fullname else None


_spaces = WeakValueDictionary()
_lock = threading.Lock()


def _install_finder() -> None:
    with _lock:
        if _Finder not in sys.meta_path:
            sys.meta_path.insert(0, _Finder)
