"""The folder world: labeled pictures from disk, one subfolder for each class.

The rules are those of torchvision's `ImageFolder`: classes are the subfolders by name, and all
pictures below one belong to it, in folders within, too; hidden files and folders are left out. With
folders train/ and test/ these hold the subfolders; without them each class is split by the run's
seed. Pictures have labels, but no attributes.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path, PurePath

import torch
from torch import Tensor

from lab.core.config import DataConfig
from lab.core.decoding import Pixels, decode
from lab.core.machine import processors
from lab.core.paths import at_home
from lab.core.pictures import files_below, has_unused_bits, picture_suffixes
from lab.core.text import escape, plain
from lab.core.words import those
from lab.worlds.class_names import shown_names
from lab.worlds.division import Labeled, divided
from lab.worlds.file_names import file_marks
from lab.worlds.kept import EACH, Kept, Rows
from lab.worlds.marks import Marks, column_marks
from lab.worlds.metadata import (
    TABLE,
    Column,
    Metadata,
    has_column,
    read_column,
    read_columns,
    read_metadata,
    refuse_classes_alike,
    unused_tables,
)
from lab.worlds.name_parts import are_of_others
from lab.worlds.pages import pages_told
from lab.worlds.samples import Samples
from lab.worlds.set_names import A_SET, OF_SETS, sets_of_one
from lab.worlds.stated_clusters import FLAG as CLUSTERS
from lab.worlds.stated_clusters import StatedClusters, by_column, by_pattern
from lab.worlds.stored import StoredWorld
from lab.worlds.stored_settings import FLAG, refuse_drawing_settings, with_what_there_is
from lab.worlds.version import DIGITS

NAMED = 6
"""Folders that a message names, at most."""

Files = tuple[tuple[Path, ...], ...]
"""The pictures of each class, sorted by path."""


@dataclass(frozen=True, kw_only=True)
class FolderWorld(StoredWorld[Path]):
    """The pictures below the folder `root`; `in_sets`: in its folders train/ and test/."""

    metadata: Metadata[Path] = field(default_factory=Metadata)
    in_sets: bool = False

    @classmethod
    def of(cls, data: DataConfig, *, seed: int, device: str | torch.device) -> FolderWorld:
        """The world of the folder `data.data`; with `data.num_train` and `data.num_test` lowered to
        what there is. `ValueError` names what is wrong with the folder or the settings."""
        assert data.data is not None
        refuse_drawing_settings(data)
        root = _there(data.data)
        names, training, testing = _layout(root)
        stated = _stated(root, data, training, testing)
        pool, tested = divided(names, training, testing, seed=seed, stated=stated)
        metadata: Metadata[Path] = Metadata()
        if data.groups:
            refuse_classes_alike(names)
            metadata = read_metadata(root, data.groups, dict((*pool, *tested)))
        return cls(
            root=root, data=with_what_there_is(data, root, len(pool), len(tested)), seed=seed,
            device=device, names=names, pool=pool, tested=tested, metadata=metadata,
            in_sets=testing is not None, stated=stated,
        )  # fmt: skip

    @property
    def version(self) -> str:
        """A digest of the files' names and contents, and of how they are made square if that is not
        the default, as folder-0123456789ab."""
        return self._version_without(frozenset())

    def _version_without(self, left_out: Collection[str]) -> str:
        """The version if some files, by their places below the folder, were not there."""
        told = hashlib.sha256()
        for name, content in self._contents().items():
            if name not in left_out:
                told.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
        for path, values in sorted(self.metadata.codes.items()):
            name = self._below(path)
            if name in left_out:
                continue
            words = [c.words[v] for c, v in zip(self.grouped_by, values, strict=True)]
            told.update(f"{name}\0{words}\n".encode("utf-8", "surrogateescape"))
        for path in sorted(self.stated.pictures) if self.stated is not None else ():
            name, mark = self._below(path), self.stated.called(path) if self.stated else ""
            if name not in left_out:
                told.update(f"{name}\0{mark}\n".encode("utf-8", "surrogateescape"))
        told.update(self.resized.encode())
        return f"folder-{told.hexdigest()[:DIGITS]}"

    def would_read(self, folder: Path) -> bool:
        """Whether it lies below the folder, or with sets below one of them, or below a folder that
        a link there leads to, and is not hidden."""
        tops = [self.root / name for name in ("train", "test")] if self.in_sets else [self.root]
        classes = {top / name for top in tops for name in _folders(top)}
        return any(
            place.is_relative_to(root)
            and not any(part.startswith(".") for part in place.relative_to(root).parts)
            for place in (folder.resolve(), Path(os.path.abspath(folder)))
            for root in {each.resolve() for each in (*tops, *classes)}
        )

    def added_since(self, version: str, when: int) -> list[str]:
        """By the times of the files, and by the digest of the others."""
        for late in (self._later(when, moved=True), self._later(when)):
            if late and self._version_without(frozenset(late)) == version:
                return [plain(name) for name in late]
        return []

    def written_since(self, when: int) -> list[str]:
        """By the times of the files' contents."""
        return [plain(name) for name in self._later(when)]

    def _later(self, when: int, *, moved: bool = False) -> list[str]:
        """The files that were written after `when`, or (`moved`) came to their place after it, by
        their places below the folder, sorted."""
        found = []
        for path, _ in (*self.pool, *self.tested):
            at = path.stat()
            if max(at.st_mtime_ns, at.st_ctime_ns if moved else 0) > when:
                found.append(self._below(path))
        return sorted(found)

    @property
    def grouped_by(self) -> tuple[Column, ...]:
        """The columns that --groups names."""
        return self.metadata.columns

    def called(self, item: Path) -> str:
        """The file, as a path below the folder."""
        return escape(item.relative_to(self.root).as_posix())

    def has_unused_bits(self, item: Path) -> bool:
        """Whether the file has 16 bits for each number, of which the upper two are not used."""
        return has_unused_bits(item)

    def unmarked(self) -> str:
        """As of any pictures; empty, too, where each name is of another patient."""
        if self.stated is not None:
            return super().unmarked()
        stems = [path.stem for each in self.whole for path, _ in each]
        return "" if are_of_others(stems) else super().unmarked()

    @property
    def looked_at(self) -> str:
        """Words for folders, columns and names."""
        return f"folders, {TABLE} or names of files"

    @cached_property
    def marks(self) -> list[Marks[Path]]:
        """Folders below the classes, columns of the tables, and names of files."""
        above = 1 if self.in_sets else 0
        sets = [
            {path: PurePath(*path.relative_to(self.root).parts[above:]) for path, _ in each}
            for each in self.whole
        ]
        by_files = file_marks(*sets)
        folders = [each for each in by_files if each.kind == "folder" and each.named]
        others = [each for each in by_files if each not in folders]
        columns = read_columns(self.root, [path for each in sets for path in each]).items()
        return [*folders, *(column_marks(name, values) for name, values in columns), *others]

    @property
    def has_sets(self) -> bool:
        """Whether there are folders train/ and test/."""
        return self.in_sets

    @property
    def whole(self) -> Sequence[Labeled[Path]]:
        """All pictures, those of train/ and test/ apart from each other."""
        return super().whole if self.in_sets else ((*self.pool, *self.tested),)

    def samples(self, items: Sequence[Path]) -> Samples:
        """The values of the columns; identities by the files' places."""
        return self.metadata.samples(items, _identities(self.root, items))

    def rows(self, items: Sequence[Path]) -> Rows:
        """The pictures in files, known by the content of these."""
        size, resize = self.data.image_size, self.data.resize

        def fill(
            pixels: Pixels, file: Path | None, positions: Sequence[int], done: Callable[[int], None]
        ) -> None:
            wanted = [items[i] for i in positions]
            before = [_stats(path) for path in wanted] if file else []
            decode(
                wanted, positions, pixels, size=size, resize=resize, file=file,
                processes=processors(), done=done,
            )  # fmt: skip
            for path, stats in zip(wanted, before, strict=False):
                if _stats(path) != stats:
                    raise ValueError(f"{path}: it was changed while it was read")

        def ids() -> list[bytes]:
            known = self._contents()
            return [bytes.fromhex(known[self._below(path)]) for path in items]

        return Rows(
            count=len(items), size=size, resize=resize, cost=_cost(items), ids=ids, fill=fill
        )

    def left_out(self) -> list[str]:
        """A sentence each on folders and files that are not taken for pictures, and on pages of
        these that are not read."""
        said = []
        used = {path for path, _ in (*self.pool, *self.tested)}
        tops = {path.relative_to(self.root).parts[0] for path in used}
        beside = [name for name in _folders(self.root) if name not in tops]
        if beside:
            said.append(
                f"{_listed(f'{plain(name)}/' for name in beside)} in {self.root}: not used."
            )
        within = {name: _folders(self.root / name) for name in sorted(tops)}
        if tops != {"train", "test"} and _are_alike(self.root, within):
            said.append(
                f"{_few(sorted(tops))} all hold folders {_few(within[min(tops)])}: the former are"
                " taken for the classes, and these for parts of them."
            )
        sets = {self.root / top for top in tops & {"train", "test"}} if self.tested else set()
        stray = sorted(
            path
            for folder in (self.root, *sets)
            for path in folder.iterdir()
            if path.is_file()
            and path.suffix.lower() in picture_suffixes()
            and not path.name.startswith(".")
            and path not in used  # of a class that is called train
        )
        if stray:
            said.append(
                f"pictures beside the folders of the classes, in none of them, are left out:"
                f" {len(stray):,}, {plain(self._below(stray[0]))} the first."
            )
        files = [path for top in sorted(tops) for path in files_below(self.root / top)]
        others = Counter(
            path.suffix.lower()
            for path in files
            if path not in used and path.name != TABLE and path not in stray
        )
        if bare := others.pop("", 0):
            are = "is left out, since it has" if bare == 1 else "are left out, since they have"
            said.append(
                f"{those(bare, 'file', 'files')} of the classes {are} no ending that tells a"
                " picture, such as .png."
            )
        if others:
            one = others.total() == 1
            are, they = (
                ("is", "it is no picture by its")
                if one
                else ("are", "they are no pictures by their")
            )
            said.append(
                f"{those(others.total(), 'file', 'files')} of the classes {are} left out, since"
                f" {they} ending: {_listed(map(plain, sorted(others)))}."
            )
        said += unused_tables(self.root, used)
        items = self.pool[: self.data.num_train], self.tested[: self.data.num_test]
        return said + pages_told([[path for path, _ in some] for some in items], self.called)

    def _contents(self) -> dict[str, str]:
        """Each file's place below the root and the SHA-256 of its content, sorted by path."""
        files = sorted(path for path, _ in (*self.pool, *self.tested))
        listing = tuple((self._below(path), _stats(path)) for path in files)
        return _digests(self.root, listing)

    def _below(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def folder_classes(folder: str) -> tuple[str, ...]:
    """The names of the classes in a folder of pictures, of which none is looked at."""
    root = _there(folder)
    try:
        names = _folders(root)
        if "train" in names and (inner := _folders(root / "train")):
            names = inner
    except OSError as error:
        raise ValueError(f"{FLAG} {error.filename}: {error.strerror}") from None
    return shown_names(root, names)


def _there(folder: str) -> Path:
    """The folder of that name, if there is one."""
    root = at_home(folder, FLAG).resolve()
    if not root.is_dir():
        what = "it is no folder, and no .npz file with pictures x and labels y"
        if not root.exists():
            what = "there is no such folder"
        raise ValueError(f"{FLAG} {root}: {what}")
    return root


def _layout(root: Path) -> tuple[tuple[str, ...], Files, Files | None]:
    """Class names, and the pictures of each for training and (None: not told apart) for the
    test."""
    try:
        top = _folders(root)
        train, test = (root / name if name in top else None for name in ("train", "test"))
        if train is not None and _folders(train):
            if test is None:
                raise ValueError(f"{FLAG} {root}: it has a folder train/ but no test/ beside it")
            names, training = _classes(train)
            other, testing = _classes(test)
            if names != other:
                odd = sorted(set(names) ^ set(other))
                raise ValueError(
                    f"{FLAG} {root}: train/ and test/ must have the same classes, but {odd[0]!r} is"
                    " in one of them only"
                )
            return names, training, testing
        of_sets = [name for name in top if OF_SETS.fullmatch(name)]
        if len(of_sets) < 2:
            of_sets = sets_of_one(top)
        if of_sets:
            told = "call them train and test, with a subfolder for each class in both"
            if set(of_sets) == {"train", "test"}:
                told = "both need a subfolder for each class"
            raise ValueError(
                f"{FLAG} {root}: {_listed(map(plain, of_sets))} are names of sets, not of classes:"
                f" {told}"
            )
        _refuse_sets(root, top)
        names, training = _classes(root)
    except OSError as error:
        raise ValueError(f"{FLAG} {error.filename}: {error.strerror}") from None
    for name, files in zip(names, training, strict=True):
        if len(files) < 2:
            raise ValueError(
                f"{FLAG} {root}: the class {name!r} has one picture; one to train on and one to"
                " test on are needed"
            )
    return names, training, None


def _stated(
    root: Path, data: DataConfig, training: Files, testing: Files | None
) -> StatedClusters[Path] | None:
    """The clusters that --clusters states for the pictures of each class: by a column, where there
    is one of that name or there are no brackets, else by a regular expression."""
    if data.clusters is None:
        return None
    above = 1 if testing is None else 2  # folders down to those of the classes
    paths = {
        path: PurePath(*path.relative_to(root).parts[above:]).as_posix()
        for files in (*training, *(testing or ()))
        for path in files
    }
    if "(" in data.clusters and not has_column(root, data.clusters):
        return by_pattern(data.clusters, paths)
    values = read_column(root, data.clusters, paths, flag=CLUSTERS)
    return by_column(data.clusters, values, tuple(paths))


def _refuse_sets(root: Path, top: Sequence[str]) -> None:
    """`ValueError` if the folders at the `top` are sets or the like, and those within are the
    classes, or if there are sets within the classes."""
    within = {name: _folders(root / name) for name in top}
    wanted = "one folder for each class is needed, or train and test with those in both"
    for name, inner in within.items():
        of_sets = [each for each in inner if OF_SETS.fullmatch(each)]
        if len(of_sets) < 2 or not any(each.lower().startswith("tr") for each in of_sets):
            of_sets = sets_of_one(inner)
        if of_sets:
            held = _listed(map(plain, of_sets))
            raise ValueError(
                f"{FLAG} {root}: {plain(name)} holds folders for sets, {held}: {wanted}, such as"
                f" train/{plain(name)} and test/{plain(name)}"
            )
    if not _are_alike(root, within):
        return
    of_sets = [name for name in top if A_SET.search(name)]
    common = set.intersection(*map(set, within.values()))
    same = sorted(common) if all(set(inner) == common for inner in within.values()) else []
    numbered = all(any(map(str.isdigit, name)) for name in same)  # dates, patients, parts
    if len(of_sets) > 1 or not numbered:
        raise ValueError(
            f"{FLAG} {root}: {_few(top)} all hold {'the same ' if same else ''}folders"
            f" {_few(sorted(common))}, so that they seem to be no classes: {wanted}"
        )


def _are_alike(root: Path, within: Mapping[str, Sequence[str]]) -> bool:
    """Whether two or more folders below `root` have two subfolders or more in common, and no
    pictures beside them."""
    if len(within) < 2 or len(set.intersection(*map(set, within.values()))) < 2:
        return False
    known = picture_suffixes()
    return not any(
        path.suffix.lower() in known and not path.name.startswith(".") and path.is_file()
        for name in within
        for path in (root / name).iterdir()
    )


def _few(names: Sequence[str]) -> str:
    """Some names of folders, in words."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{_listed(map(plain, names[:NAMED]))}{more}"


def _classes(folder: Path) -> tuple[tuple[str, ...], Files]:
    """The classes below a folder and their pictures."""
    names = _folders(folder)
    if len(names) < 2:
        found = f"it has only {names[0]!r}" if names else "it has none"
        raise ValueError(
            f"{FLAG} {folder}: two or more subfolders are needed, one for each class; {found}"
        )
    files = tuple(tuple(_pictures(folder / name)) for name in names)
    for name, some in zip(names, files, strict=True):
        if not some:
            raise ValueError(f"{FLAG} {folder / name}: there is no picture in this folder")
    return shown_names(folder, names), files


def _folders(folder: Path) -> list[str]:
    """The names of the folders in one, but hidden ones and what macOS puts beside them in zips."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__MACOSX"))]
    return sorted(names, key=lambda name: (unicodedata.normalize("NFC", name), name))


def _pictures(folder: Path) -> list[Path]:
    """All pictures below a folder by the ending of their names, sorted."""
    known = picture_suffixes()
    return sorted(path for path in files_below(folder) if path.suffix.lower() in known)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


@lru_cache(maxsize=8)
def _digests(root: Path, listing: tuple[tuple[str, tuple[int, ...]], ...]) -> dict[str, str]:
    """The SHA-256 of each of the files below `root`; their `_stats` say whether they were read
    before."""
    return dict(
        zip((name for name, _ in listing), Kept.here().digests(root, dict(listing)), strict=True)
    )


def _stats(path: Path) -> tuple[int, ...]:
    """What changes with a file's content: bytes, times of change in nanoseconds, number on the
    disk."""
    at = path.stat()
    return at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino


def _cost(paths: Sequence[Path]) -> int:
    """What reading these files costs, as `Rows.cost` has it."""
    return sum(max(EACH, path.stat().st_size) for path in paths) if len(paths) else 0


def _identities(root: Path, paths: Sequence[Path]) -> Tensor:
    """A number (N,) int64 for each file, by its place below `root`."""
    names = [path.relative_to(root).as_posix().encode("utf-8", "surrogateescape") for path in paths]
    digests = [hashlib.sha256(name).digest()[:8] for name in names]
    return torch.tensor(
        [int.from_bytes(digest, "little", signed=True) for digest in digests], dtype=torch.int64
    )
