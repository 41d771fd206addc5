"""Whether the last bytes of a picture file were ever written. Where copying was interrupted after
space was reserved they are not, and Pillow reads most such files with a gray or black rest."""

from __future__ import annotations

import os
from typing import BinaryIO

MARKS = {**dict.fromkeys(("JPEG", "MPO"), b"\xff\xd9"), "PNG": b"IEND"}
"""What comes after the pixels, by Pillow's formats. MPOs begin as JPEGs."""

LOOKED_AT = 16
"""Bytes at the end of a file that are all equal where they were never written."""

UNFILLED, FEWEST = 0.125, 64
"""Share of a WebP at its end that is 0, and how many bytes, above which it was never written: even
pictures end with some."""


def lacks_its_end(stream: BinaryIO, kind: str | None) -> bool:
    """Whether a file of a Pillow's format ends with equal bytes, and without what `MARKS` says, or,
    of a WebP, with very many zeros. Padding after the end, and what cameras write there, are no
    loss. False for other formats. The position in the stream stays as it is."""
    if kind not in MARKS and kind != "WEBP":
        return False
    place = stream.tell()
    stream.seek(-min(LOOKED_AT, stream.seek(0, os.SEEK_END)), os.SEEK_END)
    lost = len(set(stream.read())) == 1
    if lost:
        stream.seek(0)
        content = stream.read()
        lost = _is_unfilled(content) if kind == "WEBP" else MARKS[kind] not in _pixels(content)
    stream.seek(place)
    return lost


def _is_unfilled(content: bytes) -> bool:
    """Whether a WebP, as long as RIFF says, ends with too many zeros."""
    content = content[: 8 + int.from_bytes(content[4:8], "little")]
    zeros = len(content) - len(content.rstrip(b"\0"))
    return zeros > max(FEWEST, UNFILLED * len(content))


def _pixels(content: bytes) -> bytes:
    """A PNG or JPEG from its pixels on: of a JPEG from its first scan (SOS) on, after the segments
    before it, one of which may hold a thumbnail, which is a whole JPEG."""
    if content.startswith(b"\x89PNG"):
        return content[content.find(b"IDAT") :]
    place = 2
    while content[place : place + 1] == b"\xff" and content[place + 1 : place + 2] != b"\xda":
        is_fill = content[place + 1 : place + 2] == b"\xff"  # of which there may be some
        place += 1 if is_fill else 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return content[place:]
