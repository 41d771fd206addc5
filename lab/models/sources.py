"""The source files that define a network in a file outside the lab.

`lookup` says where such a file's imports are found: beside it, at the root of its package, or
elsewhere outside the installed packages. `source_files` follows the imports that are written in the
files, without executing any, and gives the SHA-256 of each file's content: two networks with the
same table of sources are made by the same code. Not in it: files that the code reads as data, and
modules whose names it computes (those are added when they are imported, see `space.py`).
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path
from typing import Any

from lab.core.opened import pass_over

Sources = Mapping[str, str]
"""A source file's name, as `Lookup.key` gives it -> SHA-256 of its content."""

ITSELF = "its own file"
"""What the network's own file is called in a table of sources."""

OURS = "lab"
"""The one name that is never looked up beside a network: it always means this package."""

SHARED = frozenset({
    "torch", "torchvision", "timm", "numpy", "scipy", "PIL", "matplotlib", "sklearn", "tensorboard",
})  # fmt: skip
"""Libraries that the lab and the network must share, wherever they are installed."""


def digest_of(content: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest_of_sources(sources: Sources) -> str:
    """The SHA-256 of a whole table of sources; empty for a network without any."""
    if not sources:
        return ""
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(sources.items()))
    return digest_of(lines.encode())


def differences(recorded: Sources, now: Sources) -> str:
    """How two tables of sources differ, in a few words; empty if they do not."""
    words = []
    for what, names in (
        ("changed", [n for n in recorded if n in now and recorded[n] != now[n]]),
        ("gone", [n for n in recorded if n not in now]),
        ("new", [n for n in now if n not in recorded]),
    ):
        if names:
            words.append(f"{', '.join(sorted(names))} {'is' if len(names) == 1 else 'are'} {what}")
    return "; ".join(words)


def is_installed(path: Path) -> bool:
    """Whether a file belongs to Python, to an installed package or to the lab itself."""
    resolved = path.resolve()
    if {"site-packages", "dist-packages"} & set(resolved.parts):
        return True
    return any(resolved.is_relative_to(place) for place in _installed_places())


@lru_cache(maxsize=1)
def _installed_places() -> tuple[Path, ...]:
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = [sysconfig.get_path(kind) for kind in kinds]
    paths += [*getattr(site, "getsitepackages", list)(), str(site.getusersitepackages())]
    ours = Path(__file__).resolve().parents[1]
    return (*(Path(path).resolve() for path in paths if path), ours)


Loaders = tuple[Callable[[str, str], Any], Callable[[str, str], Any]]
"""Make an importlib loader from a module's full name and its path: for extensions, for sources."""

PLAIN: Loaders = (ExtensionFileLoader, SourceFileLoader)


@dataclass(frozen=True)
class Lookup:
    """Where the imports of the file at `path` are found, in this order: its own folder, and the
    folder that holds its topmost package (a chain of folders with an `__init__.py`)."""

    path: Path

    @cached_property
    def packages(self) -> tuple[str, ...]:
        """The names of the packages around the file, the outermost first."""
        names: list[str] = []
        folder = self.path.parent
        while (folder / "__init__.py").is_file() and folder.name.isidentifier():
            names.insert(0, folder.name)
            folder = folder.parent
        return tuple(names)

    @cached_property
    def module(self) -> str:
        """The file's dotted name below the folder of its topmost package (my.net.py: my_net)."""
        inside = self.path.name == "__init__.py" and self.packages
        own = () if inside else (self.path.stem.replace(".", "_"),)
        return ".".join([*self.packages, *own])

    @cached_property
    def roots(self) -> tuple[Path, ...]:
        """The folders that are searched, first come first served."""
        depth = len(self.packages)
        return tuple(dict.fromkeys([self.path.parent, self.path.parents[depth]]))

    def find(self, name: str, *, prefix: str = "", loaders: Loaders = PLAIN) -> ModuleSpec | None:
        """The top-level module `name`, called `prefix` + `name` and loaded by what `loaders` make;
        None if Python itself or an installed package has to provide it."""
        if name == OURS or name in sys.builtin_module_names:
            return None
        around = self.packages[:1] == (name,)
        folders: list[ModuleSpec] = []  # without __init__.py: taken if there is nothing else
        for root in reversed(self.roots) if around else self.roots:
            spec = find_in(root, prefix + name, loaders)
            if spec is not None and spec.loader is not None:
                return spec
            folders += [spec] if spec is not None else []
        elsewhere = _root_elsewhere(name)
        if elsewhere is not None:
            return find_in(elsewhere, prefix + name, loaders)
        return folders[0] if folders and not _is_known(name) else None

    def key(self, path: Path) -> str:
        """The file's name in a table of sources: its path below the root it is imported from, and
        `ITSELF` for the network's own file, whatever it is called."""
        if path == self.path:
            return ITSELF
        for root in reversed(self.roots):  # the outermost: nets/blocks.py, not blocks.py
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        top = path.parent
        while (top / "__init__.py").is_file():
            top = top.parent
        return path.relative_to(top).as_posix()


def find_in(folder: Path | str, name: str, loaders: Loaders = PLAIN) -> ModuleSpec | None:
    """The module whose last name is that of `name`, if `folder` holds it as a source, an extension
    or a folder. Looked up anew each time, so that a file written a moment ago is seen."""
    extension, source = loaders
    details: Any = ((extension, EXTENSION_SUFFIXES), (source, [".py"]))
    finder = FileFinder(str(folder), *details)
    return finder.find_spec(name)


def _root_elsewhere(name: str) -> Path | None:
    """The folder from which Python would import `name`, if it is none of installed packages."""
    spec = None if name in SHARED else _find_spec(name)
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    origin = Path(spec.origin)
    if origin.suffix != ".py" or not origin.is_file() or is_installed(origin):
        return None
    return origin.parents[1] if spec.submodule_search_locations else origin.parent


def _is_known(name: str) -> bool:
    return name in SHARED or _find_spec(name) is not None


def _find_spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):  # ValueError: __main__ has none
        return None


def source_files(path: Path) -> dict[str, str]:
    """The table of sources of the network file at `path`, found without executing anything.

    Raises `OSError` if the file itself cannot be read.
    """
    lookup = Lookup(path.resolve())
    return {lookup.key(file): digest_of(text) for file, text in _contents(lookup).items()}


def _contents(lookup: Lookup) -> dict[Path, bytes]:
    """The contents of the network's file and of all that it imports, sorted by their paths."""
    path = lookup.path
    if is_installed(path):
        return {}
    found: dict[Path, bytes] = {}
    waiting = [(path, lookup.module.rpartition(".")[0])]
    waiting += list(_parents(lookup, lookup.module))
    while waiting:
        file, package = waiting.pop()
        if file in found:
            continue
        pass_over(file)
        found[file] = file.read_bytes()
        for name in _absolute(_imports(found[file]), package):
            waiting += [(f, p) for f, p in _resolve(lookup, name) if f not in found]
    return dict(sorted(found.items()))


def overlap(one: Path, other: Path) -> bool:
    """Whether the code in two files has a source in common, by the imports that are written in it;
    False if one of them cannot be read."""
    try:
        contents = [_contents(Lookup(path.resolve())) for path in (one, other)]
    except OSError:
        return False
    files = [{path.resolve() for path in each} for each in contents]
    return not files[0].isdisjoint(files[1])


def says(path: Path, word: str) -> bool:
    """Whether the code of the network file at `path`, or of a file that it imports, has `word` in
    it; False if it cannot be read."""
    try:
        contents = _contents(Lookup(path.resolve()))
    except OSError:
        return False
    return any(word.encode() in content for content in contents.values())


def with_recorded(now: Sources, path: str | Path | None, recorded: Sources) -> dict[str, str]:
    """The sources that the code in the file at `path` has `now`, as far as reading it tells, and
    those `recorded` ones that are imported under computed names, which reading it does not."""
    found = dict(now)
    if path is None:
        return found
    roots = Lookup(Path(path).resolve()).roots
    for key in [key for key in recorded if key not in found]:
        there = [root / key for root in roots if (root / key).is_file()]
        if there:
            pass_over(there[0])
            found[key] = digest_of(there[0].read_bytes())
    return found


def _parents(lookup: Lookup, module: str) -> Iterator[tuple[Path, str]]:
    parent = module.rpartition(".")[0]
    if parent:
        yield from _resolve(lookup, parent)


def _resolve(lookup: Lookup, dotted: str) -> Iterator[tuple[Path, str]]:
    """The source files that `import dotted` executes, as far as they are private: each with the
    name of the package that its own relative imports start from."""
    spec: ModuleSpec | None = None
    for depth, part in enumerate(parts := dotted.split(".")):
        if depth == 0:
            spec = lookup.find(part)
        else:
            assert spec is not None
            places = spec.submodule_search_locations or ()
            found = (find_in(place, part) for place in list(places))
            spec = next(filter(None, found), None)
        if spec is None:
            return
        here = ".".join(parts[: depth + 1])
        if spec.origin is not None and spec.has_location:
            is_package = spec.submodule_search_locations is not None
            yield Path(spec.origin), here if is_package else here.rpartition(".")[0]


@lru_cache(maxsize=4096)
def _imports(content: bytes) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """The imports written in a source, at any depth: (level, module, names taken from it)."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return ()  # importing it will say what is wrong
    found: dict[tuple[int, str, tuple[str, ...]], None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(0, alias.name, ()): None for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found[node.level, node.module or "", names] = None
    return tuple(found)


def _absolute(imports: tuple[tuple[int, str, tuple[str, ...]], ...], package: str) -> Iterator[str]:
    """The dotted names of modules that imports in a module of `package` may mean."""
    for level, module, names in imports:
        base = package.split(".") if level and package else []
        if level > len(base) + 1:
            continue  # beyond the topmost package: importing it will say so
        base = base[: len(base) - (level - 1)] if level else []
        start = ".".join([*base, *([module] if module else [])])
        if start:
            yield start
        for name in names:
            if name != "*":
                yield f"{start}.{name}" if start else name
