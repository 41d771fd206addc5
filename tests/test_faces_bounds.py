"""Outside of its box a layer or sprite changes nothing, so that boxes can only spare work."""

import pytest
import torch
from torch import Tensor

from lab.draw import Box, Sprite
from lab.draw.drawing import SCALE, lay, to_subject
from lab.draw.finish import grid
from lab.worlds.faces import Faces, sample_prior
from lab.worlds.faces.drawing import DRAWING
from support.face_cases import extremes

CPU = torch.device("cpu")
LAYERS = [
    (subject, depth)
    for subject, layers in DRAWING.subjects.items()
    for depth in range(len(DRAWING.base) + len(layers))
    if depth >= len(DRAWING.base) or subject == "head"  # the base is the same for all
]


def _faces() -> Faces:
    return Faces.cat([extremes(80, seed=21), sample_prior(40, seed=21)])


def _outside(u: Tensor, v: Tensor, box: Box) -> Tensor:
    left, right, top, bottom = box
    return (u < left) | (u > right) | (v < top) | (v > bottom)


@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize(("subject", "depth"), LAYERS)
def test_a_layer_changes_nothing_outside_its_box(subject: str, depth: int, size: int) -> None:
    """On a canvas of any colors, and the coverage that the layers below leave."""
    *below, layer = (*DRAWING.base, *DRAWING.subjects[subject])[: depth + 1]
    faces = _faces().do(subject=subject)
    n = DRAWING.prepare(faces, size).inputs.rows(slice(None), CPU)
    x, y = grid(size, CPU)
    pixels = torch.full((1, 1, 1, 1), size / 2)
    random = torch.Generator().manual_seed(0)
    canvas = torch.rand(len(faces), 3, size, size, generator=random)
    cover = torch.zeros(len(faces), 1, size, size)
    for lower in below:
        _, cover = lay(lower, canvas, cover, x, y, pixels, n)
    after, covered = lay(layer, canvas, cover, x, y, pixels, n)
    changed = ((after != canvas) | (covered != cover)).any(dim=1, keepdim=True)
    outside = _outside(*to_subject(x, y, n), layer.box(pixels * n[SCALE], n))
    assert not changed[outside].any()
    assert changed.any()
    assert outside.any(), "the box is smaller than the picture"


@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize("sprite", DRAWING.sprites, ids=lambda sprite: sprite.name)
def test_a_sprite_has_no_ink_outside_its_box(sprite: Sprite, size: int) -> None:
    """Drawn over the whole picture, not on its window alone."""
    listed = DRAWING.prepare(_faces(), size)
    placed = listed.sprites.of(DRAWING.sprites.index(sprite))
    n = listed.inputs.rows(placed.picture, CPU)
    left, top, cos, sin, side, sharp = placed.place.t()[:, :, None, None, None].unbind(0)
    x, y = grid(size, CPU)
    dx, dy = x - left, y - top
    u, v = dx * cos + dy * sin, dy * cos - dx * sin
    ink = sprite.draw(u, v, side, sharp, n)
    inked = (ink.rgb != 0).any(dim=1, keepdim=True) | (ink.alpha != 0)
    outside = _outside(u, v, sprite.box(sharp, n))
    assert not inked[outside].any()
    assert inked.any()
    assert outside.any(), "the box is smaller than the picture"
