"""The folder world: labeled pictures from disk, one subfolder for each class.

The rules are those of torchvision's `ImageFolder`: classes are the subfolders by name, and all
pictures below one belong to it, in folders within, too; hidden files and folders are left out. With
folders train/ and test/ these hold the subfolders; without them each class is split by the run's
seed. Pictures have labels, but no attributes.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab.core.config import DataConfig, flag
from lab.core.pictures import picture_suffixes, read_picture
from lab.core.seeds import permutation
from lab.core.text import plain
from lab.worlds.examples import Examples
from lab.worlds.metadata import TABLE, Column, Metadata, read_metadata
from lab.worlds.splits import check_split
from lab.worlds.tasks import Subpopulation
from lab.worlds.version import DIGITS
from lab.worlds.world import World, check_training_end

FLAG = "--data"

TEST = 0.2
"""Share of each class that is for the test, where the folder does not say which pictures are."""

UNEVEN = 1.5
"""Times that the largest class of a set may have as many pictures as the smallest without a word:
figures are compared with a guess among equally frequent classes."""

OF_SETS = re.compile(
    r"(train|training|test|testing|val|valid|validation|dev|eval)"
    r"([-_ ]?(set|data|images|pictures))?",
    re.IGNORECASE,
)
"""Names of folders that hold a set, such as Train or test_set: two of them are no classes."""

ABOUT_DRAWINGS = (
    "task", "cues", "cue_visibility", "subpopulations", "missing", "unseen_combinations",
    "variation",
)  # fmt: skip
"""Data settings that need pictures whose attributes are known."""

Files = tuple[tuple[Path, ...], ...]
"""The pictures of each class, sorted by path."""


@dataclass(frozen=True, kw_only=True)
class FolderWorld(World):
    """The pictures below `root`. `pools` and `tests` hold those of each class, in the order in
    which a larger training or test set takes them in."""

    root: Path
    data: DataConfig
    seed: int
    device: str | torch.device
    names: tuple[str, ...]
    pool: tuple[tuple[Path, int], ...]
    tested: tuple[tuple[Path, int], ...]
    metadata: Metadata = field(default_factory=Metadata)
    ahead: dict[tuple[str, int], Tensor] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, data: DataConfig, *, seed: int, device: str | torch.device) -> FolderWorld:
        """The world of the folder `data.data`; with `data.num_train` and `data.num_test` lowered to
        what there is. `ValueError` names what is wrong with the folder or the settings."""
        assert data.data is not None
        usual = DataConfig()
        for name in ABOUT_DRAWINGS:
            if getattr(data, name) != getattr(usual, name):
                raise ValueError(
                    f"{flag(name)} is about drawn pictures, and {FLAG} {data.data} takes them from"
                    " disk: leave one of them out"
                )
        root = _there(data.data)
        names, training, testing = _layout(root)
        orders = [_shuffled(files, seed, name) for name, files in zip(names, training, strict=True)]
        if testing is None:
            cuts = [len(files) - max(1, round(TEST * len(files))) for files in orders]
            pools = [files[:cut] for files, cut in zip(orders, cuts, strict=True)]
            tests = [files[cut:] for files, cut in zip(orders, cuts, strict=True)]
        else:
            pools = orders
            tests = [_shuffled(f, seed, name) for name, f in zip(names, testing, strict=True)]
        pool, tested = _in_turn(pools), _in_turn(tests)
        data = replace(
            data,
            data=str(root),
            num_train=min(data.num_train, len(pool)),
            num_test=min(data.num_test, len(tested)),
        )
        metadata = Metadata()
        if data.groups:
            paths = [path for path, _ in (*pool, *tested)]
            metadata = read_metadata(root, data.groups, paths, classes=len(names))
        return cls(
            root=root, data=data, seed=seed, device=device, names=names, pool=pool, tested=tested,
            metadata=metadata,
        )  # fmt: skip

    @property
    def noun(self) -> str:
        """What they are called."""
        return "pictures"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the subfolders."""
        return self.names

    @property
    def subpopulations(self) -> tuple[Subpopulation, ...]:
        """One for each class."""
        return tuple(Subpopulation(name=name, label=label) for label, name in enumerate(self.names))

    @property
    def version(self) -> str:
        """A digest of the files' names and contents, as folder-0123456789ab."""
        told = hashlib.sha256()
        for name, content in self._contents():
            told.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
        for path, values in sorted(self.metadata.codes.items()):
            name = path.relative_to(self.root).as_posix()
            words = [c.words[v] for c, v in zip(self.grouped_by, values, strict=True)]
            told.update(f"{name}\0{words}\n".encode("utf-8", "surrogateescape"))
        return f"folder-{told.hexdigest()[:DIGITS]}"

    @property
    def grouped_by(self) -> tuple[Column, ...]:
        """The columns that --groups names."""
        return self.metadata.columns

    @property
    def majority(self) -> float:
        """Share of the most frequent class in the test set, 0 to 1: what always giving the same
        answer gets right at most."""
        counts = Counter(label for _, label in self.tested[: self.data.num_test])
        return max(counts.values()) / counts.total()

    def available(self, split: str) -> int:
        """How many pictures a split has."""
        return len(self._files(split))

    def name(self, split: str, position: int) -> str:
        """The file of a split's picture, as a path below the folder."""
        path, _ = self._files(split)[position]
        return plain(path.relative_to(self.root).as_posix())

    def read_ahead(self, **counts: int) -> None:
        """Read the first pictures of splits, as many as are named for each, for the next `load` of
        exactly these: a damaged one is told (`ValueError`) before anything is begun."""
        for split, count in counts.items():
            self.ahead[split, count] = self._read([path for path, _ in self._files(split)[:count]])

    def load(
        self,
        split: str,
        count: int,
        *,
        start: int = 0,
        keep: Tensor | None = None,
        online: bool = False,
    ) -> Examples:
        """The pictures of a split, as `World.load` says; their middle squares, scaled."""
        if split == "train" and not online:
            check_training_end(self, start, count)
        files = self._files(split, online=online)
        if start < 0 or count < 0 or start + count > len(files):
            raise ValueError(
                f"{FLAG} {self.root} has {len(files):,} pictures for the split {split!r};"
                f" {start + count:,} were asked for"
            )
        chosen = files[start : start + count]
        clean = torch.tensor([label for _, label in chosen], dtype=torch.int64)
        labels = self.given_labels(clean, split, start=start)
        where = range(count) if keep is None else keep.tolist()
        paths = [chosen[i][0] for i in where]
        if keep is not None:
            clean, labels = clean[keep], labels[keep]
        whole = start == 0 and keep is None
        images = self.ahead.pop((split, count), None) if whole else None
        if images is None:
            images = self._read(paths)
        return Examples(
            images=images.to(self.device),
            labels=labels.to(self.device),
            clean_labels=clean.to(self.device),
            subpopulations=clean.to(self.device),
            classes=self.classes,
            all_subpopulations=self.subpopulations,
            samples=self.metadata.samples(paths, _identities(self.root, paths)),
        )

    def _read(self, paths: Sequence[Path]) -> Tensor:
        """Pictures (N, 3, S, S) uint8 from files."""
        size = self.data.image_size
        images = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
        for i, path in enumerate(paths):
            images[i] = read_picture(path, size=size).pixels
        return images

    def _left_out(self) -> list[str]:
        """A sentence each on folders and files that are not taken for pictures."""
        said = []
        used = {path for path, _ in (*self.pool, *self.tested)}
        tops = {path.relative_to(self.root).parts[0] for path in used}
        beside = [name for name in _folders(self.root) if name not in tops]
        if beside:
            said.append(
                f"{_listed(f'{plain(name)}/' for name in beside)} in {self.root}: not used."
            )
        files = [path for top in sorted(tops) for path in _files_below(self.root / top)]
        others = Counter(
            path.suffix.lower() or "none"
            for path in files
            if path not in used and path.name != TABLE
        )
        if others:
            said.append(
                f"{others.total():,} files of the classes are left out, since they are no pictures"
                f" by their ending: {_listed(map(plain, sorted(others)))}."
            )
        return said

    def _contents(self) -> list[tuple[str, str]]:
        """Each file's place below the root and the SHA-256 of its content, sorted by path."""
        files = sorted(path for path, _ in (*self.pool, *self.tested))
        stats = [(path, path.stat()) for path in files]
        listing = tuple(
            (path.relative_to(self.root).as_posix(), at.st_size, at.st_mtime_ns)
            for path, at in stats
        )
        names = [name for name, _, _ in listing]
        return list(zip(names, _digests(self.root, listing), strict=True))

    def doubts(self) -> list[str]:
        """A sentence each on what is left out, and if classes are not about equally frequent."""
        said = self._left_out()
        for what, files in (
            ("training", self.pool[: self.data.num_train]),
            ("test", self.tested[: self.data.num_test]),
        ):
            counts = np.bincount([label for _, label in files], minlength=len(self.names))
            if counts.max() > UNEVEN * counts.min():
                most, least = self.names[counts.argmax()], self.names[counts.argmin()]
                said.append(
                    f"the {what} pictures are not evenly spread over the classes: {counts.max():,}"
                    f" {most}, {counts.min():,} {least}. Always answering {most} gets"
                    f" {counts.max() / len(files):.1%} of them right, not 1 of {len(self.names)}."
                )
        return said

    def _files(self, split: str, *, online: bool = False) -> Sequence[tuple[Path, int]]:
        check_split(split)
        known = {
            "train": self.pool[: None if online else self.data.num_train],
            "validation": self.pool[self.data.num_train :],
            "test": self.tested,
        }
        if split not in known:
            raise ValueError(
                f"{FLAG} {self.root} has the splits {', '.join(known)}, not {split!r}: its pictures"
                " are not drawn"
            )
        return known[split]


def folder_classes(folder: str) -> tuple[str, ...]:
    """The names of the classes in a folder of pictures, of which none is looked at."""
    root = _there(folder)
    try:
        names = _folders(root)
        if "train" in names and (inner := _folders(root / "train")):
            names = inner
    except OSError as error:
        raise ValueError(f"{FLAG} {error.filename}: {error.strerror}") from None
    return _shown(root, names)


def _there(folder: str) -> Path:
    """The folder of that name, if there is one."""
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        what = "is no folder" if root.exists() else "there is no such folder"
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
        if len(of_sets) > 1:
            raise ValueError(
                f"{FLAG} {root}: {_listed(map(plain, of_sets))} are names of sets, not of classes:"
                " call them train and test, with a subfolder for each class in both"
            )
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
    return _shown(folder, names), files


def _shown(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """The names of classes as they are shown; `ValueError` if one has none, or two have the
    same."""
    shown = tuple(map(_composed, names))
    for name, raw in zip(shown, names, strict=True):
        same = [other for other, its in zip(names, shown, strict=True) if its == name]
        if not name:
            raise ValueError(
                f"{FLAG} {folder}: a class needs a name that can be shown, not {raw!r}; rename the"
                " folder"
            )
        if len(same) > 1:
            raise ValueError(
                f"{FLAG} {folder}: the names of two classes look the same, {same[0]!r} and"
                f" {same[1]!r}; rename one of the folders"
            )
    return shown


def _composed(name: str) -> str:
    """The name of a class as one line, its accents as they are usually written: macOS writes them
    as characters of their own (Unicode's form NFD)."""
    return unicodedata.normalize("NFC", plain(name))


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    return sorted(names, key=lambda name: (unicodedata.normalize("NFC", name), name))


def _pictures(folder: Path) -> list[Path]:
    """All pictures below a folder by the ending of their names, sorted."""
    known = picture_suffixes()
    return sorted(path for path in _files_below(folder) if path.suffix.lower() in known)


def _files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder but hidden ones; links are followed, once."""
    seen = set()

    def fail(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in files if not name.startswith("."))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _shuffled(files: Sequence[Path], seed: int, name: str) -> list[Path]:
    """The pictures of a class in the order of the seed."""
    return [files[i] for i in permutation(len(files), seed, "folder", name)]


def _in_turn(classes: Sequence[Sequence[Path]]) -> tuple[tuple[Path, int], ...]:
    """Pictures with their labels, those of each class spread evenly over the whole, so that every
    prefix has the classes in about the proportions of all: a part of the pictures is then from the
    same distribution as the others, and so are a training and a test set that are parts."""
    spread = sorted(
        ((k + 0.5) / len(files), label, k)
        for label, files in enumerate(classes)
        for k in range(len(files))
    )
    return tuple((classes[label][k], label) for _, label, k in spread)


@lru_cache(maxsize=8)
def _digests(root: Path, listing: tuple[tuple[str, int, int], ...]) -> tuple[str, ...]:
    """The SHA-256 of each of the files below `root`; their sizes and times say whether they were
    read before."""
    digests = []
    for name, _, _ in listing:
        with (root / name).open("rb") as file:
            if hasattr(hashlib, "file_digest"):
                content = hashlib.file_digest(file, "sha256")
            else:
                content = hashlib.sha256(file.read())
        digests.append(content.hexdigest())
    return tuple(digests)


def _identities(root: Path, paths: Sequence[Path]) -> Tensor:
    """A number (N,) int64 for each file, by its place below `root`."""
    names = [path.relative_to(root).as_posix().encode("utf-8", "surrogateescape") for path in paths]
    digests = [hashlib.sha256(name).digest()[:8] for name in names]
    return torch.tensor(
        [int.from_bytes(digest, "little", signed=True) for digest in digests], dtype=torch.int64
    )
