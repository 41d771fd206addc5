"""The pictures of faces, and the regions of their parts."""

import torch
from torch import Tensor

from lab import draw
from lab.draw import Backend
from lab.worlds.faces.batch import Faces
from lab.worlds.faces.drawing import DRAWING


def render(
    faces: Faces,
    *,
    size: int = 32,
    device: str | torch.device = "cpu",
    backend: Backend = "auto",
) -> Tensor:
    """The pictures of some faces: uint8 (N, 3, size, size) on `device`; `size` is 16 to 512 pixels.

    For backends and errors see `lab.draw.render`.
    """
    return draw.render(DRAWING, faces, size=size, device=device, backend=backend)


def masks(faces: Faces, *, size: int = 64) -> dict[str, Tensor]:
    """The exact region of each part: name -> bool (N, size, size), True where its ink lies.

    Names are those of the parts on the head ("eyes") and beside it ("stray_eyes"). A part's shadow
    belongs to it.
    """
    return draw.masks(DRAWING, faces, size=size)
