"""Drawing with torch, on any device: full frames in chunks that stay in cache, parts as stamps."""

import torch
from torch import Tensor

from lab.worlds.faces import parts, scene
from lab.worlds.faces.attributes import ATTRIBUTES
from lab.worlds.faces.picture import paint, shade
from lab.worlds.faces.plan import Plan
from lab.worlds.faces.sprites import ORDER, Stamps, windows_of

_CHUNK = 16 * 32 * 32  # pixels drawn at once: temporaries stay in cache
_GROUP = 16 * _CHUNK  # pixels whose stamps are drawn at once


def draw(plan: Plan, device: torch.device) -> Tensor:
    """The pictures of a plan: uint8 (N, 3, S, S) on `device`."""
    size, count = plan.size, len(plan)
    out = torch.empty(count, 3, size, size, dtype=torch.uint8, device=device)
    group = max(1, _GROUP // (size * size))
    for start in range(0, count, group):
        rows = slice(start, min(start + group, count))
        out[rows] = _draw_group(plan, rows, device)
    return out


def _draw_group(plan: Plan, rows: slice, device: torch.device) -> Tensor:
    size, count = plan.size, rows.stop - rows.start
    x, y = scene.grid(size, device)
    pixels = torch.full((1, 1, 1, 1), size / 2, device=device)
    canvas = torch.empty(count, 3, size, size, device=device)
    cover = torch.empty(count, 1, size, size, device=device)
    for subject, span in plan.runs(rows, most=max(1, _CHUNK // (size * size))):
        part = slice(span.start - rows.start, span.stop - rows.start)
        name = str(ATTRIBUTES["subject"].values[subject])
        n = plan.numbers.named(span, device)
        canvas[part], cover[part] = paint(name, x, y, pixels, n)
    for name in ORDER:
        lay(canvas, plan, name, plan.stamps_in(name, rows), rows.start)
    out = torch.empty(canvas.shape, dtype=torch.uint8, device=device)
    for _, span in plan.runs(rows, most=max(1, _CHUNK // (size * size))):
        part = slice(span.start - rows.start, span.stop - rows.start)
        n = plan.numbers.named(span, device)
        picture = shade(canvas[part], cover[part], x, y, n)
        picture = scene.blur(picture, plan.blur[span].to(device))
        picture = scene.grain(picture, n["noise"], plan.noise_start[span].to(device))
        out[part] = scene.to_bytes(picture)
    return out


def ink(plan: Plan, part: str, marks: Stamps, device: torch.device) -> parts.Ink:
    """The drawing of some stamps on their windows: (M, 3, h, w) and (M, 1, h, w)."""
    frame = windows_of(marks, part, plan.size)
    dx, dy = frame.dx[:, None, None, :].to(device), frame.dy[:, None, :, None].to(device)
    cos, sin, side, sharp = marks.place.to(device).t()[2:, :, None, None, None].unbind(0)
    n = plan.numbers.named(marks.face, device)
    return parts.DRAW[part](dx * cos + dy * sin, dy * cos - dx * sin, side, sharp, n)


def lay(canvas: Tensor, plan: Plan, part: str, marks: Stamps, first: int) -> None:
    """Lay stamps over `canvas` (n, 3, S, S), whose first picture is row `first` of the plan."""
    if len(marks.face) == 0:
        return
    drawn = ink(plan, part, marks, canvas.device)
    where = windows(marks, part, first, canvas.shape[1], plan.size).to(canvas.device)
    flat = canvas.view(-1)
    for slot in range(int(marks.slot.max()) + 1):
        rows = (marks.slot == slot).nonzero()[:, 0].to(canvas.device)
        spot = where[rows]
        flat[spot] = flat[spot] * (1 - drawn.alpha[rows]) + drawn.rgb[rows]


def windows(marks: Stamps, part: str, first: int, channels: int, size: int) -> Tensor:
    """Flat positions (M, C, h, w) of the stamps' windows in pictures (n, C, S, S)."""
    frame = windows_of(marks, part, size)
    row = (frame.top[:, None] + torch.arange(frame.dy.shape[1])) * size
    column = frame.left[:, None] + torch.arange(frame.dx.shape[1])
    plane = (marks.face - first)[:, None] * channels + torch.arange(channels)
    return plane[:, :, None, None] * (size * size) + (row[:, :, None] + column[:, None])[:, None]
