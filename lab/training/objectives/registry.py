"""The registry of objectives: the class of each, by name.

Every module of `lab/training/objectives` is imported when the registry is first used, so a new
objective is one new file with `@register_objective("name")` and nothing else.
`path/to/file.py:name` is an objective in a file anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from weakref import finalize

from torch import nn

from lab.core.paths import expanded
from lab.core.registry import import_modules, refuse_another
from lab.core.text import one_line, unknown
from lab.models.files import absolute, from_file, refuse_other_arguments
from lab.models.isolation import TURN, isolated, refuse_changed, shared_code
from lab.models.registry import file_of, space_of
from lab.models.sources import is_installed, overlap, source_files
from lab.training.objectives.objective import FunctionObjective, Objective

FLAG = "--objective"

_Kind = TypeVar("_Kind", bound=type[Objective])
_kinds: dict[str, type[Objective]] = {}


def register_objective(name: str) -> Callable[[_Kind], _Kind]:
    """Give a class of objectives its name; `ValueError` if another class has it already."""

    def register(kind: _Kind) -> _Kind:
        refuse_another(name, "objective", _kinds.get(name), kind)
        _kinds[name] = kind
        return kind

    return register


def list_objectives() -> list[str]:
    """The names of all registered objectives, in alphabetical order."""
    import_modules(__package__)
    return sorted(_kinds)


def create_objective(name: str, *, beside: nn.Module | None = None) -> Objective:
    """The objective called `name`, or made from `name` in the file at `path/to/file.py:name`:
    a subclass of `Objective`, or a function (logits, batch) -> loss.

    A file is executed in an import space of its own, as a network's is, but for the files that
    were executed for the network `beside` it, which it is to train: the modules are the same then,
    and what `forward` writes into one of them the objective reads. What a file sets and draws is
    not left in the process. Raises `ValueError` with one line: no such name or file, or what went
    wrong in it.
    """
    import_modules(__package__)
    if name in _kinds:
        return _kinds[name]()
    path = objective_file(name)
    if path is None:
        if name.endswith(".py"):
            raise ValueError(f"{FLAG} {name} must name a class or function too: {name}:NAME")
        raise ValueError(
            f"{FLAG}: {unknown('objective', name, list_objectives())}, or FILE.py:NAME"
        )
    shared = shared_code()
    with TURN, isolated():
        found, space = from_file(
            Path(expanded(path)), name.rpartition(":")[2], name, flag=FLAG,
            beside=space_of(beside),
        )  # fmt: skip
        objective = _made(found, name)
    refuse_changed(shared, name, flag=FLAG)
    if space is not None:
        objective.space = space
        finalize(objective, space.close)
    return objective


def objective_file(name: str) -> str | None:
    """The path of the file that defines the objective `name`; None for a registered one."""
    path, colon, _ = name.rpartition(":")
    return path if colon else None


def shares_code(objective: str, model: str) -> bool:
    """Whether the files of an objective and of a network, by name, execute a file of the user's in
    common, by the imports that are written in them."""
    one, other = objective_file(objective), file_of(model)
    if one is None or other is None:
        return False
    return overlap(Path(expanded(one)), Path(expanded(other)))


def locate_objective(name: str) -> str:
    """`name` as it means the same in every folder: the path of a file is made absolute."""
    path = objective_file(name)
    return name if path is None else f"{absolute(path)}:{name.rpartition(':')[2]}"


def objective_sources(name: str, objective: Objective | None = None) -> dict[str, str]:
    """The source files outside the installed packages that define the objective `name`, as
    `lab.models.sources_of` has them for a network: file -> SHA-256. Empty for registered ones.

    Of an `objective` that was made by that name the digests are of what was executed.
    """
    path = objective_file(name)
    found: dict[str, str] = {}
    if path is not None and not is_installed(file := Path(expanded(path))):
        found = source_files(file) if file.is_file() else {}
    space = objective.space if objective is not None else None
    return {**found, **(space.loaded if space is not None else {})}


def _made(found: object, name: str) -> Objective:
    """The objective that a file's class or function is."""
    if not isinstance(found, type):
        refuse_other_arguments(found, ("logits", "batch"), asked=f"{FLAG} {name}")
        return FunctionObjective(found)  # type: ignore[arg-type]  # it is callable
    try:
        objective = found()
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"{FLAG} {name} cannot be made: {one_line(error)}; it is called without arguments"
        ) from error
    if not isinstance(objective, Objective):
        raise ValueError(
            f"{FLAG} {name} must be a subclass of lab.training.objectives.Objective, or a function"
            f" (logits, batch) -> loss, not the class {found.__name__}"
        )
    return objective
