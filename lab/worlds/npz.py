"""Arrays of pictures in .npz files: what is accepted, and reading them block by block.

`x` are the pictures, N x H x W (gray), N x H x W x C or N x C x H x W with 1 or 3 channels, uint8
or floats from 0 to 1; `y` are their labels (N,), whole numbers or texts. `x_test` and `y_test` may
say which pictures are for the test, and `class_names` (texts) what the whole numbers from 0 on
mean.
Arrays of Python objects are refused, so that no pickle is ever loaded.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lab.core.decoding import Pixels
from lab.core.text import plain

KEYS = ("x", "y", "x_test", "y_test", "class_names")
"""The arrays that are read; others are not used."""

BLOCK = 2**22
"""Bytes of pictures that are read at a time."""

MOST_LABELS = 10**8
"""Bytes of an array of labels or names, at most."""

SLACK = 1e-6
"""By how much floats may be beyond 0 and 1, as rounding makes them."""

DIM = 15
"""Pictures whose largest number is white / DIM or less are refused: masks of 0 and 1, numbers of 4
bits and floats that were divided by 255 twice would silently be read as nearly black."""

Array = npt.NDArray[Any]


class Unfit(ValueError):
    """What is wrong with arrays of pictures, in words that follow on the file's name."""


@dataclass(frozen=True)
class Form:
    """How pictures are stored: `shape` (N, …), `kind` of numbers, and the position of the channels
    among the axes of one picture (None: gray, without such an axis)."""

    shape: tuple[int, ...]
    kind: np.dtype[Any]
    channels: int | None

    @classmethod
    def of(cls, key: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> Form:
        """The form of an array of pictures; `Unfit` if it is none."""
        if kind.kind != "f" and kind != np.uint8:
            raise Unfit(f"{key} must be uint8 or floats from 0 to 1, not {_kind(kind)}")
        allowed = "N x H x W, N x H x W x 3 or N x 3 x H x W"
        if len(shape) not in (3, 4) or 0 in shape[1:]:
            raise Unfit(f"{key} must be {allowed}, not {_shape(shape)}")
        if len(shape) == 3:
            return cls(shape, kind, None)
        last, first = shape[3] in (1, 3), shape[1] in (1, 3)
        if last and first and shape[1] != shape[3]:  # 1 pixel wide or high, of 3 channels
            last, first = shape[3] == 3, shape[1] == 3
        if last and first and shape[2] != shape[1]:
            raise Unfit(f"{key} is {_shape(shape)}: it is unclear which axis has the channels")
        if not (last or first):
            raise Unfit(f"{key} must be {allowed}, not {_shape(shape)}")
        return cls(shape, kind, 2 if last else 0)

    def pixels(self, key: str, block: Array) -> Pixels:
        """Some of the pictures as RGB (N, H, W, 3) uint8; `Unfit` for numbers out of range."""
        if self.channels is None:
            block = block[..., None]
        elif self.channels == 0:
            block = block.transpose(0, 2, 3, 1)
        if block.dtype != np.uint8:
            if not np.isfinite(block).all():
                raise Unfit(f"{key} has numbers that are not finite")
            low, high = float(block.min(initial=0)), float(block.max(initial=0))
            if low < -SLACK or high > 1 + SLACK:
                raise Unfit(f"{key} has floats from {low:g} to {high:g}, and 0 to 1 are allowed")
            block = np.rint(block.astype(np.float64).clip(0, 1) * 255).astype(np.uint8)
        return np.ascontiguousarray(np.broadcast_to(block, (*block.shape[:3], 3)))


def refuse_dim(key: str, kind: np.dtype[Any], largest: float) -> None:
    """Raise `Unfit` if pictures with this `largest` number can hardly be from black to white."""
    white = 255 if kind == np.uint8 else 1
    if not 0 < largest <= white / DIM:
        return
    start = f"{key} has {largest:.3g} as its largest number"
    if kind == np.uint8:
        raise Unfit(
            f"{start}, and of uint8 255 is white, so that all would be nearly black: multiply it by"
            f" {255 // int(largest)}, or give floats from 0 to 1"
        )
    raise Unfit(
        f"{start}, and of floats 1 is white, so that all would be nearly black: was it divided"
        " twice? Give floats from 0 to 1"
    )


class Npz:
    """An .npz file with pictures; `Unfit` says what is wrong with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._names = {
                    name.removesuffix(".npy"): archive.getinfo(name)
                    for name in archive.namelist()
                    if name.endswith(".npy")
                }
        except Exception as error:  # zipfile raises several kinds for damaged archives
            reason = getattr(error, "strerror", None) or _reason(error)
            raise Unfit(f"it cannot be read as an .npz file: {reason}") from None
        for name in self.unused:
            if name.lower() in KEYS and name.lower() not in self._names:
                raise Unfit(
                    f"the array {plain(name)!r} in it is not read; did you mean {name.lower()!r}?"
                    f" Names are lower case: {', '.join(KEYS)}"
                )
        for key in ("x", "y"):
            if key not in self._names:
                there = ", ".join(sorted(self._names)) or "nothing"
                raise Unfit(f"there is no array {key!r} in it, but {there}")
        if ("x_test" in self._names) != ("y_test" in self._names):
            raise Unfit("x_test and y_test belong together, and one of them is missing")

    @property
    def unused(self) -> tuple[str, ...]:
        """The names of the arrays that are not read."""
        return tuple(sorted(name for name in self._names if name not in KEYS))

    def __contains__(self, key: str) -> bool:
        return key in self._names

    def form(self, key: str) -> Form:
        """The form of an array of pictures, of which nothing but the header is read."""
        with self._open(key) as file:
            shape, _, kind = self._header(key, file)
            return Form.of(key, shape, kind)

    def labels(self, key: str) -> Array:
        """An array of labels or names, whole."""
        with self._open(key) as file:
            shape, _, kind = self._header(key, file)
            size = int(np.prod(shape, dtype=object)) * kind.itemsize
            if size > MOST_LABELS:
                raise Unfit(f"{key} has {size / 1e6:,.0f} MB, too much for labels")
            return self._read(key, file, shape, kind)

    def blocks(self, key: str) -> Iterator[tuple[int, Pixels]]:
        """The pictures in order, some at a time: the number of the first, and RGB pixels."""
        with self._open(key) as file:
            shape, fortran, kind = self._header(key, file)
            form = Form.of(key, shape, kind)
            each = int(np.prod(shape[1:])) * kind.itemsize
            if fortran:  # its pictures are interleaved: it is read as a whole
                whole = self._read(key, file, shape[::-1], kind).transpose()
                for start in range(0, shape[0], max(1, BLOCK // each)):
                    yield start, form.pixels(key, whole[start : start + max(1, BLOCK // each)])
                return
            for start in range(0, shape[0], max(1, BLOCK // each)):
                count = min(max(1, BLOCK // each), shape[0] - start)
                block = self._read(key, file, (count, *shape[1:]), kind)
                yield start, form.pixels(key, block)

    def digest(self, key: str) -> str:
        """The SHA-256 of the numbers of an array of pictures as they are stored, with its shape;
        `Unfit` if they are of another scale, by `refuse_dim`."""
        largest = 0.0
        with self._open(key) as file:
            shape, fortran, kind = self._header(key, file)
            told = hashlib.sha256(f"{shape} {fortran} {kind.str}".encode())
            while part := self._some(key, file, 2**20 // kind.itemsize * kind.itemsize):
                told.update(part)
                if len(part) % kind.itemsize == 0:
                    largest = max(largest, float(np.frombuffer(part, kind).max()))
        refuse_dim(key, kind, largest)
        return told.hexdigest()

    def _open(self, key: str) -> _Member:
        return _Member(self, key)

    def _header(self, key: str, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        """Shape, whether columns come first, and kind of numbers of a member."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of headers that Python 2 wrote
                version = np.lib.format.read_magic(file)
                read = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }[version]
                shape, fortran, kind = read(file)
        except Exception as error:  # zlib.error, and what a parser of foreign text may raise
            raise Unfit(f"the array {key!r} is damaged: {_reason(error)}") from None
        if kind.hasobject:
            raise Unfit(f"{key} holds Python objects, which are not read: store numbers or texts")
        size = int(np.prod(shape, dtype=object)) * kind.itemsize
        have = self._names[key].file_size - file.tell()
        if any(side < 0 for side in shape) or size != have:
            raise Unfit(f"the array {key!r} is damaged: {size:,} bytes are said, {have:,} there")
        return tuple(shape), bool(fortran), kind

    def _read(self, key: str, file: IO[bytes], shape: Sequence[int], kind: np.dtype[Any]) -> Array:
        size = int(np.prod(shape, dtype=object)) * kind.itemsize
        content = self._some(key, file, size) if size else b""
        if len(content) != size:
            raise Unfit(f"the array {key!r} is damaged: it ends too early")
        return np.frombuffer(content, kind).reshape(shape)

    def _some(self, key: str, file: IO[bytes], size: int) -> bytes:
        try:
            return file.read(size)
        except Exception as error:  # zipfile raises whatever its decompressor does
            raise Unfit(f"the array {key!r} is damaged: {_reason(error)}") from None


class _Member:
    """An array's file within the archive, open inside `with`."""

    def __init__(self, owner: Npz, key: str) -> None:
        self._owner, self._key = owner, key

    def __enter__(self) -> IO[bytes]:
        try:
            self._archive = zipfile.ZipFile(self._owner.path)
            self._file = self._archive.open(self._owner._names[self._key].filename)
        except Exception as error:  # encrypted, compressed in an unknown way, replaced meanwhile
            raise Unfit(f"the array {self._key!r} cannot be read: {_reason(error)}") from None
        return self._file

    def __exit__(self, *rest: object) -> None:
        self._file.close()
        self._archive.close()


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _kind(kind: np.dtype[Any]) -> str:
    return "Python objects" if kind.hasobject else str(kind)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(f"{side}" for side in shape) or "a single number"
