"""Files of several pictures: pages of a TIFF, frames of an animation (GIF, WebP, PNG, AVIF).

Of them the first is read (`lab.core.pictures`). Not counted are pictures that show the first one
again: the preview or depth map in a phone's JPEG (MPO), the sizes of an icon, and the thumbnails,
reduced copies (pyramids) and transparency masks of a TIFF.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

FORMATS = frozenset({"TIFF", "GIF", "WEBP", "PNG", "AVIF"})
"""Pillow's formats whose files are looked into."""

MOST = 100
"""Pictures of a file that are counted, and pages of a TIFF that are looked at."""

_KIND, _WIDTH, _HEIGHT = 254, 256, 257  # tags of TIFF
_REDUCED, _MASK = 1, 4
"""Bits of NewSubfileType (TIFF 6.0): a smaller copy of another page, its transparency mask."""


def frame_suffixes() -> frozenset[str]:
    """Endings of the names of files that may have several pictures, in lower case."""
    known = Image.registered_extensions()
    return frozenset(ending for ending, form in known.items() if form in FORMATS)


def frames_in(path: Path, *, most: int = MOST) -> int:
    """How many pictures the file at `path` has, as the module says; `most` stands for that many or
    more (at least 2, at most `MOST`). 1 for files of other formats and what cannot be read.

    No pixels are decoded. 0.2 ms for a PNG or the first two pages of a TIFF; a GIF is read to its
    end.
    """
    Image.init()  # all formats are known from then on
    try:
        with warnings.catch_warnings(), path.open("rb") as stream:
            warnings.simplefilter("ignore")
            with Image.open(stream, formats=sorted(FORMATS & set(Image.OPEN))) as file:
                if file.format == "TIFF":
                    return _pages(file, most)
                return min(most, getattr(file, "n_frames", 1))
    except Exception:  # Pillow's plugins raise a dozen kinds for damaged files
        return 1


def frames_told(path: Path) -> str:
    """The number of pictures in the file at `path` as text, such as "2" or "100 or more"; nothing
    if it has one."""
    count = frames_in(path)
    if count == 1:
        return ""
    return f"{count} or more" if count == MOST else f"{count}"


def _pages(file: Image.Image, most: int) -> int:
    """The first page of a TIFF and those that do not show it again, `most` at most."""
    tags: Mapping[int, Any] = file.tag_v2  # type: ignore[attr-defined]  # of TIFFs only
    width, height = tags[_WIDTH], tags[_HEIGHT]
    count = 1
    for number in range(1, MOST):
        try:
            file.seek(number)
        except EOFError:
            break
        tags = file.tag_v2  # type: ignore[attr-defined]
        small = 2 * tags[_WIDTH] <= width and 2 * tags[_HEIGHT] <= height
        count += not (small or tags.get(_KIND, 0) & (_REDUCED | _MASK))
        if count == most:
            break
    return count
