"""The world of arrays: labeled pictures in an .npz file, as `lab.worlds.npz` describes it.

Columns for `--groups` are further arrays with a value for each picture, such as `place`, and
`place_test` where there is an `x_test`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lab.core.config import DataConfig
from lab.core.decoding import Pixels
from lab.core.paths import at_home
from lab.core.pictures import squared
from lab.core.text import plain, unknown
from lab.core.words import first_few
from lab.worlds.class_names import shown_names
from lab.worlds.division import divided
from lab.worlds.kept import EACH, Rows
from lab.worlds.marks import Marks, column_marks, is_of_clusters
from lab.worlds.metadata import FLAG as GROUPS
from lab.worlds.metadata import Column, Metadata, metadata_of, refuse_classes_alike
from lab.worlds.npz import KEYS, Array, Npz, Unfit
from lab.worlds.samples import Samples
from lab.worlds.stated_clusters import FLAG as CLUSTERS
from lab.worlds.stated_clusters import StatedClusters, by_column
from lab.worlds.stored import StoredWorld
from lab.worlds.stored_settings import FLAG, refuse_drawing_settings, with_what_there_is
from lab.worlds.version import DIGITS

SUFFIX = ".npz"

ENDS = {"x": "", "x_test": "_test"}
"""How the names of the arrays that go with an array of pictures end."""

SETS = "x", "x_test"

Item = tuple[str, int]
"""A picture: its array, and its number there."""


@dataclass(frozen=True, kw_only=True)
class ArrayWorld(StoredWorld[Item]):
    """The pictures in the file `root`."""

    metadata: Metadata[Item] = field(default_factory=Metadata)

    @classmethod
    def of(cls, data: DataConfig, *, seed: int, device: str | torch.device) -> ArrayWorld:
        """The world of the file `data.data`; with `data.num_train` and `data.num_test` lowered to
        what there is. `ValueError` names what is wrong with the file or the settings."""
        assert data.data is not None
        refuse_drawing_settings(data)
        root = at_home(data.data, FLAG).resolve()
        names, codes = _labeled(root, _stats(root))
        members = {
            key: [
                [(key, int(i)) for i in np.flatnonzero(labels == label)]
                for label in range(len(names))
            ]
            for key, labels in codes.items()
        }
        for key, classes in members.items():
            for label, (name, items) in enumerate(zip(names, classes, strict=True)):
                if not items:
                    some = {each: len(of[label]) for each, of in members.items() if of[label]}
                    raise ValueError(f"{FLAG} {root}: {_without(root, key, name, some)}")
                if len(members) == 1 and len(items) < 2:
                    raise ValueError(
                        f"{FLAG} {root}: the class {name!r} has one picture; one to train on and"
                        " one to test on are needed"
                    )
        _digest(root, _stats(root))  # refuses numbers of another scale
        stated = _stated(root, data.clusters, codes)
        pool, tested = divided(names, members["x"], members.get("x_test"), seed=seed, stated=stated)
        metadata: Metadata[Item] = Metadata()
        if data.groups:
            refuse_classes_alike(names)
            metadata = _columns(root, data.groups, codes)
        return cls(
            root=root, data=with_what_there_is(data, root, len(pool), len(tested)), seed=seed,
            device=device, names=names, pool=pool, tested=tested, metadata=metadata, stated=stated,
        )  # fmt: skip

    @property
    def version(self) -> str:
        """A digest of the arrays and the names of the classes, of the columns that --groups names,
        and of how pictures are made square if that is not the default, as arrays-0123456789ab."""
        told = hashlib.sha256(_digest(self.root, _stats(self.root)).encode())
        for k, column in enumerate(self.grouped_by):
            values = [(*item, column.words[v[k]]) for item, v in self.metadata.codes.items()]
            told.update(f"{column.attribute}\0{values}\n".encode("utf-8", "surrogateescape"))
        if self.stated is not None:
            marks = [(*item, self.stated.called(item)) for item in self.stated.pictures]
            told.update(f"{marks}\n".encode("utf-8", "surrogateescape"))
        told.update(self.resized.encode())
        return f"arrays-{told.hexdigest()[:DIGITS]}"

    @property
    def grouped_by(self) -> tuple[Column, ...]:
        """The columns that --groups names."""
        return self.metadata.columns

    def called(self, item: Item) -> str:
        """The array and the number there, as x[7]."""
        key, number = item
        return f"{key}[{number}]"

    def samples(self, items: Sequence[Item]) -> Samples:
        """The values of the columns; identities by array and number."""
        numbers = [2 * number + SETS.index(key) for key, number in items]
        return self.metadata.samples(items, torch.tensor(numbers, dtype=torch.int64))

    @property
    def looked_at(self) -> str:
        """Words for arrays."""
        return "arrays beside the pictures"

    @cached_property
    def marks(self) -> list[Marks[Item]]:
        """Further arrays with a value for each picture."""
        file, items = Npz(self.root), [item for item, _ in (*self.pool, *self.tested)]
        counts = Counter(key for key, _ in items)
        found = []
        for name in file.unused:
            with suppress(Unfit):  # of what is no column: nobody said that it is one
                values = {key: _words(file, name, key, count) for key, count in counts.items()}
                of = {(key, number): values[key][number] for key, number in items}
                found.append(column_marks(name, of))
        return found

    @property
    def has_sets(self) -> bool:
        """Whether there is an array x_test."""
        return any(key == SETS[1] for (key, _), _ in self.tested)

    @property
    def sets(self) -> tuple[str, str]:
        """The arrays of the two sets, where they are given."""
        return SETS

    def rows(self, items: Sequence[Item]) -> Rows:
        """The pictures in arrays, known by the content of the file and their numbers."""
        data = self.data

        def fill(
            pixels: Pixels, file: Path | None, positions: Sequence[int], done: Callable[[int], None]
        ) -> None:
            wanted: dict[str, dict[int, int]] = {key: {} for key in SETS}
            for i in positions:
                key, number = items[i]
                wanted[key][number] = i
            try:
                for key, places in wanted.items():
                    if places:
                        _fill(self.root, key, places, pixels, data, done)
            except Unfit as error:
                raise ValueError(f"{FLAG} {self.root}: {error}") from None

        def ids() -> list[bytes]:
            whole = _digest(self.root, _stats(self.root))
            return [
                hashlib.sha256(f"{whole} {key} {number}".encode()).digest() for key, number in items
            ]

        return Rows(
            count=len(items), size=data.image_size, resize=data.resize,
            cost=EACH // 8 * len(items), ids=ids, fill=fill,
        )  # fmt: skip

    def left_out(self) -> list[str]:
        """A sentence each on arrays of other names, and on those among them that may say which
        pictures belong together."""
        named = [*self.data.groups, *filter(None, [self.data.clusters])]
        used = [name + end for name in named for end in ENDS.values()]
        unused = [name for name in Npz(self.root).unused if name not in used]
        if not unused:
            return []
        columns = {
            mark.column + end
            for mark in self.marks
            if is_of_clusters(mark.column, {*mark.of.values()}, len(mark.of))
            for end in ENDS.values()
        }
        said = []
        for looked, names in (
            ("", [name for name in unused if name not in columns]),
            (
                " but to see which pictures belong together; --clusters divides by one of them,"
                " --groups makes groups by them",
                [name for name in unused if name in columns],
            ),
        ):
            if names:
                which = "array" if len(names) == 1 else "arrays"
                told = first_few(list(map(plain, names)))
                said.append(f"{which} {told} in {self.root}: not used{looked}.")
        said[-1] += f" The names that are read: {', '.join(KEYS)}."
        return said


def array_classes(path: str) -> tuple[str, ...]:
    """The names of the classes in an .npz file, of which no picture is looked at."""
    root = at_home(path, FLAG).resolve()
    return _labeled(root, _stats(root))[0]


def _fill(
    root: Path, key: str, places: dict[int, int], pixels: Pixels, data: DataConfig,
    done: Callable[[int], None],
) -> None:  # fmt: skip
    """Write the pictures number k of an array to `pixels[places[k]]`."""
    last = max(places)
    for start, block in Npz(root).blocks(key):
        here = [k for k in range(len(block)) if start + k in places]
        for k in here:
            picture = block[k]
            if picture.shape[:2] != (data.image_size, data.image_size):
                shown = Image.fromarray(picture)
                picture = squared(shown, size=data.image_size, resize=data.resize)
            pixels[places[start + k]] = picture.transpose(2, 0, 1)
        done(len(here))
        if start + len(block) > last:
            return


def _stats(root: Path) -> tuple[int, ...]:
    """What changes with the file's content; `ValueError` if there is no such file."""
    try:
        at = root.stat()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        said = "there is no such file" if missing else error.strerror
        raise ValueError(f"{FLAG} {root}: {said}") from None
    if not root.is_file():
        raise ValueError(f"{FLAG} {root}: it is no file")
    return at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino


def _without(root: Path, key: str, name: str, others: Mapping[str, int]) -> str:
    """What is said of the array `key`, which has no picture of a class, and what to do about it;
    `others` are the arrays with some, and how many."""
    said = f"{key} has no picture of the class {name!r}"
    file = Npz(root)
    texts = _labels("y", file).dtype.kind == "U"
    if not others:
        more = "" if texts else ", and lower the labels behind it by 1"
        return f"{said}: leave its name out of class_names{more}"
    ((other, count),) = others.items()
    said += (
        f", of which {other} has {count:,}: both sets need pictures of each class. Put some into"
        f" {key}, too, or take those out of {other}"
    )
    if texts:
        return said
    y, test = (np.unique(_labels(each.replace("x", "y"), file)) for each in SETS)
    if len(y) == len(test):
        said += (
            f"; y goes from {y[0]} to {y[-1]} and y_test from {test[0]} to {test[-1]}: if these are"
            " the same classes, count them alike"
        )
    return said


@lru_cache(maxsize=8)
def _digest(root: Path, stats: tuple[int, ...]) -> str:
    """The SHA-256 of the contents of the arrays."""
    told = hashlib.sha256()
    names, codes = _labeled(root, stats)
    told.update("\0".join(names).encode("utf-8", "surrogatepass"))
    try:
        file = Npz(root)
        for key, labels in codes.items():
            told.update(f"\0{key}\0{file.digest(key)}\0".encode())
            told.update(labels.astype("<i8").tobytes())
    except Unfit as error:
        raise ValueError(f"{FLAG} {root}: {error}") from None
    return told.hexdigest()


@lru_cache(maxsize=8)
def _labeled(root: Path, stats: tuple[int, ...]) -> tuple[tuple[str, ...], dict[str, Array]]:
    """The names of the classes, and the labels of each array of pictures as positions among
    these; `ValueError` in one line if something does not fit."""
    try:
        return read_labels(Npz(root))
    except Unfit as error:
        raise ValueError(f"{FLAG} {root}: {error}") from None


def _columns(root: Path, names: Sequence[str], codes: Mapping[str, Array]) -> Metadata[Item]:
    """The columns `names` of a file for its pictures, of which `codes` has the labels; `ValueError`
    in one line if one is missing, does not fit, or as `metadata_of` says."""
    try:
        file = Npz(root)
        items = [(key, number) for key, labels in codes.items() for number in range(len(labels))]
        columns = [
            [word for key, labels in codes.items() for word in _words(file, name, key, len(labels))]
            for name in names
        ]
    except Unfit as error:
        raise ValueError(f"{GROUPS} {' '.join(names)}: {root}: {error}") from None
    rows = dict(zip(items, zip(*columns, strict=True), strict=True))
    return metadata_of(names, rows, {item: int(codes[item[0]][item[1]]) for item in items})


def _stated(
    root: Path, name: str | None, codes: Mapping[str, Array]
) -> StatedClusters[Item] | None:
    """The clusters that --clusters states by the column `name` for the pictures of a file, of which
    `codes` has the labels."""
    if name is None:
        return None
    try:
        file = Npz(root)
        values = {
            (key, number): word
            for key, labels in codes.items()
            for number, word in enumerate(_words(file, name, key, len(labels)))
        }
    except Unfit as error:
        raise ValueError(f"{CLUSTERS} {name}: {root}: {error}") from None
    return by_column(name, values, tuple(values))


def _words(file: Npz, name: str, key: str, count: int) -> list[str]:
    """The values of a column for the array `key` of `count` pictures, as texts."""
    column = name + ENDS[key]
    if column not in file.unused:
        known = [each for each in file.unused if name == each or not each.endswith("_test")]
        if name in known:
            raise Unfit(f"{name} and {column} belong together, and {column} is missing")
        raise Unfit(
            unknown("column", name, known)
            if known
            else f"there is no array {name!r} in it, with a value for each picture"
        )
    values = _labels(column, file, "value", truths=True)
    if len(values) != count:
        raise Unfit(f"{key} has {count:,} pictures, and {column} has {len(values):,} values")
    return [str(value) for value in values.tolist()]


def read_labels(file: Npz) -> tuple[tuple[str, ...], dict[str, Array]]:
    """The names of the classes, and the labels (N,) int64 of each array of pictures as positions
    among these; `Unfit` or `ValueError` if something does not fit."""
    values: dict[str, Array] = {}
    for key in SETS:
        if key in file:
            form = file.form(key)
            labels = _labels(key.replace("x", "y"), file)
            if len(labels) != form.shape[0]:
                raise Unfit(
                    f"{key} has {form.shape[0]:,} pictures, and {key.replace('x', 'y')} has"
                    f" {len(labels):,} labels"
                )
            values[key] = labels
    if len({labels.dtype.kind for labels in values.values()}) > 1:
        raise Unfit("y and y_test must both be whole numbers or both be texts")
    known = np.unique(np.concatenate(list(values.values())))
    names = [str(value) for value in known.tolist()]
    if "class_names" in file:
        given = file.labels("class_names")
        if given.dtype.kind != "U" or given.ndim != 1:
            raise Unfit("class_names must be texts, one for each class")
        named = given.tolist()
        if known.dtype.kind == "U":
            odd = [name for name in names if name not in named]
            if odd:
                raise Unfit("class_names: " + unknown("class", odd[0], named))
        elif len(known) and not 0 <= int(known[0]) <= int(known[-1]) < len(named):
            raise Unfit(
                f"class_names has {len(named)} names, and the labels go from {known[0]} to"
                f" {known[-1]}, not within 0 to {len(named) - 1}"
            )
        known = np.array(named) if known.dtype.kind == "U" else np.arange(len(named))
        names = named
    if len(names) < 2:
        raise Unfit(f"two or more classes are needed, and it has {len(names)}")
    shown = shown_names(file.path, names, what="class")
    place: dict[Any, int] = {value: i for i, value in enumerate(known.tolist())}
    codes = {
        key: np.array([place[value] for value in labels.tolist()], np.int64)
        for key, labels in values.items()
    }
    return shown, codes


def _labels(key: str, file: Npz, what: str = "label", *, truths: bool = False) -> Array:
    """An array of labels, or of other values that each picture has one of: whole numbers, texts
    and, with `truths`, booleans, and whole numbers in floating point, which NaN may stand among."""
    labels = file.labels(key)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise Unfit(f"{key} must have one {what} for each picture, (N,), not {labels.shape}")
    if labels.dtype.kind == "S":
        try:
            labels = np.char.decode(labels, "utf-8")
        except UnicodeDecodeError:
            raise Unfit(f"{key} has texts that are not in UTF-8") from None
    if truths and labels.dtype.kind == "b":
        return labels.astype(str)
    if truths and labels.dtype.kind == "f" and _are_whole(labels):
        return np.array(["nan" if np.isnan(each) else f"{each:.0f}" for each in labels.tolist()])
    if labels.dtype.kind not in "iuU":
        raise Unfit(f"{key} must be whole numbers or texts, not {labels.dtype}")
    if labels.dtype.kind == "u" and len(labels) and int(labels.max()) >= 2**63:
        raise Unfit(f"{key} has a {what} beyond 2**63 - 1, {labels.max()}")
    return labels if labels.dtype.kind == "U" else labels.astype(np.int64)


def _are_whole(numbers: Array) -> bool:
    """Whether they are whole numbers in floating point, but for those that are missing."""
    known = numbers[~np.isnan(numbers)]
    return bool((known == np.floor(known)).all() and (np.abs(known) < 2**53).all())
