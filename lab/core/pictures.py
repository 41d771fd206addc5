"""Picture files as network input: square, small, uint8 RGB, in sRGB.

Torch is imported only where tensors are made: processes that decode files start without it.

The conversion of a file, by the meaning of its values:

- Of several frames or pages the first (`lab.core.frames` counts them); turned and mirrored as its
  EXIF data say.
- Gray of 1, 2, 4, 8, 12 or 16 bits: from black to white of that many bits. TIFFs in which zero is
  white are inverted.
- Gray whose file does not say what is white (32-bit floats, 32-bit and signed 16-bit whole
  numbers): white is 1 (floats only), 255, 65,535 or the type's own largest value, whichever lies
  above the picture's largest number by less than a factor of four. Numbers that fit none, negative
  ones and those that are not finite are refused; all zeros are black.
- Colors: CMYK, YCbCr, CIELAB and palettes become RGB. An embedded ICC profile is applied, and so is
  a PNG's gamma if it is not about 1 / 2.2; a damaged profile, or one for other channels, is left
  aside as if there were none. A PNG that names its colors otherwise, by chromaticities (cHRM) or
  code points (cICP: Display P3, HDR), is read as if they were those of sRGB.
- Transparency, in every form (alpha, premultiplied alpha, palette, a single color), lies over
  middle gray, `PAPER`. A BMP of which all alpha is 0 is opaque: most programs leave it so.
- Refused: programs (EPS, PostScript, WMF), formats of measurements (FITS, HDF5 and the like), TIFFs
  with further bands beside the colors (near infrared, spot colors), signed 8-bit numbers, 16-bit
  colors of which one stands for transparency, what Pillow is known to misread (see `_check`), what
  it does not read, files that end too early, and PNGs, JPEGs and WebPs whose last bytes were never
  written (of AVIF and files without compression such an end is not noticed).
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from lab.core.endings import lacks_its_end
from lab.core.text import missing

if TYPE_CHECKING:
    from torch import Tensor

Resize = Literal["crop", "letterbox", "stretch"]
"""How a picture that is not square becomes so: its middle square is taken; it is scaled as a whole
and gets bars of `PAPER`; its sides are scaled by different factors."""

MOST_PIXELS = 100_000_000
"""Larger pictures are refused: a file of some kilobytes can claim to hold terabytes."""

PAPER = (128, 128, 128)
"""What lies behind transparent pictures, and beside those that are letterboxed."""

REFUSED = {
    "EPS": "PostScript is a program, not pixels",  # Pillow would hand it to Ghostscript, to be run
    "WMF": "WMF and EMF are programs, not pixels",
    **dict.fromkeys(("FITS", "BUFR", "GRIB", "HDF5"), "it holds measurements, not pixels"),
    "MPEG": "it is a film",
}
"""Pillow's formats that are not read, and why."""

VARIANTS = ("MPO",)
"""Formats that Pillow opens as another one's: several JPEGs in a file, as cameras write them."""

MARGIN = 4
"""A picture of numbers without a scale is read where its largest is more than white / MARGIN: a
darker one may be of another scale, and would silently be read as black."""

_BLOCK = 256
"""Rows that are scaled at a time, which bounds the memory for floats."""

_BITS, _PHOTOMETRIC, _PLANES, _COLORMAP, _SAMPLE_FORMAT = 258, 262, 284, 320, 339  # tags of TIFF
_WHITE_IS_ZERO, _UNSIGNED, _SIGNED, _APART = 0, 1, 2, 2  # their values

_SAMPLES, _EXTRA = 277, 338  # tags of TIFF: channels of a pixel, and what those beyond colors are
_ALPHA = 1, 2
"""Values of ExtraSamples that are transparency (TIFF 6.0: associated alpha, unassociated alpha);
0 is data that the file says nothing of."""
_COLORS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
"""Channels of color, by TIFF's photometric interpretation."""

_HEAD = 26
"""Bytes at the start of a file that hold what Pillow does not tell of a PNG or a TGA."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture file converted for a network.

    `pixels` (3, S, S) uint8 show the upright picture, whose `width` and `height` in pixels they
    come from, or with `resize` 'crop' its middle square.
    """

    pixels: Tensor
    width: int
    height: int

    @property
    def side(self) -> int:
        """Width and height in the file's pixels of the square that was shrunk."""
        return min(self.width, self.height)


def read_picture(path: Path, *, size: int, resize: Resize = "crop") -> Picture:
    """The picture at `path`, brought to `size` pixels (Lanczos filter).

    Raises `ValueError` in one line if the file cannot be read as the module says.
    """
    return square(open_picture(path), size=size, resize=resize)


def square(picture: Image.Image, *, size: int, resize: Resize = "crop") -> Picture:
    """An RGB picture, brought to `size` pixels; no pixel changes if that is its size already."""
    import torch

    pixels = torch.from_numpy(squared(picture, size=size, resize=resize)).permute(2, 0, 1)
    return Picture(pixels=pixels.contiguous(), width=picture.width, height=picture.height)


def squared(picture: Image.Image, *, size: int, resize: Resize = "crop") -> npt.NDArray[np.uint8]:
    """The pixels (S, S, 3) of an RGB picture that is brought to `size` pixels (Lanczos filter)."""
    filtering = Image.Resampling.LANCZOS
    if resize == "letterbox":
        longer = max(picture.size)
        width, height = (max(1, round(side * size / longer)) for side in picture.size)
        small = Image.new("RGB", (size, size), PAPER)
        whole = picture.resize((width, height), filtering)
        small.paste(whole, ((size - width) // 2, (size - height) // 2))
    elif resize == "stretch":
        small = picture.resize((size, size), filtering)
    else:
        small = ImageOps.fit(picture, (size, size), filtering)
    return np.array(small)


def open_picture(path: Path) -> Image.Image:
    """The whole picture at `path`, upright, 8-bit RGB. Errors as in `read_picture`."""
    try:
        usable = path.is_file()  # a pipe or a device could be read forever
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    if not usable:
        raise ValueError(f"{path}: {missing(path)}")
    try:
        with (
            warnings.catch_warnings(),
            _silent_libraries(),
            _whole_files(),
            path.open("rb") as stream,
        ):
            warnings.simplefilter("ignore")  # on odd files; what matters is checked here
            head = stream.read(_HEAD)
            stream.seek(0)
            with Image.open(stream) as file:
                if lacks_its_end(stream, file.format):
                    raise ValueError("its end is lost, as where copying it was interrupted")
                return _upright_rgb(file, head)
    except Exception as error:  # Pillow's plugins raise a dozen kinds for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = "it is of no kind that is read (PNG, JPEG, GIF, WebP, BMP, usual TIFFs, …)"
        elif isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        elif reason.startswith("decoder error"):
            reason = "its pixels are damaged"
        raise ValueError(f"{path}: cannot be read as a picture: {reason}") from None


def has_unused_bits(path: Path) -> bool:
    """Whether the picture at `path` has 16 bits for each number, and the upper two are zero in all
    of them, as where 14 bits or fewer were stored. False for what cannot be read."""
    try:
        with warnings.catch_warnings(), _silent_libraries(), path.open("rb") as stream:
            warnings.simplefilter("ignore")
            head = stream.read(_HEAD)
            stream.seek(0)
            with Image.open(stream) as file:
                tags = getattr(file, "tag_v2", {}) if file.format == "TIFF" else {}
                depth = head[24] if file.format == "PNG" else _first(tags, _BITS, 8)
                if depth != 16 and not (file.format == "PPM" and file.mode == "I"):
                    return False
                if file.width * file.height > MOST_PIXELS:
                    return False
                bits = 16 if _is_numbers(file) else 8  # of colors Pillow keeps the upper 8
                numbers = np.asarray(file if bits == 16 else file.convert("RGB"))  # without alpha
                return bool(numbers.max() < 2 ** (bits - 2))
    except Exception:  # Pillow's plugins raise a dozen kinds for damaged files
        return False


@contextmanager
def _whole_files() -> Iterator[None]:
    """Refuse truncated files, whatever settings of Pillow a network's file has changed."""
    told = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = told


def picture_suffixes() -> frozenset[str]:
    """Endings of the names of files that may be read, such as .png, in lower case."""
    known = Image.registered_extensions()
    return frozenset(
        ending
        for ending, form in known.items()
        if (form in Image.OPEN or form in VARIANTS) and form not in REFUSED
    )


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder but hidden ones; links are followed, each folder once. `OSError` if
    one cannot be read."""
    seen = set()

    def fail(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in files if not name.startswith("."))


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


def _upright_rgb(file: Image.Image, head: bytes) -> Image.Image:
    """`file`, not decoded yet, as the module says; `head` are its first bytes."""
    if file.width * file.height > MOST_PIXELS:
        raise ValueError(f"it has {file.width:,} x {file.height:,} pixels, too many")
    if file.format in REFUSED:
        raise ValueError(REFUSED[file.format])
    tags: Mapping[int, Any] = getattr(file, "tag_v2", {}) if file.format == "TIFF" else {}
    _check(file, tags)
    exponent = _exponent(file)
    ImageOps.exif_transpose(file, in_place=True)  # and decode it
    color, alpha = _channels(file, tags, head, exponent)
    rgb = _to_srgb(color, file.info.get("icc_profile"))
    if exponent != 1 and not _is_numbers(file):
        rgb = rgb.point([round(255 * (v / 255) ** exponent) for v in range(256)] * 3)
    return _on_paper(rgb, alpha)


def as_rgb(picture: Image.Image) -> Image.Image:
    """A picture of a program as 8-bit RGB: numbers and transparency as in files, the pixels of
    colors as they are, not turned upright. `ValueError` in one line for what is not read."""
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {}) if picture.format == "TIFF" else {}
    color, alpha = _channels(picture.copy(), tags, b"", 1.0)
    return _on_paper(color.convert("RGB"), alpha)


def _on_paper(rgb: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """A picture over `PAPER`, where `alpha` (L; None: opaque) lets it through."""
    if alpha is None:
        return rgb
    paper = Image.new("RGB", rgb.size, PAPER)
    paper.paste(rgb, mask=alpha)
    return paper


def _check(file: Image.Image, tags: Mapping[int, Any]) -> None:
    """Refuse what Pillow 13 silently misreads, and what is ambiguous."""
    if tags and _first(tags, _SAMPLE_FORMAT, _UNSIGNED) == _SIGNED and file.mode == "L":
        raise ValueError("it holds signed 8-bit numbers, which do not say what is black")
    planes = tags and _first(tags, _PLANES, 1) == _APART and file.mode not in ("L", "P", "1")
    if planes and not (_first(tags, _BITS, 8) == 8 and file.mode in ("RGB", "RGBA", "CMYK")):
        raise ValueError("channels in planes of their own are read for 8-bit colors only")
    compressed = file.info.get("compression") != "raw"
    if file.mode in ("I", "F") and compressed and getattr(tags, "prefix", b"") == b"MM":
        raise ValueError("compressed numbers in the byte order MM: save it uncompressed")
    if file.format == "PSD" and file.mode == "1":
        raise ValueError("a PSD of 1 bit per pixel: save it with 8")


def _refuse_bands(tags: Mapping[int, Any]) -> None:
    """Refuse a TIFF that has further channels than those of its colors and transparency: Pillow
    drops those that the file calls nothing, and takes one of which it says nothing for alpha."""
    count = int(_first(tags, _SAMPLES, 1))
    colors = _COLORS.get(_first(tags, _PHOTOMETRIC, -1), count)
    kinds = tuple(tags.get(_EXTRA, ()))[: count - colors]
    if count > colors and (len(kinds) < count - colors or set(kinds) - set(_ALPHA)):
        raise ValueError(
            f"it has {count} channels, {colors} of them colors, and does not say that the rest is"
            " transparency (tag ExtraSamples): further bands, as of near infrared, are not read"
        )


def _exponent(file: Image.Image) -> float:
    """What a PNG's values, from 0 to 1, are raised to so that they are sRGB's, near enough."""
    if file.format != "PNG" or "icc_profile" in file.info or "srgb" in file.info:
        return 1.0
    gamma = file.info.get("gamma", 0)
    exponent = 1 / (2.2 * gamma) if 0.1 < gamma < 10 else 1.0  # others are mistakes
    return exponent if abs(exponent - 1) > 0.05 else 1.0  # the threshold of libpng


def _is_numbers(picture: Image.Image) -> bool:
    """Whether its pixels are not bytes but larger numbers of one channel."""
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16")


def _channels(
    picture: Image.Image, tags: Mapping[int, Any], head: bytes, exponent: float
) -> tuple[Image.Image, Image.Image | None]:
    """Colors (L, RGB, CMYK, YCbCr, LAB or HSV) and alpha (L; None: opaque) of a picture."""
    _refuse_bands(tags)
    depth = head[24] if picture.format == "PNG" else 8  # bits per channel
    key = picture.info.get("transparency")
    if _is_numbers(picture):
        numbers = _numbers(picture, tags)
        alpha = None if key is None else Image.fromarray(np.uint8(255) * (numbers != key))
        return _gray(numbers, _white(picture, numbers, tags), tags, exponent), alpha
    if key is not None and picture.mode == "L" and depth < 8:
        picture.info["transparency"] = key * 255 // (2**depth - 1)  # as the pixels are stretched
    if key is not None and picture.mode == "RGB" and depth == 16:
        raise ValueError("a 16-bit color stands for transparency, but colors are read as 8 bits")
    if picture.mode in ("P", "PA") and tags and 0 < max(tags[_COLORMAP]) < 256:
        # some programs write 8 bits where 16 belong; libtiff's own tools know them by this, too
        picture.putpalette(bytes(np.array(tags[_COLORMAP], np.uint8).reshape(3, -1).T))
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.has_transparency_data or picture.mode == "RGBa":
        *color, alpha = picture.convert("LA" if picture.mode == "LA" else "RGBA").split()
        opaque = picture.format == "TGA" and head[17] % 16 != 8  # bits of alpha that it has
        opaque = opaque or (picture.format == "BMP" and not alpha.getbbox())
        return Image.merge("RGB" if color[1:] else "L", color), None if opaque else alpha
    if picture.mode in ("L", "RGB", "CMYK", "YCbCr", "LAB", "HSV"):
        return picture, None
    if picture.mode in ("1", "P", "RGBX"):
        return picture.convert("L" if picture.mode == "1" else "RGB"), None
    raise ValueError(f"pixels of mode {picture.mode} are not read")


def _numbers(picture: Image.Image, tags: Mapping[int, Any]) -> npt.NDArray[Any]:
    """The pixels (H, W) of a picture of numbers, in the file's own type where there is one."""
    numbers = np.asarray(picture)
    unsigned = tags and _first(tags, _SAMPLE_FORMAT, _UNSIGNED) == _UNSIGNED
    return numbers.view(np.uint32) if unsigned and picture.mode == "I" else numbers


def _white(picture: Image.Image, numbers: npt.NDArray[Any], tags: Mapping[int, Any]) -> float:
    """The number that stands for white; `ValueError` if it cannot be told."""
    if picture.mode.startswith("I;16"):
        return 2.0 ** (12 if _first(tags, _BITS, 16) == 12 else 16) - 1
    if picture.mode == "I" and picture.format == "PPM":
        return 65_535.0  # Pillow stretches them from what the file says
    low, high = float(numbers.min()), float(numbers.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("some of its numbers are not finite")
    whites = [255.0, 65_535.0]
    if picture.mode == "F":
        whites.insert(0, 1.0)
    else:
        signed = numbers.dtype.kind == "i"
        whites.append(2.0 ** (_first(tags, _BITS, 32) - signed) - 1)
        whites = [white for white in whites if white <= whites[-1]]
    if low == high == 0:
        return 1.0
    for white in whites:
        if low >= 0 and white / MARGIN < high <= white:
            return white
    known = ", ".join(f"{white:,.0f}" for white in whites)
    raise ValueError(
        f"its numbers go from {low:g} to {high:g}, so that it is unclear which is white ({known}?);"
        " save it with 8 or 16 bits per channel"
    )


def _gray(
    numbers: npt.NDArray[Any], white: float, tags: Mapping[int, Any], exponent: float
) -> Image.Image:
    """Numbers (H, W) from 0 to `white` as a picture of mode L."""
    gray = np.empty(numbers.shape, np.uint8)
    for top in range(0, len(numbers), _BLOCK):
        shares = numbers[top : top + _BLOCK] / white
        if _first(tags, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO:
            shares = 1 - shares
        gray[top : top + _BLOCK] = np.rint(255 * shares**exponent)
    return Image.fromarray(gray)


def _to_srgb(color: Image.Image, profile: bytes | None) -> Image.Image:
    """An opaque picture of any mode of colors as RGB, by its ICC profile if that can be used."""
    if profile and color.mode in ("L", "RGB", "CMYK"):
        try:
            embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                color, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            assert converted is not None, "it is not done in place"
            return converted
        except (ImageCms.PyCMSError, OSError):
            pass
    return color.convert("RGB")


def _first(tags: Mapping[int, Any], number: int, default: int) -> int:
    """The first value of a TIFF's tag."""
    value = tags.get(number, default)
    return int(value[0] if isinstance(value, Sequence) else value)
