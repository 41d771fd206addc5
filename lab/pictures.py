"""Read picture files as the networks know pictures: square, small, uint8 RGB."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

MOST_PIXELS = 100_000_000
"""Larger pictures are refused: a file of some kilobytes can claim to hold terabytes."""

PAPER = (128, 128, 128)
"""What lies behind transparent pictures."""


def read_picture(path: Path, *, size: int) -> Tensor:
    """The middle square of the picture at `path`, scaled to (3, `size`, `size`) uint8.

    Any format of pixels that Pillow reads, turned as its EXIF data say, transparency over gray, of
    several frames the first. Raises `ValueError` in one line if it cannot be read.
    """
    try:
        usable = path.is_file()  # a pipe or a device could be read forever
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    if not usable:
        raise ValueError(f"{path}: {'is no file' if path.exists() else 'there is no such file'}")
    try:
        with warnings.catch_warnings(), _silent_libraries():
            warnings.simplefilter("ignore")  # on odd files; what matters is checked here
            with Image.open(path) as file:
                if file.width * file.height > MOST_PIXELS:
                    raise ValueError(f"it has {file.width:,} x {file.height:,} pixels, too many")
                if file.format == "EPS":  # Pillow would hand the file to Ghostscript, to be run
                    raise ValueError("PostScript is a program, not pixels")
                picture = _upright_rgb(file)
    except Exception as error:  # Pillow's plugins raise a dozen kinds for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        if str(path) in reason:
            reason = reason.partition(" '")[0].partition(":")[0]
        if reason.startswith("decoder error"):
            reason = "its pixels are damaged"
        raise ValueError(f"{path}: cannot be read as a picture: {reason}") from None
    square = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()  # (3, S, S)


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Keep libtiff from writing about damaged files to the standard error of the process: Python's
    own is not asked."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none: nobody is told anything
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _upright_rgb(picture: Image.Image) -> Image.Image:
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16 bits per pixel
        picture = picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.new("RGBA", picture.size, (*PAPER, 255))
        picture.alpha_composite(layer)
    return picture.convert("RGB")
