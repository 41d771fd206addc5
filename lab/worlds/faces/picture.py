"""The drawing of one kind of subject, from pixel centers to colors: what each backend executes."""

import torch
from torch import Tensor

from lab.worlds.faces import objects, scene
from lab.worlds.faces.attributes import ATTRIBUTES
from lab.worlds.faces.head import HEAD
from lab.worlds.faces.layers import Box, Layer, Numbers, grown


def _cloth(
    canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Numbers
) -> tuple[Tensor, Tensor]:
    return scene.cloth(canvas, u, v, pixels, n), cover


def _box_cloth(pixels: Tensor, n: Numbers) -> Box:
    times = grown(0.86, 0.60, 0.5 * (1 / pixels))
    return times * -0.86, times * 0.86, 1.20 - times * 0.60, times * 0.60 + 1.20


def _thing(name: str) -> Layer:
    """A thing as the one layer of its picture."""

    def draw(
        canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Numbers
    ) -> tuple[Tensor, Tensor]:
        u, v = u * objects.STRETCH, (v - objects.DROP) * objects.STRETCH
        # as dark in the middle as eyes and mouth make a head, as bright below as its throat
        n = {**n, "skin_color": n["skin_color"] * (0.85 + 0.4 * (v - 0.2).clamp(0, 0.5))}
        return objects.DRAW[name](canvas, u, v, pixels, n)

    return Layer(name=name, draw=draw, box=_box_thing)


def _box_thing(pixels: Tensor, n: Numbers) -> Box:
    edge = 1 / pixels  # generous: half a pixel, stretched
    return -edge - 0.83, edge + 0.83, -edge - 0.96, edge + 0.96


CLOTH = Layer(name="cloth", draw=_cloth, box=_box_cloth)
SUBJECTS: dict[str, tuple[Layer, ...]] = {
    "head": HEAD,
    **{name: (_thing(name),) for name in objects.DRAW},
}
"""Subject -> its layers, which lie on background and cloth."""


def paint(subject: str, x: Tensor, y: Tensor, pixels: Tensor, n: Numbers) -> tuple[Tensor, Tensor]:
    """All layers without parts: canvas (n, 3, S, S) and the subject's coverage (n, 1, S, S).

    `pixels` (1, 1, 1, 1) is half the picture's size.
    """
    canvas = scene.background(x, y, pixels, n)
    cover = torch.zeros_like(canvas[:, :1])
    for layer in (CLOTH, *SUBJECTS[subject]):
        canvas, cover = lay(layer, canvas, cover, x, y, pixels, n)
    return canvas, cover


def lay(
    layer: Layer, canvas: Tensor, cover: Tensor, x: Tensor, y: Tensor, pixels: Tensor, n: Numbers
) -> tuple[Tensor, Tensor]:
    """Canvas and coverage with one more layer."""
    u, v = to_head(x, y, n)
    return layer.draw(canvas, cover, u, v, pixels * n["scale"], n)


def shade(canvas: Tensor, cover: Tensor, x: Tensor, y: Tensor, n: Numbers) -> Tensor:
    """The picture under its light."""
    u, v = to_head(x, y, n)
    return scene.light(canvas, cover, u, v, x, y, n)


def to_head(x: Tensor, y: Tensor, n: Numbers) -> tuple[Tensor, Tensor]:
    """Picture coordinates in the frame of the head."""
    dx, dy = x - n["x"], y - n["y"]
    return dx * n["cos"] + dy * n["sin"], dy * n["cos"] - dx * n["sin"]


assert tuple(SUBJECTS) == ATTRIBUTES["subject"].values
