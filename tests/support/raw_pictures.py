"""Picture files put together byte by byte with struct and NumPy: what Pillow reads is compared with
what was written, without Pillow on both sides."""

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
"""TIFF's photometric interpretations."""


def tiff(
    pixels: Array,
    *,
    photometric: int = BLACK_IS_ZERO,
    bits: int | None = None,
    packed: bytes | None = None,
    endian: str = "<",
    tags: Mapping[int, tuple[int, Sequence[int]]] | None = None,
    deflate: bool = False,
    planar: bool = False,
) -> bytes:
    """A TIFF of one strip, or if `planar` one for each channel: `pixels` (H, W) or (H, W, C) in
    their own type.

    `packed` are the strip's bytes where they are not those of the array, of `bits` per sample;
    `tags` number -> (type, values) are added or replaced: 3 is a short, 4 a long.
    """
    height, width, *rest = pixels.shape
    samples = rest[0] if rest else 1
    kind = {"b": 1, "u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    ordered = pixels.astype(pixels.dtype.newbyteorder(endian))
    strips = [ordered.tobytes() if packed is None else packed]
    if planar:
        strips = [ordered[..., i].tobytes() for i in range(samples)]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    sizes = [len(strip) for strip in strips]
    entries: dict[int, tuple[int, Sequence[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits or 8 * pixels.dtype.itemsize] * samples),
        259: (3, [8 if deflate else 1]),
        262: (3, [photometric]),
        277: (3, [samples]),
        278: (4, [height]),
        279: (4, sizes),
        284: (3, [2 if planar else 1]),
        339: (3, [kind] * samples),
        **(tags or {}),
    }
    entries[273] = (4, sizes)  # as many as there will be
    length = 8 + 2 + 12 * len(entries) + 4
    blobs, table = b"", b""
    start = length + sum(_blob(*entry) for entry in entries.values())
    entries[273] = (4, [start + sum(sizes[:i]) for i in range(len(sizes))])
    for number, (code, values) in sorted(entries.items()):
        form = {1: "B", 3: "H", 4: "I", 7: "B"}[code]
        data = struct.pack(f"{endian}{len(values)}{form}", *values)
        if len(data) > 4:
            place = struct.pack(f"{endian}I", length + len(blobs))
            blobs += data + b"\0" * (len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        table += struct.pack(f"{endian}HHI", number, code, len(values)) + place
    mark = b"II*\0" if endian == "<" else b"MM\0*"
    head = mark + struct.pack(f"{endian}I", 8) + struct.pack(f"{endian}H", len(entries))
    return head + table + bytes(4) + blobs + b"".join(strips)


def _blob(code: int, values: Sequence[int]) -> int:
    """Bytes that an entry takes beside the table."""
    size = {1: 1, 3: 2, 4: 4, 7: 1}[code] * len(values)
    return size + size % 2 if size > 4 else 0


def pack(values: npt.NDArray[np.integer], bits: int) -> bytes:
    """Rows (H, W) of numbers of `bits` bits, the first in the highest bits, each row in whole
    bytes: how PNG and TIFF store fewer than eight bits, or twelve."""
    height, width = values.shape
    places = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(places.reshape(height, width * bits).astype(np.uint8), axis=1).tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


SEVEN = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))  # fmt: skip
"""The passes of an interlaced PNG: first column and row, steps between columns and rows."""


def png(
    pixels: npt.NDArray[np.integer],
    *,
    color: int,
    bits: int = 8,
    interlaced: bool = False,
    **chunks: bytes,
) -> bytes:
    """A PNG of `pixels` (H, W) or (H, W, C), as whole numbers of `bits` bits; `color` is PNG's
    color type (0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA). `chunks` stand before the
    pixels, in their order."""
    height, width = pixels.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, int(interlaced))
    flat = pixels.reshape(height, width, -1)
    passes = [flat[y::dy, x::dx] for x, y, dx, dy in SEVEN] if interlaced else [flat]
    rows = b""
    for part in passes:
        if part.size:
            table = part.reshape(part.shape[0], -1)
            packed = pack(table, bits)
            step = len(packed) // len(table)
            rows += b"".join(b"\0" + packed[i * step : (i + 1) * step] for i in range(len(table)))
    more = b"".join(chunk(name.encode(), content) for name, content in chunks.items())
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip


def pnm(pixels: npt.NDArray[np.integer], *, most: int = 255, plain: bool = False) -> bytes:
    """A PGM (H, W) or PPM (H, W, 3) whose white is `most`."""
    height, width = pixels.shape[:2]
    number = (2 if plain else 5) + (pixels.ndim == 3)
    head = f"P{number}\n{width} {height}\n{most}\n".encode()
    if plain:
        return head + " ".join(map(str, pixels.ravel().tolist())).encode()
    return head + pixels.astype(">u2" if most > 255 else "u1").tobytes()


def pfm(pixels: npt.NDArray[np.floating], *, endian: str = "<") -> bytes:
    """A gray PFM (H, W): 32-bit floats, the bottom row first."""
    height, width = pixels.shape
    head = f"Pf\n{width} {height}\n{-1.0 if endian == '<' else 1.0}\n".encode()
    return head + pixels[::-1].astype(f"{endian}f4").tobytes()


def tga(pixels: npt.NDArray[np.uint8], *, alpha_bits: int) -> bytes:
    """An uncompressed TGA (H, W, 4) of RGBA, the top row first."""
    height, width, _ = pixels.shape
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, width, height, 32, 32 | alpha_bits)
    return head + pixels[..., [2, 1, 0, 3]].tobytes()


def gif(
    indices: npt.NDArray[np.uint8],
    palette: npt.NDArray[np.uint8],
    *,
    canvas: tuple[int, int],
    at: tuple[int, int] = (0, 0),
    transparent: int | None = None,
) -> bytes:
    """A GIF of one frame, `indices` (H, W) into `palette` (256, 3), whose upper left corner lies
    `at` a place of a `canvas` of some width and height. Its codes have nine bits throughout."""
    height, width = indices.shape
    codes = []
    for place, value in enumerate(indices.ravel().tolist()):
        codes += [256, value] if place % 200 == 0 else [value]  # 256 empties the decoder's table
    bits = [code >> i & 1 for code in [*codes, 257] for i in range(9)]
    data = np.packbits(np.array(bits, np.uint8), bitorder="little").tobytes()
    blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
    control = b""
    if transparent is not None:
        control = b"\x21\xf9\x04" + struct.pack("<BHBB", 1, 0, transparent, 0)
    return (
        b"GIF89a" + struct.pack("<HHBBB", *canvas, 0xF7, 0, 0) + palette.tobytes() + control
        + b"," + struct.pack("<HHHHB", *at, width, height, 0) + b"\x08"
        + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0;"
    )  # fmt: skip


def icc(primaries: npt.NDArray[np.floating] | None, *, gamma: float) -> bytes:
    """An ICC profile (version 2) of a display: its `primaries` as columns of XYZ under D50 (3, 3),
    or None for gray, and its `gamma`."""

    def fixed(values: Sequence[float]) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(65_536 * value) for value in values))

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(256 * gamma)) + bytes(2)
    tags = {b"wtpt": b"XYZ " + bytes(4) + fixed((0.9642, 1.0, 0.8249))}
    for i, name in enumerate(b"rgb" if primaries is not None else b""):
        assert primaries is not None
        tags[bytes([name]) + b"XYZ"] = b"XYZ " + bytes(4) + fixed(primaries[:, i].tolist())
        tags[bytes([name]) + b"TRC"] = curve
    if primaries is None:
        tags[b"kTRC"] = curve
    place = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", place + len(content), len(value))
        content += value
    space = b"GRAY" if primaries is None else b"RGB "
    head = struct.pack(
        ">I4sI4s4s4s", place + len(content), b"", 0x02400000, b"mntr", space, b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + fixed((0.9642, 1.0, 0.8249))
    return head.ljust(128, b"\0") + table + content
