"""Hostile pictures: an answer or one line, never a traceback, a hang, or unbounded memory."""

import io
import os
import resource
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from PIL import Image

from lab.core.cli import one_line
from lab.core.pictures import MOST_PIXELS, read_picture
from support.hostile import TIMES, search
from support.killing import answer_of
from support.raw_pictures import PALETTE, chunk, icc, pack, pfm, png, tga, tiff
from support.scripts import is_a_good_line

MODES = ("RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "I", "I;16", "F", "YCbCr")
FORMATS = (
    "PNG",
    "JPEG",
    "GIF",
    "TIFF",
    "BMP",
    "WEBP",
    "ICO",
    "PPM",
    "TGA",
    "PCX",
    "DDS",
    "JPEG2000",
)


@cache
def encoded() -> dict[str, bytes]:
    """A small noisy picture in every mode and format that go together, and odd cases."""
    noise = Image.effect_noise((40, 30), 60).convert("RGB")
    files = {}

    def add(name: str, picture: Image.Image, form: str, **options: object) -> None:
        buffer = io.BytesIO()
        try:
            picture.save(buffer, form, **options)
        except (OSError, KeyError, ValueError):  # not every mode fits into every format
            return
        files[f"{name}.{form.lower()}"] = buffer.getvalue()

    for mode in MODES:
        picture = Image.new(mode, (40, 30), 777) if mode == "I;16" else noise.convert(mode)
        for form in FORMATS:
            add(mode.replace(";", ""), picture, form)
    for name, size in {"dot": (1, 1), "thin": (1, 3000), "wide": (3000, 1)}.items():
        add(name, Image.new("RGB", size, "red"), "PNG")
        add(name, Image.new("RGB", size, "red"), "GIF")
    for form in ("GIF", "WEBP", "PNG"):
        add("animated", noise, form, save_all=True, append_images=[noise.rotate(90)] * 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    for form in ("JPEG", "PNG", "WEBP", "TIFF"):
        add("turned", noise, form, exif=exif)
    palette = noise.convert("P")
    add("see-through", palette, "PNG", transparency=bytes(range(256)))
    add("see-through", palette, "GIF", transparency=3)
    add("see-through-rgb", noise, "PNG", transparency=(1, 2, 3))
    for way in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        add(way, noise, "TIFF", compression=way)
    add("group4", noise.convert("1"), "TIFF", compression="group4")
    profile = icc(np.eye(3), gamma=1.8)
    for form in ("JPEG", "PNG", "TIFF", "WEBP"):
        add("profile", noise, form, icc_profile=profile)
    add("profile-gray", noise.convert("L"), "PNG", icc_profile=icc(None, gamma=1.8))
    add("profile-cmyk", noise.convert("CMYK"), "JPEG", icc_profile=profile)
    gray = np.asarray(noise.convert("L"))
    files["twelve.tif"] = tiff(gray, bits=12, packed=pack(gray.astype(np.int64), 12))
    for kind in ("f4", "i4", "u4", "i2"):
        files[f"{kind}.tif"] = tiff(gray.astype(kind))
    files["palette.tif"] = tiff(gray, photometric=PALETTE, tags={320: (3, list(range(256)) * 3)})
    files["float.pfm"] = pfm(gray / np.float32(255))
    files["gamma.png"] = png(gray, color=0, gAMA=struct.pack(">I", 100_000))
    files["alpha.tga"] = tga(np.asarray(noise.convert("RGBA")), alpha_bits=0)
    return files


def is_picture_or_line(path: Path) -> bool:
    """Assert that a file is read, or refused in one line that names it; whether it is read."""
    try:
        picture = read_picture(path, size=16).pixels
    except ValueError as error:
        is_a_good_line(one_line(str(error)), names=path.name)
        return False
    assert picture.dtype == torch.uint8
    assert picture.shape == (3, 16, 16)
    return True


def test_every_format_and_mode_is_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(encoded()) > 70
    for name, content in encoded().items():
        path = tmp_path / name
        path.write_bytes(content)
        assert is_picture_or_line(path), name
    assert capfd.readouterr() == ("", "")


@TIMES
def test_damaged_pictures_are_an_answer_or_one_line(
    times: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "picture"  # its name says nothing of its format
    places = st.integers(0, 5000) | st.integers(0, 60)  # most of what breaks stands at the start

    def holds(name: str, keep: int | None, changes: list[tuple[int, int]], more: bytes) -> None:
        content = bytearray(encoded()[name])
        for place, value in changes:
            content[place % len(content)] = value
        path.write_bytes(bytes(content[:keep]) + more)
        is_picture_or_line(path)

    search(
        holds,
        st.sampled_from(sorted(encoded())),
        st.none() | places,
        st.lists(st.tuples(places, st.integers(0, 255)), max_size=4),
        st.just(b"") | st.binary(max_size=50),
        examples=500,
        times=times,
    )
    assert capfd.readouterr() == ("", ""), "libraries write to standard error, too"


def test_what_is_no_picture_file_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # reading it would wait forever
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("two\nlines")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "vector.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    (tmp_path / "esc\x1b[31m\n.png").touch()
    names = [
        *(path.name for path in tmp_path.iterdir()),
        "missing.png",
        "a" * 300,
        "a\0b",
        "\udcff",
    ]
    for name in names:
        with pytest.raises(
            ValueError,
            match=r"no such file|no file|a folder|a pipe|circle|cannot be read|too long|Too many",
        ):
            read_picture(tmp_path / name, size=16)
    for device in ("/dev/zero", "/dev/stdin"):
        with pytest.raises(ValueError, match=device):
            read_picture(Path(device), size=16)
    with pytest.raises(ValueError, match="PostScript"):
        read_picture(tmp_path / "vector.eps", size=16)


def gray_png(width: int, height: int, rows: int) -> bytes:
    """A gray PNG that claims a size and holds fewer rows."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width + 1) * rows), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def bombs() -> dict[str, bytes]:
    """Files of some kilobytes that claim gigabytes, by their names."""
    return {
        "claims.png": gray_png(100_000, 100_000, 1),
        "long.png": gray_png(2**31 - 1, 1, 0),
        "real.png": gray_png(12_000, 12_000, 12_000),
        "inside.ico": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0"
        + struct.pack("<II", len(gray_png(30_000, 30_000, 1)), 22)
        + gray_png(30_000, 30_000, 1),
        "claims.bmp": b"BM"
        + struct.pack("<IHHIIiiHH24x", 99, 0, 0, 54, 40, 99_999, 99_999, 1, 24),
        "claims.gif": b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b","
        + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0) + b"\x02\x01\0\0;",
        "claims.ppm": b"P6 90000 90000 255\n",
        "text.png": gray_png(9, 9, 9)[:33]
        + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8), 9))
        + gray_png(9, 9, 9)[33:],
    }  # fmt: skip


def read_with_little_memory(folder: Path) -> dict[str, str]:
    """What is said of each picture of a folder by a process that may take 600 MB more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 600_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    told = {}
    for path in sorted(folder.iterdir()):
        try:
            read_picture(path, size=16)
            told[path.name] = "read"
        except ValueError as error:
            told[path.name] = str(error)
    return told


def test_bombs_take_little_memory(tmp_path: Path) -> None:
    """Read by a process that may not have them."""
    files = bombs()
    for name, content in files.items():
        assert len(content) < 300_000
        (tmp_path / name).write_bytes(content)
    told = answer_of(read_with_little_memory, tmp_path)
    assert told.keys() == files.keys()
    for name in ("claims.png", "long.png", "real.png", "claims.bmp", "claims.gif", "claims.ppm"):
        assert "pixels, too many" in told[name] or "exceeds limit" in told[name], told[name]
    assert MOST_PIXELS < 12_000**2
