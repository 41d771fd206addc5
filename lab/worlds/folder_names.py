"""What folders below the classes say about which pictures belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from lab.worlds.marks import NAMED, Marks, T, spelled_plainly
from lab.worlds.name_parts import YEAR, are_dates, count_on, in_several, say_of_what


def by_folders(paths: Mapping[T, PurePath]) -> list[Marks[T]]:
    """The marks of pictures by the folders below the classes that they lie in, but for years; and
    before these by those that hold further folders, the outermost first, where their names say what
    they are of, or there are many."""
    found = []
    for depth in range(2, max((len(path.parts) for path in paths.values()), default=0)):
        outer = {i: path.parts[:depth] for i, path in paths.items() if len(path.parts) > depth + 1}
        names = {parts[-1] for parts in outer.values()}
        if outer and (say_of_what(names) or (len(names) >= NAMED and not are_dates(names))):
            found += _of_folders(outer)
    inmost = {item: path.parts[:-1] for item, path in paths.items()}
    if not are_dates({parts[-1] for parts in inmost.values()}, YEAR):
        found += _of_folders(inmost)
    return found


def _of_folders(folders: Mapping[T, tuple[str, ...]]) -> list[Marks[T]]:
    """The marks of pictures by folders, the names of which begin with the class. Those of one name
    in several classes, or parts of these (years, sides), may be of the same, as a patient with
    pictures of both. They may begin anew in each where they are counters, and one has all names of
    another or they do not say what they are of."""
    named = say_of_what({parts[-1] for parts in folders.values()})
    within: dict[tuple[str, ...], set[str]] = {}
    for *above, name in folders.values():
        within.setdefault(tuple(above), set()).add(spelled_plainly(name))
    paths = {item: "/".join(parts) for item, parts in folders.items()}
    apart = Marks("folder", paths, named=named)
    names = {item: parts[-1] for item, parts in folders.items()}
    shared, counted = in_several(within.values()), count_on({*names.values()})
    if not shared:
        return [apart]
    anew = counted and (shared == "all" or not named)
    across = Marks("folder", names, anew=anew, named=named, across=True)
    return [apart, across] if anew else [across]


def without_folders(sets: Sequence[Mapping[T, PurePath]]) -> list[dict[T, PurePath]]:
    """The files of each set as class and name, those in folders below the classes where names are
    not the same in several of these, or say what they are of."""
    found = []
    for each in sets:
        inner = {item: path for item, path in each.items() if len(path.parts) > 2}
        short = {item: PurePath(path.parts[0], path.name) for item, path in inner.items()}
        again = len({*short.values()}) < len(short)
        if again and not say_of_what([path.stem for path in short.values()]):
            short = {}
        flat = {item: path for item, path in each.items() if item not in inner}
        found.append(
            {item: flat.get(item) or short[item] for item in each if item in flat or item in short}
        )
    return found
