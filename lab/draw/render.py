"""From a batch of attribute values to its pictures, and to the regions of its sprites."""

import functools
import logging
import math
from typing import Any, Literal

import torch
from torch import Tensor

from lab.core.compiled import Unavailable
from lab.core.machine import processors
from lab.core.text import unknown
from lab.draw import c_backend, torch_backend
from lab.draw.drawing import B, Drawing

Backend = Literal["auto", "torch", "c"]
BACKENDS: tuple[Backend, ...] = ("auto", "torch", "c")

_BLOCK = 4096  # pictures whose display list is computed at once
_MASKED = 256 * 64 * 64  # pixels whose regions are computed at once
PINNED = 2**26
"""Bytes of pictures at most that are drawn for a GPU in pinned memory, which torch keeps."""

WORTH_BUILDING = 2_000 * 32 * 32
"""Pixels drawn in a process from which on it is worth to wait for the compiler (two to four
seconds, once per machine): what follows, in this run or a later one, is drawn some thirty times as
fast."""

drawn_unbuilt: dict[Drawing[Any], int] = {}
"""Pixels of each drawing that were drawn while its library was not built."""


def render(
    drawing: Drawing[B],
    batch: B,
    *,
    size: int,
    device: str | torch.device = "cpu",
    backend: Backend = "auto",
) -> Tensor:
    """The pictures of a batch: uint8 (N, 3, size, size) on `device`; `size` is 16 to 512 pixels.

    The backend decides how, never what, is drawn: "c" in C (raises `ValueError` where that is not
    available), "auto" in C if that is built or worth building and else by torch, both on the CPU,
    from where the pictures are copied to `device`: the same bytes everywhere. "torch" draws on
    `device` itself; on a GPU a channel may then differ by 1. It is for comparison: on an H100 it
    drew 1,741 pictures of 32 px a second, one core of its host 66,799 in C.
    """
    _check_size(size)
    if backend not in BACKENDS:
        raise ValueError(unknown("backend", backend, BACKENDS))
    target = torch.device(device)
    elsewhere = target.type not in ("cpu", "meta") and backend != "torch"
    place = torch.device("cpu") if elsewhere else target
    in_c = place.type == "cpu" and _in_c(drawing, backend, len(batch) * size * size)
    if backend == "c" and not in_c:
        raise ValueError(f"the C backend draws on the cpu, not on {target}")
    shape = len(batch), 3, size, size
    # All processors draw for a GPU, which waits; from pinned memory it copies by itself.
    threads = processors() if elsewhere else torch.get_num_threads()
    pinned = elsewhere and target.type == "cuda" and math.prod(shape) <= PINNED
    out = torch.empty(shape, dtype=torch.uint8, device=place, pin_memory=pinned)
    with torch.inference_mode():
        for start in range(0, len(batch), _BLOCK):
            block = batch.take(slice(start, start + _BLOCK))
            if in_c:
                listed = drawing.prepare(block, size)
                c_backend.draw(drawing, listed, out[start : start + _BLOCK], threads=threads)
                continue
            order = torch.argsort(drawing.subject_of(block), stable=True)
            listed = drawing.prepare(block.take(order), size)
            out[start + order.to(place)] = torch_backend.draw(drawing, listed, place)
    return out.to(target, non_blocking=pinned)


def masks(drawing: Drawing[B], batch: B, *, size: int) -> dict[str, Tensor]:
    """The exact regions of the sprites: name -> bool (N, size, size), True where there is ink.

    One for each of the drawing's `regions`, from the same geometry as the picture, before blur.
    """
    _check_size(size)
    out = {name: torch.zeros(len(batch), size, size, dtype=torch.bool) for name in drawing.regions}
    step = max(1, _MASKED // (size * size))
    for start in range(0, len(batch), step):
        rows = slice(start, min(start + step, len(batch)))
        listed = drawing.prepare(batch.take(rows), size)
        for kind, sprite in enumerate(drawing.sprites):
            placed = listed.sprites.of(kind)
            for region in sorted(set(placed.region.tolist())):
                chosen = placed.take(placed.region == region)
                drawn, frame = torch_backend.ink(listed, sprite, chosen, torch.device("cpu"))
                touched = frame.flat(chosen.picture, 1, size)[drawn.alpha > 0]
                out[drawing.regions[region]][rows].view(-1)[touched] = True
    return out


def _check_size(size: int) -> None:
    if not 16 <= size <= 512:
        raise ValueError(f"size must be 16 to 512 pixels, not {size!r}")


def _in_c(drawing: Drawing[Any], backend: Backend, pixels: int) -> bool:
    """Whether to draw in C, which waits for the compiler only if that pays: not for a few pictures,
    but also for many that are drawn a few at a time."""
    if backend == "c":
        try:
            c_backend.library(drawing)
        except Unavailable as reason:
            raise ValueError(f"the C backend is not available: {reason}") from None
        return True
    if backend == "torch":
        return False
    if not c_backend.is_built(drawing):
        drawn_unbuilt[drawing] = drawn_unbuilt.get(drawing, 0) + pixels
        if drawn_unbuilt[drawing] < WORTH_BUILDING:
            return False
    return can_draw_in_c(drawing)


@functools.cache
def can_draw_in_c(drawing: Drawing[Any]) -> bool:
    """Whether the C backend can be used; if not, one warning says why."""
    try:
        c_backend.library(drawing)
    except Unavailable as reason:
        log = logging.getLogger(__name__)
        log.warning("drawing with torch, which is much slower than C: %s", reason)
        return False
    return True
