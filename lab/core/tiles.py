"""Contact sheets: the boxes of the single pictures."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Box = tuple[int, int, int, int]
"""Left, upper, right and lower border in pixels, as Pillow has them."""

FEWEST, LEAST = 4, 16
"""A sheet holds this many pictures or more, each this many pixels wide and high or more."""

COVERED = 0.4
"""The share of a sheet that pictures cover, where gaps part them, at least."""

MOST = 40
"""Pictures beside each other, or above, that are looked for."""

LONGEST = 20_000
"""Pixels of a longer side with which a picture is not looked at: it would take too much memory."""

_LINES = 128
"""Lines of a picture that are looked at, evenly spread, to judge all columns, and the reverse."""

_SAME, _OTHER = 24, 16
"""Levels of 255 by which nearly all of a gap's pixels differ from its color at the most (JPEG
blurs), and by which two sides of a border differ at least."""

_BLUR = 2
"""Pixels beside a border into which scaling a sheet may have spread it."""


def find_tiles(picture: Image.Image) -> list[Box]:
    """The boxes of the pictures in a contact sheet, row by row; none if it is none.

    Either gaps of one color part at least `FEWEST` pictures of the same size, whatever is written
    between them; or the picture is a grid without gaps, at whose borders more pixels change
    abruptly than anywhere else. `picture` is RGB.
    """
    return [] if max(picture.size) > LONGEST else _parted(picture) or _adjacent(picture)


def _parted(picture: Image.Image) -> list[Box]:
    """Pictures of one size among what gaps enclose: bands of rows, cut at columns."""
    rows, columns = _sampled(picture, axis=0), _sampled(picture, axis=1)
    plain = np.concatenate([_plain(rows), _plain(columns)])
    if not len(plain):
        return []
    paper = np.median(plain, axis=0)
    found: list[Box] = []
    bands = list(_runs(_filled(rows, paper)))
    for top, bottom in bands if len(bands) <= 2 * MOST else []:  # lines of text between them, too
        band = picture.crop((0, top, picture.width, bottom))
        pieces = _runs(_filled(_sampled(band, axis=1), paper))
        found += [(left, top, right, bottom) for left, right in pieces]
    boxes = np.array(found).reshape(-1, 4)
    sizes = boxes[:, 2:] - boxes[:, :2]
    best, count = (0, 0), 0
    for width, height in np.unique(sizes, axis=0).tolist():
        if max(width, height) <= 2 * min(width, height):
            alike = int(_near(sizes, (width, height)).sum())
            best, count = max(((width, height), alike), (best, count), key=lambda pair: pair[1])
    width, height = best
    if count < FEWEST or count * width * height < COVERED * picture.width * picture.height:
        return []
    places = boxes[_near(sizes, best)]
    # where a picture's own border is of the gap's color, what was enclosed is smaller than it
    lefts, tops = _starts(places[:, 0]), _starts(places[:, 1])
    if max(len(lefts), len(tops)) > MOST:
        return []
    grid = [(left, top, left + width, top + height) for top in tops for left in lefts]
    return [box for box in grid if not _filled(_sampled(picture.crop(box), axis=0), paper).all()]


def _near(sizes: npt.NDArray[np.int64], size: tuple[int, int]) -> Any:
    """Which of `sizes` (N, 2) are `size`, or nearly: (N,)."""
    return (abs(sizes - size) <= np.maximum(1, 0.02 * np.array(size))).all(axis=1)


def _starts(places: npt.NDArray[np.int64]) -> list[int]:
    """The places, each once, of those next to each other the first."""
    ordered = np.unique(places)
    first = np.concatenate(([True], np.diff(ordered) > LEAST // 2))
    return [int(place) for place in ordered[first]]


def _adjacent(picture: Image.Image) -> list[Box]:
    """Pictures of the same size that touch each other and fill the whole."""
    width, height = picture.size
    columns = _divisions(_changes(_sampled(picture, axis=1)))
    rows = _divisions(_changes(_sampled(picture, axis=0)))
    wide, tall = width // columns, height // rows
    few = columns * rows < FEWEST or max(columns, rows) < 3  # a window has four panes, too
    if few or max(wide, tall) > 2 * min(wide, tall):
        return []
    return [
        (x * wide, y * tall, (x + 1) * wide, (y + 1) * tall)
        for y in range(rows)
        for x in range(columns)
    ]


def _sampled(picture: Image.Image, *, axis: int) -> npt.NDArray[np.int16]:
    """All rows (axis 0) or columns (1) of a picture, of each some pixels: (lines, pixels, 3)."""
    width, height = picture.size
    size = (min(width, _LINES), height) if axis == 0 else (width, min(height, _LINES))
    pixels = np.asarray(picture.resize(size, Image.Resampling.NEAREST)).astype(np.int16)
    return pixels if axis == 0 else pixels.swapaxes(0, 1)


def _plain(lines: npt.NDArray[np.int16]) -> Any:
    """The colors of those of `lines` (N, M, 3) that are of one color: (K, 3)."""
    colors = np.median(lines, axis=1)
    return colors[_filled(lines, colors[:, None])]


def _filled(lines: npt.NDArray[np.int16], colors: npt.NDArray[np.float64]) -> Any:
    """Which of `lines` (N, M, 3) are of a color, or nearly: (N,)."""
    return (abs(lines - colors).max(axis=2) <= _SAME).mean(axis=1) > 0.98


def _runs(blank: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Start and end of each run of at least `LEAST` lines that are not blank."""
    ends = np.flatnonzero(np.diff(np.concatenate(([True], blank, [True])).astype(np.int8)))
    for start, end in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True):
        if end - start >= LEAST:
            yield start, end


def _changes(lines: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """For each of `lines` (N, M, 3) the share of pixels that differ from the line before: (N,)."""
    changed = abs(np.diff(lines, axis=0)).max(2) > _OTHER
    return np.concatenate(([0.0], changed.mean(1)))


def _divisions(changes: npt.NDArray[np.float64]) -> int:
    """The largest number of equal parts at whose every border more changes than anywhere else, and
    most pixels do; 1 if there is none."""
    length = len(changes)
    for parts in range(min(MOST, length // LEAST), 1, -1):
        part = length // parts
        if length % parts == 0 and changes[part::part].min() > 0.5:
            place = np.arange(length) % part
            inside = (place >= _BLUR) & (place < part - _BLUR)
            if changes[part::part].min() > changes[inside].max():
                return parts
    return 1
