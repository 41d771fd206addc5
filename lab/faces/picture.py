"""The drawing of one kind of subject, from pixel centres to colors: what each backend executes."""

from torch import Tensor

from lab.faces import objects, scene
from lab.faces.attributes import ATTRIBUTES
from lab.faces.head import head
from lab.faces.scene import Numbers

SUBJECTS = {"head": head, **objects.DRAW}


def paint(subject: str, x: Tensor, y: Tensor, pixels: Tensor, n: Numbers) -> tuple[Tensor, Tensor]:
    """All layers without parts: canvas (n, 3, S, S) and the subject's coverage (n, 1, S, S).

    `pixels` (1, 1, 1, 1) is half the picture's size.
    """
    canvas = scene.background(x, y, pixels, n)
    canvas = lay_cloth(canvas, x, y, pixels, n)
    return lay_subject(subject, canvas, x, y, pixels, n)


def lay_cloth(canvas: Tensor, x: Tensor, y: Tensor, pixels: Tensor, n: Numbers) -> Tensor:
    """The canvas with shoulders or a cushion."""
    u, v = to_head(x, y, n)
    return scene.cloth(canvas, u, v, pixels * n["scale"], n)


def lay_subject(
    subject: str, canvas: Tensor, x: Tensor, y: Tensor, pixels: Tensor, n: Numbers
) -> tuple[Tensor, Tensor]:
    """The canvas with a head or a thing, and its coverage."""
    u, v = to_head(x, y, n)
    if subject != "head":
        u, v = u * objects.STRETCH, (v - objects.DROP) * objects.STRETCH
        # as dark in the middle as eyes and mouth make a head, as bright below as its throat
        n = {**n, "skin_color": n["skin_color"] * (0.85 + 0.4 * (v - 0.2).clamp(0, 0.5))}
    return SUBJECTS[subject](canvas, u, v, pixels * n["scale"], n)


def shade(canvas: Tensor, cover: Tensor, x: Tensor, y: Tensor, n: Numbers) -> Tensor:
    """The picture under its light."""
    u, v = to_head(x, y, n)
    return scene.light(canvas, cover, u, v, x, y, n)


def to_head(x: Tensor, y: Tensor, n: Numbers) -> tuple[Tensor, Tensor]:
    """Picture coordinates in the frame of the head."""
    dx, dy = x - n["x"], y - n["y"]
    return dx * n["cos"] + dy * n["sin"], dy * n["cos"] - dx * n["sin"]


assert tuple(SUBJECTS) == ATTRIBUTES["subject"].values
