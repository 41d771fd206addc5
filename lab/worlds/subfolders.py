"""Folders below the classes of pictures from disk, such as one for each patient or scene: pictures
of one folder may belong together, which test accuracy and its interval do not know of."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from lab.core.text import plain
from lab.core.words import those
from lab.worlds.stored import StoredWorld

LEAST = 3
"""Folders of a class from which on they are looked at: fewer are parts such as indoors and
outdoors, whose pictures do not belong together."""


@dataclass(frozen=True)
class Subfolders:
    """Of the `tested` test pictures that lie in folders below their classes: how many `folders`
    these are, how many of them are `shared` (have training pictures, too), and the `first` one of
    those, or of all."""

    tested: int
    folders: int
    shared: int
    first: str

    @property
    def crowded(self) -> bool:
        """Whether some of them have several test pictures."""
        return self.folders < self.tested


def subfolders(world: StoredWorld[Any], num_train: int, num_test: int) -> Subfolders | None:
    """Those of the first `num_train` and `num_test` pictures of the sets, in classes with `LEAST`
    folders or more; None: no test picture lies in such a folder."""
    counts = {
        split: Counter(world.subfolder(world.item(split, place)) for place in range(number))
        for split, number in (("train", num_train), ("test", num_test))
    }
    of_class = defaultdict(set)
    for names in counts.values():
        for name in filter(None, names):
            of_class[name.partition("/")[0]].add(name)
    known = {name for names in of_class.values() if len(names) >= LEAST for name in names}
    tested = {name: number for name, number in counts["test"].items() if name in known}
    if not tested:
        return None
    shared = sorted(tested.keys() & counts["train"].keys())
    first = min(shared or tested)
    return Subfolders(sum(tested.values()), len(tested), len(shared), first)


def subfolders_told(found: Subfolders | None, noun: str) -> list[str]:
    """A sentence if folders have pictures in both sets, or several test pictures."""
    if found is None:
        return []
    folders, first = those(found.folders, "folder", "folders"), f"{plain(found.first)}/"
    together = f"If the {noun} of a folder belong together, as of one patient or one scene,"
    if found.shared:
        have = "has" if found.shared == 1 else "have"
        return [
            f"{found.shared:,} of {folders} below the classes that test {noun} lie in ({first} the"
            f" first) {have} training {noun}, too. {together} test accuracy is too good: put whole"
            " folders into train/ and test/."
        ]
    if found.crowded:
        return [
            f"{found.tested:,} test {noun} lie in {folders} below the classes ({first} the first)."
            f" {together} intervals are too narrow: they take {noun} for independent."
        ]
    return []
