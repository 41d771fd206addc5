"""Drawing with torch, on any device: chunks of full frames that fit the cache, then sprites."""

from typing import Any

import torch
from torch import Tensor

from lab.draw.display_list import DisplayList
from lab.draw.drawing import NOISE, Drawing
from lab.draw.finish import blur, grain, grid, to_bytes
from lab.draw.sprites import Ink, Placements, Sprite, Windows

_CHUNK = 16 * 32 * 32  # pixels drawn at once: temporaries stay in cache
_GROUP = 16 * _CHUNK  # pixels whose sprites are drawn at once


def draw(drawing: Drawing[Any], listed: DisplayList, device: torch.device) -> Tensor:
    """The pictures of a display list: uint8 (N, 3, S, S) on `device`."""
    size, count = listed.size, len(listed)
    out = torch.empty(count, 3, size, size, dtype=torch.uint8, device=device)
    group = max(1, _GROUP // (size * size))
    for start in range(0, count, group):
        rows = slice(start, min(start + group, count))
        out[rows] = _draw_group(drawing, listed, rows, device)
    return out


def _draw_group(
    drawing: Drawing[Any], listed: DisplayList, rows: slice, device: torch.device
) -> Tensor:
    size, count = listed.size, rows.stop - rows.start
    x, y = grid(size, device)
    pixels = torch.full((1, 1, 1, 1), size / 2, device=device)
    canvas = torch.empty(count, 3, size, size, device=device)
    cover = torch.empty(count, 1, size, size, device=device)
    for subject, span in listed.runs(rows, most=max(1, _CHUNK // (size * size))):
        part = slice(span.start - rows.start, span.stop - rows.start)
        n = listed.inputs.rows(span, device)
        canvas[part], cover[part] = drawing.paint(subject, x, y, pixels, n)
    for kind, sprite in enumerate(drawing.sprites):
        _lay(canvas, listed, sprite, listed.sprites_in(rows, kind), rows.start)
    out = torch.empty(canvas.shape, dtype=torch.uint8, device=device)
    for _, span in listed.runs(rows, most=max(1, _CHUNK // (size * size))):
        part = slice(span.start - rows.start, span.stop - rows.start)
        n = listed.inputs.rows(span, device)
        picture = drawing.light(canvas[part], cover[part], x, y, n)
        picture = blur(picture, listed.blur[span].to(device))
        picture = grain(picture, n[NOISE], listed.noise_start[span].to(device))
        out[part] = to_bytes(picture)
    return out


def ink(
    listed: DisplayList, sprite: Sprite, placed: Placements, device: torch.device
) -> tuple[Ink, Windows]:
    """The ink of some placements of `sprite`, (M, 3, h, w) and (M, 1, h, w), on their windows."""
    frame = Windows.around(placed, sprite, listed.size)
    dx, dy = frame.dx[:, None, None, :].to(device), frame.dy[:, None, :, None].to(device)
    cos, sin, side, sharp = placed.place.to(device).t()[2:, :, None, None, None].unbind(0)
    n = listed.inputs.rows(placed.picture, device)
    return sprite.draw(dx * cos + dy * sin, dy * cos - dx * sin, side, sharp, n), frame


def _lay(
    canvas: Tensor, listed: DisplayList, sprite: Sprite, placed: Placements, first: int
) -> None:
    """Lay sprites over `canvas` (n, 3, S, S), whose first picture is row `first` of the list."""
    if len(placed) == 0:
        return
    drawn, frame = ink(listed, sprite, placed, canvas.device)
    where = frame.flat(placed.picture - first, canvas.shape[1], listed.size).to(canvas.device)
    flat = canvas.view(-1)
    for slot in range(int(placed.slot.max()) + 1):
        rows = (placed.slot == slot).nonzero()[:, 0].to(canvas.device)
        spot = where[rows]
        flat[spot] = flat[spot] * (1 - drawn.alpha[rows]) + drawn.rgb[rows]
