"""Decoded pictures that are kept in files of the user's cache folder and mapped into memory.

A file has the pictures of one set in its order, as uint8: a run reads from it what it needs, and
the operating system keeps as much of it in memory as there is room. It is named by the content of
the pictures, their size and how they are brought to it, and by the version of what decodes them; so
the runs of a sweep share it, and nothing old is ever taken for new. A checksum beside it tells
damage each time it is opened: then it is made anew. Where another file has some of
the pictures, such as that of a smaller training set, they are copied from it. The files that have
not been used for longest are removed where all together would take more than `LIMIT`.

Small sets are decoded each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from PIL import __version__ as pillow
from PIL import features
from torch import Tensor

from lab.core import pictures as reader
from lab.core.atomic import draft, replace, replace_text
from lab.core.caches import caches, is_private
from lab.core.decoding import Pixels
from lab.core.locks import NO_LOCKS
from lab.core.paths import at_home
from lab.core.pictures import Resize
from lab.worlds.validate import check_memory

FOLDER = "MEMLAB_PICTURES"
"""The environment variable with the folder for kept pictures; `off`: none are kept."""

BOUND = "MEMLAB_PICTURES_GB"
"""The environment variable with the gigabytes that they may take."""

LIMIT = 20.0
"""Gigabytes, where that does not say."""

WORTH, EACH = 8_000_000, 8_000
"""Bytes of files from which on it is worth it to keep pictures, a file counting for at least so
many: 1,000 files, which take half a second to decode, or 8 MB of them."""

MAPPED = 64_000_000
"""Bytes of pixels from which on pictures are kept in any case: they may not fit in memory."""

SETTLED = 2.0
"""Seconds for which a file must have been at rest before its time of change says that its content
is known."""

SPARE = 1_000_000_000
"""Bytes that stay free on the disk."""

_PIXELS, _IDS, _SUM, _LOCK = "pixels", "ids", "crc32", ".lock"
_BLOCK = 1024

Progress = Callable[[str, int, int], None]
"""Gets what is being done, how much of it is done, and how much there is."""

Fill = Callable[[Pixels, Path | None, Sequence[int], Callable[[int], None]], None]
"""Writes the pictures at some positions of a set to these rows of an array, which is mapped from a
file (None: it is not), and tells each time how many more it has written."""


def quiet(what: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """N pictures of `size` px that can be made at any time. `ids()` gives 32 bytes for each that
    follow from all that it is made of, `cost` is in bytes of files."""

    count: int
    size: int
    resize: Resize
    cost: int
    ids: Callable[[], Sequence[bytes]]
    fill: Fill

    @property
    def nbytes(self) -> int:
        """Bytes of their pixels."""
        return self.count * 3 * self.size**2

    @property
    def family(self) -> str:
        """What pictures have in common that can be in the place of one another: size, way of
        resizing, and decoder."""
        told = f"{self.size}\0{self.resize}\0{decoder()}"
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    @property
    def worth(self) -> bool:
        """Whether they should be kept."""
        return self.cost >= WORTH or self.nbytes >= MAPPED


@cache
def decoder() -> str:
    """The version of what makes pixels of files."""
    source = Path(reader.__file__).read_bytes()
    parts = [pillow, *(str(features.version(name)) for name in ("jpg", "zlib", "webp", "libtiff"))]
    return hashlib.sha256(source + "\0".join(parts).encode()).hexdigest()


class Kept:
    """The pictures that are kept in the first of `places` that can be used (none: none are), in
    `limit` bytes at most."""

    def __init__(self, places: Sequence[Path], limit: float = LIMIT * 1e9) -> None:
        self._places, self._limit = places, limit

    @cached_property
    def _folder(self) -> Path | None:
        """Made when it is first needed: small sets leave no trace."""
        return next(filter(_usable, self._places), None)

    @classmethod
    def here(cls) -> Kept:
        """Those of this user, as the environment variables say; `ValueError` if these are odd."""
        said = os.environ.get(BOUND, "")
        try:
            bound = float(said) if said else LIMIT
        except ValueError:
            bound = -1.0
        if not bound >= 0:
            raise ValueError(f"the environment variable {BOUND} must be a number, not {said!r}")
        chosen = os.environ.get(FOLDER, "")
        if chosen.lower() == "off" or not bound:
            return cls(())
        if chosen:
            return cls([at_home(chosen, f"the environment variable {FOLDER}")], bound * 1e9)
        return cls([place / "pictures" for place in caches()], bound * 1e9)

    @classmethod
    def maps(cls, count: int, size: int) -> bool:
        """Whether so many pictures are mapped from a file, not held in memory."""
        nbytes = count * 3 * size**2
        return nbytes >= MAPPED and cls.here()._has_room(nbytes)

    def pictures(self, rows: Rows, progress: Progress = quiet) -> Tensor:
        """The pictures (N, 3, S, S) uint8: mapped from their file, which is made if there is none,
        or read into memory. What is written to the tensor stays in this process."""
        shape = (rows.count, 3, rows.size, rows.size)
        if rows.worth and self._has_room(rows.nbytes):
            with suppress(OSError):  # a full disk, or one that cannot be mapped
                return self._kept(rows, shape, progress)
        if rows.worth:
            check_memory(rows.count, size=rows.size)
        pixels = torch.empty(shape, dtype=torch.uint8)
        told = _told(progress, rows.count) if rows.worth else lambda number: None
        rows.fill(pixels.numpy(), None, range(rows.count), told)
        return pixels

    def numbers(
        self, what: str, sets: Sequence[Rows], make: Callable[[], list[list[int]]]
    ) -> list[list[int]]:
        """`make()`, computed once for the same pictures and the same `what`."""
        if not any(rows.worth for rows in sets) or not self._folder:
            return make()
        told = [what, *(part for rows in sets for part in (rows.family, *map(_hex, rows.ids())))]
        name = hashlib.sha256("\0".join(told).encode()).hexdigest()[:24]
        path = self._folder / "numbers" / f"{name}.json"
        known = _read_json(path)
        if isinstance(known, list):
            return known
        made = make()
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            replace_text(path, json.dumps(made))
        return made

    def digests(self, root: Path, listing: Mapping[str, tuple[int, ...]]) -> list[str]:
        """The SHA-256 of files below `root`, by name with size, times of change and number on the
        disk: a file is read only if these are not what they were when it was last read."""
        cost = sum(max(EACH, size) for size, *_ in listing.values())
        if cost < WORTH or not self._folder:
            return [sha256(root / name) for name in listing]
        place = hashlib.sha256(os.fsencode(root)).hexdigest()[:24]
        path = self._folder / "digests" / f"{place}.json"
        known = _read_json(path)
        known = known if isinstance(known, dict) else {}
        result, changed = [], False
        for name, stats in listing.items():
            entry = known.get(name)
            if not isinstance(entry, list) or entry[:-1] != list(stats):
                now = time.time_ns()
                entry = [*stats, sha256(root / name)]
                if max(stats[1:3]) < now - SETTLED * 1e9:
                    known[name], changed = entry, True
            result.append(entry[-1])
        if changed:
            with suppress(OSError):
                path.parent.mkdir(exist_ok=True)
                there = {name: entry for name, entry in known.items() if name in listing}
                replace_text(path, json.dumps(there))
        return result

    def _kept(self, rows: Rows, shape: tuple[int, ...], progress: Progress) -> Tensor:
        """The pictures from their file, which is made if there is none; `OSError` if it cannot
        be."""
        assert self._folder
        ids = list(rows.ids())
        digest = hashlib.sha256(b"".join(ids)).hexdigest()[:24]
        family = self._folder / rows.family
        entry = family / digest
        if (found := _mapped(entry, shape)) is not None:
            return found
        family.mkdir(parents=True, exist_ok=True)
        with _alone(family):
            if (found := _mapped(entry, shape)) is not None:
                return found
            self._make_room(rows.nbytes)
            with draft(entry) as new:
                new.mkdir()
                self._write(new, rows, ids, family, progress)
                shutil.rmtree(entry, ignore_errors=True)  # one that is not whole
                replace(new, entry)
            if (found := _mapped(entry, shape)) is not None:
                return found
        raise OSError(f"{entry} cannot be mapped into memory")

    def _write(
        self, new: Path, rows: Rows, ids: Sequence[bytes], family: Path, progress: Progress
    ) -> None:
        """Make the files of a set in the folder `new`."""
        path = new / _PIXELS
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):  # a full disk is an error now, no SIGBUS later
                os.posix_fallocate(file.fileno(), 0, rows.nbytes)
            else:
                file.truncate(rows.nbytes)
        shape = (rows.count, 3, rows.size, rows.size)
        pixels = np.memmap(path, np.uint8, "r+", shape=shape)
        missing = self._copy(pixels, ids, family)
        told = _told(progress, len(missing))
        rows.fill(pixels, path, missing, told)
        pixels.flush()
        (new / _IDS).write_bytes(b"".join(ids))
        (new / _SUM).write_text(f"{_checksum(new):08x}\n", "utf-8")
        for name in (_PIXELS, _IDS, _SUM):
            with (new / name).open("rb+") as file:
                os.fsync(file.fileno())

    def _copy(self, pixels: Pixels, ids: Sequence[bytes], family: Path) -> list[int]:
        """Copy the pictures that other sets have, and return the positions of the rest."""
        missing = list(range(len(ids)))
        for other in _newest_first(family):
            if not missing:
                break
            with suppress(OSError, ValueError):
                known = (other / _IDS).read_bytes()
                where = {known[i : i + 32]: i // 32 for i in range(0, len(known), 32)}
                shape = (len(known) // 32, *pixels.shape[1:])
                theirs = np.memmap(other / _PIXELS, np.uint8, "r", shape=shape)
                found = [i for i in missing if ids[i] in where]
                if found and not _sound(other):
                    continue
                for start in range(0, len(found), _BLOCK):
                    here = found[start : start + _BLOCK]
                    pixels[here] = theirs[[where[ids[i]] for i in here]]
                taken = set(found)
                missing = [i for i in missing if i not in taken]
        return missing

    def _has_room(self, nbytes: int) -> bool:
        if self._folder is None or nbytes > self._limit:
            return False
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return False
        return nbytes + SPARE < free + sum(size for _, size, _ in self._entries())

    def _entries(self) -> list[tuple[float, int, Path]]:
        """When each thing that is kept was last used, its bytes, and its path."""
        found = []
        assert self._folder
        for path in (*self._folder.glob("*/*/" + _PIXELS), *self._folder.glob("*/*.json")):
            with suppress(OSError):
                at = path.stat()
                whole = path.parent if path.name == _PIXELS else path
                if not whole.name.startswith("."):
                    found.append((at.st_mtime, at.st_size, whole))
        return found

    def _make_room(self, nbytes: int) -> None:
        """Remove what has not been used for longest, until so many bytes more are within the
        limit and on the disk."""
        assert self._folder
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            free = shutil.disk_usage(self._folder).free
            if total + nbytes <= self._limit and nbytes + SPARE < free:
                return
            total -= size
            with suppress(OSError):
                if path.is_dir():
                    gone = path.with_name(f".{path.name}.{os.getpid()}.gone")
                    path.rename(gone)  # at once: nobody finds half of it
                    shutil.rmtree(gone, ignore_errors=True)
                else:
                    path.unlink()


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in memory that does not depend on its size."""
    told = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            told.update(part)
    return told.hexdigest()


def _usable(folder: Path) -> bool:
    """Whether files can be put there, and by nobody else."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return is_private(folder) and os.access(folder, os.W_OK)
    except OSError:
        return False


def _mapped(entry: Path, shape: tuple[int, ...]) -> Tensor | None:
    """The pictures in an entry; None if there is no whole one."""
    path = entry / _PIXELS
    try:
        if path.stat().st_size != int(np.prod(shape)):
            return None
        if (entry / _IDS).stat().st_size != 32 * shape[0] or not _sound(entry):
            return None
        found = np.memmap(path, np.uint8, "c", shape=shape)
        os.utime(path)
    except (OSError, ValueError):
        return None
    return torch.from_numpy(found)


def _checksum(entry: Path) -> int:
    """The CRC-32 of an entry's files, in 0.35 seconds per gigabyte that is in memory."""
    told = 0
    for name in (_IDS, _PIXELS):
        with (entry / name).open("rb") as file:
            while part := file.read(2**20):
                told = zlib.crc32(part, told)
    return told


def _sound(entry: Path) -> bool:
    """Whether an entry is as it was written; `OSError` or `ValueError` where it cannot be read."""
    return int((entry / _SUM).read_text("utf-8"), 16) == _checksum(entry)


def _newest_first(family: Path) -> list[Path]:
    entries = []
    for path in family.glob("*/" + _PIXELS):
        with suppress(OSError):
            if not path.parent.name.startswith("."):
                entries.append((path.stat().st_mtime, path.parent))
    return [path for _, path in sorted(entries, reverse=True)]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; the others wait."""
    lock = FileLock(folder / _LOCK, fallback_to_soft=False)
    try:
        lock.acquire()
        for left in (*folder.glob(".*.tmp"), *folder.glob(".*.gone")):  # by processes that died
            shutil.rmtree(left, ignore_errors=True)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()


def _told(progress: Progress, total: int) -> Callable[[int], None]:
    """How many pictures have been read, for `progress`."""
    done = 0

    def more(number: int) -> None:
        nonlocal done
        done += number
        progress("reading pictures", done, total)

    return more


def _read_json(path: Path) -> object:
    try:
        known: object = json.loads(path.read_text(encoding="utf-8"))
        os.utime(path)
    except (OSError, ValueError, RecursionError):
        return None
    return known


def _hex(id: bytes) -> str:
    return id.hex()
