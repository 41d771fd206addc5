"""Every kind of picture is read by what its numbers mean, or refused: files put together by hand
are compared with what NumPy says of them."""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lab.core.pictures import PAPER, as_rgb, open_picture, picture_suffixes, read_picture
from support.raw_pictures import (
    BLACK_IS_ZERO,
    CIELAB,
    CMYK,
    PALETTE,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    gif,
    icc,
    pack,
    pfm,
    png,
    pnm,
    tga,
    tiff,
)

SIZE = 16
RANDOM = np.random.default_rng(0)
GRAY = RANDOM.integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
GRAY[0, :2] = 0, 255
DEEP = RANDOM.integers(0, 65_536, (SIZE, SIZE)).astype(np.uint16)
DEEP[0, :2] = 0, 65_535
COLOR = RANDOM.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
ALPHA = RANDOM.integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
ALPHA[0], ALPHA[1] = 0, 255
INKS = RANDOM.integers(0, 256, (SIZE, SIZE, 4)).astype(np.uint8)
COLORS = RANDOM.integers(0, 256, (256, 3)).astype(np.uint8)
PREMULTIPLIED = np.rint(COLOR * (ALPHA[..., None] / 255)).astype(np.uint8)

Levels = npt.NDArray[np.floating]
Case = tuple[bytes, Levels]


def gray(levels: npt.ArrayLike) -> Levels:
    """Levels (H, W) as a gray picture (H, W, 3)."""
    return np.repeat(np.asarray(levels, float)[..., None], 3, axis=2)


def over(color: npt.ArrayLike, alpha: npt.ArrayLike) -> Levels:
    """A transparent picture over the paper."""
    share = np.asarray(alpha, float)[..., None] / 255
    return np.asarray(color, float) * share + np.array(PAPER) * (1 - share)


def seen(path: Path, content: bytes, *, size: int = SIZE) -> npt.NDArray[np.uint8]:
    """What a network sees of a file: (S, S, 3)."""
    path.write_bytes(content)
    return read_picture(path, size=size).pixels.permute(1, 2, 0).numpy()


def tiffs() -> Iterator[tuple[str, bytes, Levels]]:
    """Name, content and meaning of TIFFs in either byte order, plain and compressed."""
    for endian, deflate in (("<", False), ("<", True), (">", False), (">", True)):
        how = {"endian": endian, "deflate": deflate}
        tag = f"{'II' if endian == '<' else 'MM'}{'-deflate' * deflate}"
        for bits in (1, 2, 4, 8):
            values = GRAY >> (8 - bits)
            packed = pack(values, bits)
            levels = values / (2**bits - 1) * 255
            for zero, meant in ((BLACK_IS_ZERO, levels), (WHITE_IS_ZERO, 255 - levels)):
                made = tiff(GRAY, photometric=zero, bits=bits, packed=packed, **how)
                yield f"gray{bits}-{zero}-{tag}", made, gray(meant)
        yield f"gray16-{tag}", tiff(DEEP, **how), gray(DEEP / 257)
        few = RANDOM.integers(0, 256, (3, 16)).astype(np.uint16)
        for scale, name in ((257, "palette"), (1, "palette8")):
            table = {320: (3, (few * scale).ravel().tolist())}
            made = tiff(GRAY, photometric=PALETTE, bits=4, packed=pack(GRAY >> 4, 4), tags=table,
                        **how)  # fmt: skip
            yield f"{name}-{tag}", made, few.T[GRAY >> 4]
        inked = (255.0 - INKS[..., :3]) * (255.0 - INKS[..., 3:]) / 255
        yield f"cmyk-{tag}", tiff(INKS, photometric=CMYK, **how), inked
        yield f"rgb-{tag}", tiff(COLOR, photometric=RGB, **how), COLOR
        yield f"rgb-planes-{tag}", tiff(COLOR, photometric=RGB, planar=True, **how), COLOR
        yield f"rgb16-{tag}", tiff(COLOR * np.uint16(257), photometric=RGB, **how), COLOR
        for extra, pixels, meant in (
            (1, np.dstack([PREMULTIPLIED, ALPHA]), PREMULTIPLIED + over(0 * COLOR, ALPHA)),
            (2, np.dstack([COLOR, ALPHA]), over(COLOR, ALPHA)),
        ):
            tags = {338: (3, [extra])}
            yield f"rgba{extra}-{tag}", tiff(pixels, photometric=RGB, tags=tags, **how), meant
            made = tiff(pixels * np.uint16(257), photometric=RGB, tags=tags, **how)
            yield f"rgba16-{extra}-{tag}", made, meant
            made = tiff(np.ascontiguousarray(pixels[..., 1:3]), tags=tags, **how)
            two = np.ascontiguousarray(pixels[..., [0, 3]])
            level = gray(pixels[..., 0])
            meant = {1: level + over(0 * COLOR, ALPHA), 2: over(level, ALPHA)}[extra]
            yield f"la{extra}-{tag}", tiff(two, tags=tags, **how), meant
        table = {320: (3, (COLORS.T * np.uint16(257)).ravel().tolist()), 338: (3, [2])}
        made = tiff(np.dstack([GRAY, ALPHA]), photometric=PALETTE, tags=table, **how)
        yield f"pa-{tag}", made, over(COLORS[GRAY], ALPHA)
        if endian == "<":  # of the others Pillow opens none
            made = tiff(DEEP, photometric=WHITE_IS_ZERO, **how)
            yield f"gray16-0-{tag}", made, gray(255 - DEEP / 257)
            made = tiff(DEEP, bits=12, packed=pack(DEEP >> 4, 12), **how)
            yield f"gray12-{tag}", made, gray((DEEP >> 4) / 4095 * 255)


TIFFS = {name: (content, meant) for name, content, meant in tiffs()}


@pytest.mark.parametrize("name", TIFFS)
def test_tiffs_are_read_by_their_meaning(name: str, tmp_path: Path) -> None:
    content, meant = TIFFS[name]
    bound = 1.5 if "1-" in name else 1.01  # what was premultiplied has been rounded before
    assert np.abs(seen(tmp_path / "a.tif", content) - meant).max() <= bound


def numbers() -> Iterator[tuple[str, bytes, Levels]]:
    """Name, content and meaning of pictures whose files do not say which number is white."""
    share = (GRAY / 255).astype(np.float32)
    for endian in "<>":
        how = {"endian": endian}
        yield f"float1-{endian}", tiff(share, **how), gray(GRAY)
        yield f"pfm1-{endian}", pfm(share, **how), gray(GRAY)
        yield f"pfm255-{endian}", pfm(GRAY.astype(np.float32), **how), gray(GRAY)
        made = tiff(share, photometric=WHITE_IS_ZERO, **how)
        yield f"inverted-{endian}", made, gray(255 - GRAY)
        kinds = ["f4", "i4", "i2", *(["u4"] if endian == "<" else [])]
        for kind in kinds:
            yield f"{kind}-255-{endian}", tiff(GRAY.astype(kind), **how), gray(GRAY)
        for kind in ("f4", "i4"):
            yield f"{kind}-65535-{endian}", tiff(DEEP.astype(kind), **how), gray(DEEP / 257)
        made = tiff((DEEP >> 1).astype(np.int16), **how)
        yield f"i2-32767-{endian}", made, gray((DEEP >> 1) / 32_767 * 255)
        made = tiff(DEEP.astype(np.int32) * 32_768, **how)
        yield f"i4-all-{endian}", made, gray(DEEP / 257)
        yield f"zeros-{endian}", tiff(np.zeros((SIZE, SIZE), np.float32), **how), gray(0 * GRAY)
    yield "u4-all", tiff(DEEP.astype(np.uint32) * 65_537), gray(DEEP / 257)
    yield "i4-deflate", tiff(GRAY.astype(np.int32), deflate=True), gray(GRAY)
    yield "f4-deflate", tiff(share, deflate=True), gray(GRAY)
    yield "dim", tiff(share * np.float32(0.3)), gray(GRAY * 0.3)


NUMBERS = {name: (content, meant) for name, content, meant in numbers()}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_without_a_scale_are_read_by_their_range(name: str, tmp_path: Path) -> None:
    content, meant = NUMBERS[name]
    assert np.abs(seen(tmp_path / "a", content) - meant).max() <= 0.51


SHARE = (GRAY / 255).astype(np.float32)
NO_SCALE = {
    "not a number": (tiff(np.where(GRAY > 200, np.nan, SHARE).astype(np.float32)), "finite"),
    "infinite": (pfm(np.where(GRAY > 200, np.inf, SHARE).astype(np.float32)), "finite"),
    "negative": (tiff(SHARE - np.float32(0.5)), "-0.5 to 0.5"),
    "beyond 1": (tiff(SHARE * np.float32(1.25)), "0 to 1.25"),
    "beyond 255": (tiff(SHARE * np.float32(300)), "0 to 300"),
    "beyond 65535": (tiff(SHARE * np.float32(70_000)), "0 to 70000"),
    "scaled twice": (tiff(SHARE / np.float32(255)), "0 to 0.0039"),
    "a mask": (tiff((GRAY > 99).astype(np.int32)), "0 to 1"),
    "twelve bits": (tiff((DEEP >> 4).astype(np.int32)), "0 to 4095"),
    "signed": (tiff(GRAY.astype(np.int16) - np.int16(128)), "-128 to 127"),
    "signed bytes": (tiff((GRAY >> 1).astype(np.int8)), "signed"),
    "negative bytes": (tiff(GRAY.view(np.int8)), "signed"),
}


@pytest.mark.parametrize("name", NO_SCALE)
def test_numbers_of_unclear_meaning_are_refused_with_their_range(name: str, tmp_path: Path) -> None:
    content, says = NO_SCALE[name]
    with pytest.raises(ValueError, match=says) as caught:
        seen(tmp_path / "a.tif", content)
    assert "\n" not in str(caught.value)


MISREAD = {
    "floats of the other order, compressed": tiff(SHARE, endian=">", deflate=True),
    "numbers of the other order": tiff((GRAY >> 1).astype(np.int32), endian=">", deflate=True),
    "16-bit planes": tiff(COLOR * np.uint16(257), photometric=RGB, planar=True),
    "gray and alpha in planes": tiff(np.dstack([GRAY, ALPHA]), planar=True, deflate=True,
                                     tags={338: (3, [2])}),
    "colors of floats": tiff((COLOR / 255).astype(np.float32), photometric=RGB),
    "halves": tiff(SHARE.astype(np.float16)),
    "doubles": tiff(SHARE.astype(np.float64)),
    "shared colors": tiff(COLOR, photometric=YCBCR, packed=bytes(SIZE * SIZE * 3 // 2)),
    "a bitmap": b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, SIZE, SIZE, 1, 0) + bytes(14)
    + pack(GRAY >> 7, 1),
    "measurements": "".join(
        f"{name:8}= {value}".ljust(80)
        for name, value in {"SIMPLE": "T", "BITPIX": 8, "NAXIS": 2, "NAXIS1": SIZE, "NAXIS2": SIZE,
                            "END": ""}.items()
    ).replace("END     =", "END      ").encode().ljust(2880) + GRAY.tobytes(),
    "a deep color that is transparent": png(COLOR * np.uint16(257), color=2, bits=16,
                                            tRNS=bytes(6)),
}  # fmt: skip


@pytest.mark.parametrize("name", MISREAD)
def test_what_would_be_misread_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read as a picture: .+"):
        seen(tmp_path / "a", MISREAD[name])


def bands() -> Iterator[tuple[str, bytes]]:
    """Name and content of TIFFs with channels that are neither colors nor called transparency."""
    for endian, deflate in (("<", False), ("<", True), (">", False), (">", True)):
        how = {"endian": endian, "deflate": deflate}
        for kind in (np.uint8, np.uint16):
            scale = kind(257 if kind is np.uint16 else 1)
            for extra in ((0,), (), (0, 0), (1, 0), (2, 0), (0, 0, 0), (2, 0, 0)):
                pixels = np.dstack([COLOR, *[ALPHA] * max(1, len(extra))]).astype(kind) * scale
                tags = {338: (3, list(extra))} if extra else {}
                name = f"rgb-{extra}-{kind.__name__}-{endian}-{deflate}"
                yield name, tiff(pixels, photometric=RGB, tags=tags, **how)
        one = {338: (3, [0])}
        made = tiff(np.dstack([COLOR, ALPHA]), photometric=RGB, tags=one, planar=True, **how)
        yield f"planes-{endian}-{deflate}", made
        yield f"gray-{endian}-{deflate}", tiff(np.dstack([GRAY, ALPHA]), tags=one, **how)
        made = tiff(np.dstack([INKS, ALPHA]), photometric=CMYK, tags=one, **how)
        yield f"inks-{endian}-{deflate}", made
        table = {320: (3, (COLORS.T * np.uint16(257)).ravel().tolist()), **one}
        made = tiff(np.dstack([GRAY, ALPHA]), photometric=PALETTE, tags=table, **how)
        yield f"palette-{endian}-{deflate}", made


BANDS = dict(bands())


@pytest.mark.parametrize("name", BANDS)
def test_bands_beside_the_colors_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read as a picture: .+") as caught:
        seen(tmp_path / "a.tif", BANDS[name])
    assert "\n" not in str(caught.value)


def test_the_refusal_of_bands_says_what_they_are(tmp_path: Path) -> None:
    for count, extra in ((4, [0]), (5, [0, 0]), (5, [2, 0])):
        pixels = np.dstack([COLOR, *[ALPHA] * (count - 3)])
        content = tiff(pixels, photometric=RGB, tags={338: (3, extra)})
        says = rf"it has {count} channels, 3 of them colors, .*ExtraSamples.*near infrared"
        with pytest.raises(ValueError, match=says):
            seen(tmp_path / "a.tif", content)
        with Image.open(io.BytesIO(content)) as opened, pytest.raises(ValueError, match=says):
            as_rgb(opened)
    alpha = tiff(np.dstack([COLOR, ALPHA]), photometric=RGB, tags={338: (3, [2])})
    with Image.open(io.BytesIO(alpha)) as opened:
        assert np.abs(np.asarray(as_rgb(opened)) - over(COLOR, ALPHA)).max() <= 1.01


def pngs() -> Iterator[tuple[str, bytes, Levels]]:
    """Name, content and meaning of PNGs of every color type, depth and form of transparency."""
    for interlaced in (False, True):
        tag = "interlaced" if interlaced else "plain"
        for bits in (1, 2, 4, 8, 16):
            values = DEEP >> (16 - bits)
            levels = gray(values / (2**bits - 1) * 255)
            made = png(values, color=0, bits=bits, interlaced=interlaced)
            yield f"gray{bits}-{tag}", made, levels
            key = int(values[3, 3])
            made = png(values, color=0, bits=bits, interlaced=interlaced,
                       tRNS=struct.pack(">H", key))  # fmt: skip
            yield f"gray{bits}-key-{tag}", made, over(levels, 255 * (values != key))
        for bits in (8, 16):
            scale = np.uint16(257 if bits == 16 else 1)
            how = {"bits": bits, "interlaced": interlaced}
            yield f"rgb{bits}-{tag}", png(COLOR * scale, color=2, **how), COLOR
            made = png(np.dstack([COLOR, ALPHA]) * scale, color=6, **how)
            yield f"rgba{bits}-{tag}", made, over(COLOR, ALPHA)
            made = png(np.dstack([GRAY, ALPHA]) * scale, color=4, **how)
            yield f"la{bits}-{tag}", made, over(gray(GRAY), ALPHA)
        made = png(COLOR, color=2, interlaced=interlaced,
                   tRNS=struct.pack(">HHH", *COLOR[3, 3].tolist()))  # fmt: skip
        clear = (COLOR[3, 3] == COLOR).all(axis=2)
        yield f"rgb8-key-{tag}", made, over(COLOR, 255 * ~clear)
        for bits in (1, 2, 4, 8):
            values, count = GRAY >> (8 - bits), 2**bits
            how = {"color": 3, "bits": bits, "interlaced": interlaced}
            palette = COLORS[:count]
            some = RANDOM.integers(0, 256, count).astype(np.uint8)
            one, first = np.full(count, 255, np.uint8), np.full(count, 255, np.uint8)
            one[1], first[0] = 0, 7
            yield (
                f"palette{bits}-{tag}",
                png(values, PLTE=palette.tobytes(), **how),
                palette[values],
            )
            for name, alphas, stored in (("some", some, count), ("one", one, count),
                                         ("first", first, 1)):  # fmt: skip
                made = png(values, PLTE=palette.tobytes(), tRNS=alphas[:stored].tobytes(), **how)
                yield f"palette{bits}-{name}-{tag}", made, over(palette[values], alphas[values])


PNGS = {name: (content, meant) for name, content, meant in pngs()}


@pytest.mark.parametrize("name", PNGS)
def test_pngs_are_read_by_their_meaning(name: str, tmp_path: Path) -> None:
    content, meant = PNGS[name]
    assert np.abs(seen(tmp_path / "a.png", content) - meant).max() <= 1.01


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("most", [1, 15, 255, 1000, 65_535])
def test_portable_maps_are_read_to_their_white(most: int, plain: bool, tmp_path: Path) -> None:
    values = DEEP.astype(np.int64) * most // 65_535
    made = pnm(values, most=most, plain=plain)
    assert np.abs(seen(tmp_path / "a.pgm", made) - gray(values / most * 255)).max() <= 1.01
    values = COLOR.astype(np.int64) * most // 255
    made = pnm(values, most=most, plain=plain)
    assert np.abs(seen(tmp_path / "a.ppm", made) - values / most * 255).max() <= 1.01


def test_a_dark_map_is_dark_where_the_file_says_what_is_white(tmp_path: Path) -> None:
    dark = DEEP >> 9
    meant = gray(dark / 257)
    assert np.abs(seen(tmp_path / "a.pgm", pnm(dark, most=65_535)) - meant).max() <= 0.51
    assert np.abs(seen(tmp_path / "a.png", png(dark, color=0, bits=16)) - meant).max() <= 0.51


def test_other_alphas_and_frames(tmp_path: Path) -> None:
    four = np.dstack([COLOR, ALPHA])
    ghost = np.dstack([COLOR, 0 * ALPHA])
    assert np.abs(seen(tmp_path / "a", tga(four, alpha_bits=8)) - over(COLOR, ALPHA)).max() < 1.01
    assert (seen(tmp_path / "a", tga(ghost, alpha_bits=0)) == COLOR).all(), "no alpha at all"
    part = GRAY[:8, :8]
    meant = np.tile(np.array(PAPER), (SIZE, SIZE, 1))
    meant[4:12, 2:10] = np.where((part == 9)[..., None], PAPER, COLORS[part])
    made = gif(part, COLORS, canvas=(SIZE, SIZE), at=(2, 4), transparent=9)
    assert (seen(tmp_path / "a", made) == meant).all()
    frames = [Image.fromarray(COLOR), Image.fromarray(255 - COLOR)]
    for form in ("PNG", "WEBP", "TIFF"):
        file = io.BytesIO()
        more = {"lossless": True} if form == "WEBP" else {}
        frames[0].save(file, form, save_all=True, append_images=frames[1:], **more)
        assert (seen(tmp_path / "a", file.getvalue()) == COLOR).all(), form


def turned(orientation: int) -> npt.NDArray[np.uint8]:
    """A picture as it must be stored so that, shown as its orientation says, it is `COLOR`: row 0
    and column 0 of what is stored are told by TIFF's table."""
    stored = {
        1: COLOR, 2: COLOR[:, ::-1], 3: COLOR[::-1, ::-1], 4: COLOR[::-1],
        5: COLOR.swapaxes(0, 1), 6: COLOR.swapaxes(0, 1)[::-1],
        7: COLOR[::-1, ::-1].swapaxes(0, 1), 8: COLOR.swapaxes(0, 1)[:, ::-1],
    }  # fmt: skip
    return np.ascontiguousarray(stored[orientation])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_they_say(orientation: int, tmp_path: Path) -> None:
    stored = turned(orientation)
    exif = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x0112, 3, 1, orientation, 0)
    assert (seen(tmp_path / "a.png", png(stored, color=2, eXIf=exif)) == COLOR).all()
    file = io.BytesIO()
    Image.fromarray(stored).save(file, "WEBP", lossless=True, exif=b"Exif\0\0" + exif)
    assert (seen(tmp_path / "a.webp", file.getvalue()) == COLOR).all()
    for deflate in (False, True):
        made = tiff(stored, photometric=RGB, deflate=deflate, tags={274: (3, [orientation])})
        assert (seen(tmp_path / "a.tif", made) == COLOR).all()
    levels = turned(orientation)[..., 0].astype(np.uint16) * np.uint16(257)
    made = tiff(levels, tags={274: (3, [orientation])})
    assert (seen(tmp_path / "deep.tif", made) == gray(COLOR[..., 0])).all()


SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169],
     [0.0139322, 0.0971045, 0.7141733]]
)  # fmt: skip
"""The primaries of sRGB as columns of XYZ under D50 (Bradford), as on brucelindbloom.com."""


def encoded(linear: Levels) -> Levels:
    """Linear light from 0 to 1 as levels of sRGB (IEC 61966-2-1)."""
    light = np.clip(linear, 0, 1)
    low, high = 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    return 255 * np.where(light <= 0.0031308, low, high)


def test_a_profile_says_what_colors_mean(tmp_path: Path) -> None:
    wide = np.array([[0.6097, 0.2053, 0.1492], [0.3111, 0.6257, 0.0632], [0.0195, 0.0609, 0.7446]])
    for primaries in (wide, SRGB[:, ::-1]):  # Adobe's RGB; red and blue exchanged
        profile = icc(primaries, gamma=2.2)
        meant = encoded((COLOR / 255) ** 2.2 @ primaries.T @ np.linalg.inv(SRGB).T)
        packed = b"p\0\0" + zlib.compress(profile)
        for name, made in (
            ("png", png(COLOR, color=2, iCCP=packed)),
            ("tif", tiff(COLOR, photometric=RGB, tags={34675: (7, list(profile))})),
        ):
            off = np.abs(seen(tmp_path / f"a.{name}", made) - meant)
            assert off.max() <= 3, name
            assert off.mean() < 0.5
            assert np.abs(COLOR - meant).mean() > 5, "the profile matters"
        clear = png(np.dstack([COLOR, ALPHA]), color=6, iCCP=packed)
        assert np.abs(seen(tmp_path / "a.png", clear) - over(meant, ALPHA)).max() <= 3
    profile = b"p\0\0" + zlib.compress(icc(None, gamma=1.8))
    meant = gray(encoded((GRAY / 255) ** 1.8))
    off = np.abs(seen(tmp_path / "a.png", png(GRAY, color=0, iCCP=profile)) - meant)
    assert off.max() <= 2


@pytest.mark.parametrize("profile", [b"", b"no profile", icc(SRGB, gamma=2.2)[:300],
                                     icc(None, gamma=1.0)])  # fmt: skip
def test_a_profile_that_cannot_be_used_is_left_aside(profile: bytes, tmp_path: Path) -> None:
    made = png(COLOR, color=2, iCCP=b"p\0\0" + zlib.compress(profile))
    assert (seen(tmp_path / "a.png", made) == COLOR).all()


def test_a_png_says_its_gamma(tmp_path: Path) -> None:
    linear = struct.pack(">I", 100_000)
    for made, values in (
        (png(GRAY, color=0, gAMA=linear), GRAY / 255),
        (png(DEEP, color=0, bits=16, gAMA=linear), DEEP / 65_535),
        (png(GRAY, color=3, PLTE=bytes(np.repeat(np.arange(256), 3).tolist()), gAMA=linear),
         GRAY / 255),
    ):  # fmt: skip
        meant = gray(255 * values ** (1 / 2.2))
        assert np.abs(seen(tmp_path / "a.png", made) - meant).max() <= 0.51
    for chunks in (
        {"gAMA": struct.pack(">I", 45_455)},  # what nearly all have
        {"gAMA": bytes(4)},
        {"gAMA": struct.pack(">I", 1)},  # all would be black
        {"sRGB": b"\0", "gAMA": linear},  # the former counts
    ):
        assert (seen(tmp_path / "a.png", png(GRAY, color=0, **chunks)) == gray(GRAY)).all()


def test_other_color_spaces_are_converted(tmp_path: Path) -> None:
    y, cb, cr = (COLOR[..., i].astype(float) for i in range(3))
    meant = np.stack(
        [y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
         y + 1.772 * (cb - 128)], axis=2,
    )  # fmt: skip
    made = tiff(COLOR, photometric=YCBCR, tags={530: (3, [1, 1])})
    assert np.abs(seen(tmp_path / "a.tif", made) - np.clip(meant, 0, 255)).max() <= 1.5

    lab = np.dstack(
        [GRAY, (COLOR[..., 0] >> 3) - np.uint8(16), (COLOR[..., 1] >> 3) - np.uint8(16)]
    )
    lightness = GRAY * (100 / 255)
    a, b = (lab[..., i].view(np.int8).astype(float) for i in (1, 2))
    f = np.stack([(lightness + 16) / 116 + a / 500, (lightness + 16) / 116,
                  (lightness + 16) / 116 - b / 200], axis=2)  # fmt: skip
    third = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    meant = encoded(third * (0.9642, 1.0, 0.8249) @ np.linalg.inv(SRGB).T)
    off = np.abs(seen(tmp_path / "a.tif", tiff(lab, photometric=CIELAB)) - meant)
    assert np.quantile(off, 0.98) <= 3
    assert off.mean() < 1


def lanczos(pixels: Levels, size: int) -> Levels:
    """A picture (N, M, 3) scaled to (size, size, 3) by the definition of the Lanczos filter."""
    for axis in (0, 1):
        scale = pixels.shape[axis] / size
        place = (np.arange(size) + 0.5) * scale
        far = (np.arange(pixels.shape[axis]) + 0.5 - place[:, None]) / max(scale, 1)
        weight = np.where(abs(far) < 3, np.sinc(far) * np.sinc(far / 3), 0)
        weight /= weight.sum(axis=1, keepdims=True)
        pixels = np.moveaxis(np.tensordot(weight, pixels, (1, axis)), 0, axis)
    return np.clip(pixels, 0, 255)


def test_the_middle_square_is_shown(tmp_path: Path) -> None:
    smooth = lanczos(RANDOM.integers(0, 256, (9, 9, 3)).astype(float), 96)  # of any resolution
    square = np.rint(smooth).astype(np.uint8)
    assert np.abs(seen(tmp_path / "a.png", png(square, color=2), size=24).astype(float)
                  - lanczos(square.astype(float), 24)).max() <= 1.5  # fmt: skip
    for wide in (True, False):
        margins = np.pad(COLOR, ((0, 0), (7, 7), (0, 0)), constant_values=9)
        stored = margins if wide else margins.swapaxes(0, 1)
        (tmp_path / "b.png").write_bytes(png(np.ascontiguousarray(stored), color=2))
        picture = read_picture(tmp_path / "b.png", size=SIZE)
        meant = COLOR if wide else COLOR.swapaxes(0, 1)
        assert (picture.pixels.permute(1, 2, 0).numpy() == meant).all()
        assert (picture.width, picture.height) == ((30, SIZE) if wide else (SIZE, 30))
        assert picture.side == SIZE
        assert picture.pixels.dtype == torch.uint8


def test_of_the_jpegs_in_a_camera_s_file_the_first_is_shown(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (9, 9), (200, 40, 90)), Image.new("RGB", (9, 9))
    path = tmp_path / "both.mpo"
    first.save(path, save_all=True, append_images=[second])
    assert ".mpo" in picture_suffixes()
    read = read_picture(path, size=9).pixels.float().mean((1, 2))
    assert (read - torch.tensor([200.0, 40, 90])).abs().max() < 3


def test_pictures_are_known_by_their_endings() -> None:
    known = picture_suffixes()
    assert {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".ppm"} <= known
    assert not known & {".eps", ".ps", ".wmf", ".fits", ".h5", ".mpg", ".pdf", ".txt", ""}


@given(st.binary(max_size=200), st.integers(0, 60))
def test_damaged_pictures_are_one_line(noise: bytes, keep: int) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"lab-damaged-{os.getpid()}.png"
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0\x90\x91h6"
    try:
        path.write_bytes(head[:keep] + noise)
        with pytest.raises(ValueError, match=r"cannot be read as a picture: .+") as caught:
            read_picture(path, size=16)
        assert "\n" not in str(caught.value)
    finally:
        path.unlink()


def test_a_bitmap_without_alpha_is_opaque(tmp_path: Path) -> None:
    """Whose fourth bytes are all 0, as most programs leave them; with some alpha it is not."""
    colors = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    for alpha in (0, 1, 255):
        pixels = np.concatenate([colors[::-1, :, ::-1], np.full((6, 5, 1), alpha)], axis=2)
        if alpha == 1:
            pixels[0, 0, 3] = 0
        masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        body = struct.pack("<IiiHHIIiiII", 108, 5, 6, 1, 32, 3, 120, 0, 0, 0, 0) + masks
        body += b"BGRs" + bytes(48)
        content = pixels.astype(np.uint8).tobytes()
        head = b"BM" + struct.pack("<IHHI", 14 + len(body) + len(content), 0, 0, 14 + len(body))
        (tmp_path / "it.bmp").write_bytes(head + body + content)
        shown = np.asarray(open_picture(tmp_path / "it.bmp"))
        assert np.array_equal(shown, colors) is (alpha in (0, 255))
        if alpha == 1:
            assert np.abs(shown.astype(int) - 128).max() <= 1


def thumbnail() -> bytes:
    """A whole JPEG."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.mark.parametrize("size", [24, 64])
@pytest.mark.parametrize(
    ("kind", "settings", "fillings"),
    [
        ("jpg", {"quality": 90}, (b"\0", b"\xff")),
        ("jpg", {"quality": 97, "subsampling": 0}, (b"\0", b"\xff")),
        ("jpg", {"progressive": True}, (b"\0", b"\xff")),
        ("jpg", {"quality": 97, "exif": b"Exif\0\0" + thumbnail()}, (b"\0",)),
        ("png", {}, (b"\0", b"\xff")),
        ("webp", {"quality": 90}, (b"\0",)),
        ("webp", {"lossless": True}, (b"\0",)),
    ],
)
def test_a_file_whose_last_bytes_were_never_written_is_refused(
    kind: str, settings: dict[str, Any], fillings: tuple[bytes, ...], size: int, tmp_path: Path
) -> None:
    """As where copying a folder was interrupted after space was reserved: Pillow reads most of
    these, with a gray rest. Padding, and bytes of cameras, after the end are no loss."""
    path = tmp_path / f"leaf.{kind}"
    colors = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    picture = Image.fromarray(colors).resize((size, size), Image.Resampling.BICUBIC)
    picture.save(path, **settings)
    whole, right = path.read_bytes(), np.asarray(open_picture(path))
    for filled in fillings:
        for share in (0.3, 0.5, 0.65, 0.8):
            kept = int(share * len(whole))
            path.write_bytes(whole[:kept] + filled * (len(whole) - kept))
            with pytest.raises(ValueError, match="cannot be read as a picture: "):
                open_picture(path)
        for rest in (
            filled * 30,
            filled * 5000,
            b"SEFT" + filled * 40,
            b"x",
            filled,
            b"\xff\xda" + filled * 40,
        ):
            path.write_bytes(whole + rest)
            assert np.array_equal(open_picture(path), right)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
@pytest.mark.parametrize("shade", [0, 200, 255])
def test_even_pictures_have_their_ends(shade: int, kind: str, tmp_path: Path) -> None:
    """Which may be many zeros in a WebP."""
    for size in (8, 64, 400, 1500):
        Image.new("RGB", (size, size), (shade,) * 3).save(tmp_path / f"even.{kind}")
        shown = np.asarray(open_picture(tmp_path / f"even.{kind}"))
        assert np.abs(shown.astype(int) - shade).max() <= 2


def test_a_truncated_file_is_refused_whatever_pillow_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "half.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ValueError, match="truncated"):
        read_picture(path, size=32)
