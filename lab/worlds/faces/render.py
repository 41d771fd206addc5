"""From `Faces` to pictures, and to the regions of their parts."""

import functools
import logging
from typing import Literal

import torch
from torch import Tensor

from lab.core.text import unknown
from lab.worlds.faces import c_backend, torch_backend
from lab.worlds.faces.attributes import PARTS, STRAYS
from lab.worlds.faces.batch import Faces
from lab.worlds.faces.plan import Plan, make_plan

Drawing = Literal["auto", "eager", "compiled"]

_BLOCK = 4096  # faces whose numbers are computed at once
_MASKED = 256 * 64 * 64  # pixels whose regions are computed at once
_WORTH_BUILDING = 20_000 * 32 * 32  # pixels from which eager drawing takes longer than a compiler


def render(
    faces: Faces,
    *,
    size: int = 32,
    device: str | torch.device = "cpu",
    drawing: Drawing = "auto",
) -> Tensor:
    """Draw faces: uint8 (N, 3, size, size) on `device`; `size` is 16 to 512 pixels.

    `drawing` says how, never what: "eager" by torch on any device, "compiled" by C on the CPU
    (raises `ValueError` where that cannot be), "auto" by C if that is built or worth building.
    On the CPU all give the same bytes; on a GPU a channel may differ by 1.
    """
    _check_size(size)
    if drawing not in ("auto", "eager", "compiled"):
        raise ValueError(unknown("drawing", drawing, ("auto", "eager", "compiled")))
    target = torch.device(device)
    in_c = target.type == "cpu" and _in_c(drawing, len(faces) * size * size)
    if drawing == "compiled" and not in_c:
        raise ValueError(f"compiled drawing needs the cpu, not {target}")
    out = torch.empty(len(faces), 3, size, size, dtype=torch.uint8, device=target)
    with torch.inference_mode():
        for start in range(0, len(faces), _BLOCK):
            block = faces[start : start + _BLOCK]
            if in_c:
                c_backend.draw(make_plan(block, size), out[start : start + _BLOCK])
                continue
            order = torch.argsort(block["subject"], stable=True)
            out[start + order.to(target)] = torch_backend.draw(
                make_plan(block[order], size), target
            )
    return out


def masks(faces: Faces, *, size: int = 64) -> dict[str, Tensor]:
    """The exact region of each part: name -> bool (N, size, size), True where its ink lies.

    Names are those of the parts on the head ("eyes") and beside it ("stray_eyes"), with their
    shadows, from the same geometry as the picture and before any blur.
    """
    _check_size(size)
    names = [*PARTS, *(STRAYS[part] for part in PARTS)]
    out = {name: torch.zeros(len(faces), size, size, dtype=torch.bool) for name in names}
    step = max(1, _MASKED // (size * size))
    for start in range(0, len(faces), step):
        rows = slice(start, min(start + step, len(faces)))
        plan = make_plan(faces[rows], size)
        for name in names:
            out[name][rows] = _region(plan, name)
    return out


def _region(plan: Plan, name: str) -> Tensor:
    part = next(part for part in PARTS if name in (part, STRAYS[part]))
    size, marks = plan.size, plan.stamps.of(part)
    marks = marks.take(marks.stray == (name != part))
    region = torch.zeros(len(plan) * size * size, dtype=torch.bool)
    if len(marks.face):
        touched = torch_backend.ink(plan, part, marks, torch.device("cpu")).alpha > 0
        region[torch_backend.windows(marks, part, 0, 1, size)[touched]] = True
    return region.view(len(plan), size, size)


def _check_size(size: int) -> None:
    if not 16 <= size <= 512:
        raise ValueError(f"size must be 16 to 512 pixels, not {size!r}")


def _in_c(drawing: Drawing, pixels: int) -> bool:
    """Whether to draw in C, which waits for the compiler only if that pays."""
    if drawing == "compiled":
        try:
            c_backend.library()
        except c_backend.Unavailable as reason:
            raise ValueError(f"compiled drawing is not to be had: {reason}") from None
        return True
    if drawing == "eager" or not (pixels >= _WORTH_BUILDING or c_backend.is_built()):
        return False
    return _try_c()


@functools.cache
def _try_c() -> bool:
    try:
        c_backend.library()
    except c_backend.Unavailable as reason:
        log = logging.getLogger(__name__)
        log.warning("drawing eagerly, about ten times slower: %s", reason)
        return False
    return True
