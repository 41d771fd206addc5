"""The registry of models: the function that builds each architecture, by name.

Every module of `lab/models` is imported when the registry is first used, so a new architecture is
one new file with `@register_model` and nothing else. Installed packages add names of their own
(`installed.py`). `path/to/file.py:function` is a model in a file anywhere else, and `library:name`
one of a library's (`zoo.py`).
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from weakref import WeakKeyDictionary, finalize

import torch
from torch import nn

from lab.core.paths import expanded
from lab.core.registry import import_modules, origin, refuse_another
from lab.core.text import memory_ran_out, one_line, unknown
from lab.models import installed
from lab.models.files import ONCE, absolute, from_file
from lab.models.isolation import isolated, refuse_changed, seed_all, shared_code, without_arguments
from lab.models.sources import digest_of_sources, is_installed, says, source_files
from lab.models.space import Space, in_a_space


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The arguments from which a model is built; it maps (N, in_channels, S, S) in -1..1 to (N,
    num_outputs)."""

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
Source = Callable[[str], Builder]
_CALLED = "it is called with one argument, a ModelSpec"

builders: dict[str, Builder] = {}
"""The registered models by their names; of those of installed packages the ones that were used."""
_sources: dict[str, Source] = {}
_spaces: WeakKeyDictionary[nn.Module, Space] = WeakKeyDictionary()
"""The import space of each network that was made by a file."""
_built: set[tuple[str, ModelSpec, str]] = set()
"""The networks that were made by files in this process: names, specs, digests of the sources."""


def register_model(build: Builder) -> Builder:
    """Register `build` under its own name.

    Without effect in a file that is named as `path/to/file.py:function`: it is found by its path.
    Raises `ValueError` if another function holds the name (the same one, reloaded, may replace it).
    """
    if in_a_space(build.__module__):
        return build
    name = build.__name__
    refuse_another(name, "model", builders.get(name), build)
    builders[name] = build
    return build


def register_source(library: str) -> Callable[[Source], Source]:
    """Let the decorated function find the models that are named as `library:name`."""

    def register(find: Source) -> Source:
        _sources[library] = find
        return find

    return register


def list_models() -> list[str]:
    """The names of all models that can be built, in alphabetical order.

    Those of installed packages are among them; one that does not import, or has a name that is
    taken, is left out with a warning.
    """
    import_modules(__package__)
    names = set(builders)
    for name, entries in installed.offers().items():
        if name in builders:
            _warn_of_clash(name)
            continue
        try:
            installed.load(name, entries)
        except ValueError as error:
            installed.warn(f"{error}; it is left out")
        else:
            names.add(name)
    return sorted(names)


def create_model(name: str, spec: ModelSpec, *, seed: int | None = None) -> nn.Module:
    """Build the model called `name`, or made by the function at `path/to/file.py:function`.

    Weights are drawn from the global random generators of torch, Python and NumPy, started from
    `seed` once its file is imported; None: as they are. Raises `ValueError` with one line that says
    what is wrong: no such name, file or function, or what went wrong in it.
    """
    shared = shared_code() if file_of(name) is not None else {}
    build, space = _find(name)
    if seed is not None:
        seed_all(seed)
    made = name, spec, digest_of_sources(space.loaded if space is not None else {})
    if file_of(name) is not None and (setting := _setting_in_its_place(build)):
        why = f"{_CALLED}, which is not its {setting}; write {_example(build)}"
        raise ValueError(f"--model {name} cannot be built: {why}")
    try:
        with without_arguments(name):
            model = build(spec)
    except (Exception, SystemExit) as error:
        why = _why(build, error)
        if made in _built and not memory_ran_out(error):
            why += f"; it was built before: {ONCE}"
        raise ValueError(f"--model {name} cannot be built: {why}") from error
    if space is not None:
        _built.add(made)
        refuse_changed(shared, name)
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"--model {name} must return a torch.nn.Module, not a {type(model).__name__}"
        )
    if type(model).__hash__ is None:
        raise ValueError(
            f"--model {name} makes a network that cannot be hashed, which torch needs of it: a"
            " dataclass needs eq=False"
        )
    if space is not None and model not in _spaces:
        _spaces[model] = space
        finalize(model, space.close)
    return model


def sources_of(name: str, model: nn.Module | None = None) -> dict[str, str]:
    """The source files outside the installed packages that make the model `name`: a name for each
    (`Lookup.key`) -> SHA-256 of its content. Empty for the lab's own models and
    for those of installed packages.

    They are found by the imports that are written in them. Of a `model` that was built by that name
    the files that it has imported otherwise are added, and each digest is of what was executed.
    """
    path = file_of(name)
    if path is None:
        module = sys.modules.get(getattr(builders.get(name), "__module__", ""))
        path = getattr(module, "__file__", None) or _entry_file(name)
    found = {}
    if path is not None and Path(path).is_file() and not is_installed(Path(path)):
        found = source_files(Path(path))
    space = space_of(model)
    return {**found, **(space.loaded if space is not None else {})}


def space_of(model: nn.Module | None) -> Space | None:
    """The import space of a network that was made by a file; None for others."""
    return _spaces.get(model) if model is not None else None


def _entry_file(name: str) -> str | None:
    """The file of a model that an installed package offers: a package under development may be
    installed without its files, which then lie elsewhere."""
    for entry in installed.offers().get(name, ()):
        with suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(entry.module)
            return spec.origin if spec is not None and spec.has_location else None
    return None


def find_model(name: str) -> Builder:
    """The function that builds the model `name`; `ValueError` if there is none."""
    return _find(name)[0]


def own_builder(name: str) -> Builder | None:
    """The function that builds the model `name` if it is one of the lab's own; None for those in
    files, of libraries and of installed packages."""
    import_modules(__package__)
    build = builders.get(name)
    own = __package__.partition(".")[0]
    return build if build is not None and build.__module__.partition(".")[0] == own else None


def _find(name: str) -> tuple[Builder, Space | None]:
    """The function that builds the model `name`, and the import space of its file."""
    import_modules(__package__)
    library, colon, inner = name.partition(":")
    if colon and library in _sources:
        return _sources[library](inner), None
    path, colon, function = name.rpartition(":")
    if not colon and name.endswith(".py"):
        raise ValueError(f"--model {name} must name a function too: {name}:FUNCTION")
    if colon and not path.endswith(".py") and not os.path.exists(expanded(path)):
        library = os.path.basename(path)  # by now a path may stand before it
        near = difflib.get_close_matches(library.lower(), _sources, n=1)
        if near:
            raise ValueError(
                f"--model {name}: there is no file {path}; did you mean {near[0]}:{function}?"
            )
    if colon:
        return from_file(Path(expanded(path)), function, name)
    if name in builders:
        _warn_of_clash(name)
        return builders[name], None
    entries = installed.offers().get(name)
    if entries:
        return installed.load(name, entries), None
    others = ", ".join([*(f"{library}:NAME" for library in sorted(_sources)), "FILE.py:FUNCTION"])
    raise ValueError(f"--model: {unknown('model', name, list_models())}, or {others}")


def file_of(name: str) -> str | None:
    """The path of the file that makes the model `name`; None for the lab's and for libraries'."""
    import_modules(__package__)
    path, colon, _ = name.rpartition(":")
    return path if colon and name.partition(":")[0] not in _sources else None


def locate(name: str) -> str:
    """`name` as it means the same in every folder: the path of a file is made absolute."""
    path = file_of(name)
    return name if path is None else f"{absolute(path)}:{name.rpartition(':')[2]}"


def has_width(name: str) -> bool:
    """Whether `width` changes the model `name`: not those of libraries, not those of a fixed size,
    and not those in files whose code never says "width"."""
    import_modules(__package__)
    if name.partition(":")[0] in _sources:
        return False
    path = file_of(name)
    if path is not None:
        return says(Path(path), "width")
    return name in builders and _scales(name)


@cache
def _scales(name: str) -> bool:
    """Whether a registered model has more weights where it is wider."""
    sizes = []
    with suppress(Exception), isolated("cpu"), torch.device("meta"):
        for width in (1, 2):
            model = builders[name](ModelSpec(width=width))
            sizes.append(sum(weight.numel() for weight in model.parameters()))
    return len(set(sizes)) == 2


def _setting_in_its_place(build: Builder) -> str:
    """The first argument of `build` as it is written, as `pretrained=False`, if its default is a
    switch, a number or a text, for which a `ModelSpec` would be taken: it counts as True. Else
    empty."""
    try:
        first = next(iter(inspect.signature(build).parameters.values()), None)
    except (ValueError, TypeError):  # some of Python's own have none
        return ""
    if first is None or first.kind is first.KEYWORD_ONLY:
        return ""
    known = isinstance(first.default, (bool, int, float, str))
    return f"{first.name}={first.default!r}" if known else ""


def _example(build: Builder) -> str:
    name = getattr(build, "__name__", "Net")
    return f"def make(spec): return {name}(…), with spec.num_outputs and so on, and name make"


def _why(build: Builder, error: BaseException) -> str:
    """What went wrong when `build` was called with a `ModelSpec`."""
    with suppress(ValueError):  # some of Python's own have no signature
        signature = inspect.signature(build)
        try:
            signature.bind(ModelSpec())
        except TypeError:
            return f"{_CALLED}, and takes none such; write {_example(build)}"
        if isinstance(error, TypeError) and next(iter(signature.parameters)) != "spec":
            hint = f"{_CALLED}: if it takes something else, write {_example(build)}"
            return f"{one_line(error)}; {hint}"
    return one_line(error)


def _warn_of_clash(name: str) -> None:
    """Say which installed package offers a name that another function has already."""
    holder = origin(builders[name])
    for entry in installed.offers().get(name, ()):
        if f"{entry.module}.{entry.attr}" != holder:
            installed.warn(
                f"the package {installed.package(entry)} offers a model called {name!r} too, which"
                f" is taken by {holder}; it is left out"
            )
