"""Objects: subjects other than heads, of a head's size, colors and contrasts, on the same cushion.

An object's body has the color of the skin and its trim that of the hair, so that colors alone do
not tell objects from heads.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lab.draw import Box, Inputs, Layer
from lab.draw.shapes import box, disc, ellipse, fill, over, rounded_box, segment, soft
from lab.worlds.faces.palette import DARK, LEAF, MOUTH_INSIDE, WHITE

STRETCH, DROP = 0.88, 0.05
"""An object's frame in a head's: coordinates times `STRETCH`, its center `DROP` lower. It makes an
object as big as head and neck."""

Result = tuple[Tensor, Tensor]  # canvas (N, 3, S, S) and the thing's coverage (N, 1, S, S)


def clock(canvas: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Result:
    """An alarm clock: rim, dial, twelve marks, two hands, two bells."""
    y = v + 0.06
    cover = fill(disc(u, y, 0.56), pixels)
    bells = disc(u.abs() - 0.36, v + 0.56, 0.17)
    feet = segment(u.abs(), y, 0.3, 0.45, 0.42, 0.66) - 0.05
    canvas = over(canvas, fill(torch.minimum(bells, feet), pixels), n["hair_color"] * 0.8)
    canvas = over(canvas, cover, n["hair_color"])
    canvas = over(canvas, fill(disc(u, y, 0.47), pixels), n["skin_color"])
    ring = disc(u, y, 0.0)
    quarter = torch.minimum(box(u, y, 0.025, 1.0), box(u, y, 1.0, 0.025))
    a, b = 0.8660254 * u.abs() - 0.5 * y.abs(), 0.8660254 * y.abs() - 0.5 * u.abs()
    marks = torch.minimum(quarter, torch.minimum(a.abs(), b.abs()) - 0.018)
    canvas = over(canvas, fill(torch.maximum(marks, (ring - 0.39).abs() - 0.045), pixels), DARK)
    turn = (n["chance"] * 2 - 1) * 0.9
    c, s = 1 - 0.5 * turn * turn, turn
    p, q = u * c + y * s, y * c - u * s
    hour = segment(p, q, 0.0, 0.04, 0.0, -0.22) - 0.035
    minute = segment(q, p, 0.0, 0.04, 0.05, -0.32) - 0.022
    canvas = over(canvas, fill(torch.minimum(hour, minute), pixels), DARK)
    return over(canvas, fill(disc(u, y, 0.05), pixels), n["lip_color"]), cover


def house(canvas: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Result:
    """A house: walls, roof, chimney, two lit windows, a door."""
    walls = box(u, v - 0.22, 0.46, 0.38)
    roof = torch.maximum(0.78 * u.abs() - 0.72 * (v + 0.74), v + 0.12)
    chimney = box(u - 0.30, v + 0.48, 0.07, 0.2)
    cover = fill(torch.minimum(walls, roof), pixels)
    canvas = over(canvas, fill(chimney, pixels), n["hair_color"] * 0.7)
    canvas = over(canvas, fill(walls, pixels), n["skin_color"])
    canvas = over(canvas, fill(roof, pixels), n["hair_color"])
    x, y = u.abs() - 0.25, v - 0.08
    canvas = over(canvas, fill(box(x, y, 0.12, 0.12), pixels), WHITE)
    panes = torch.maximum(box(x, y, 0.095, 0.095), -torch.minimum(x.abs(), y.abs()) + 0.012)
    canvas = over(canvas, fill(panes, pixels), n["eye_color"] * 0.8)
    door = rounded_box(u, v - 0.44, 0.10, 0.17, 0.03)
    canvas = over(canvas, fill(door, pixels), n["lip_color"])
    canvas = over(canvas, fill(disc(u - 0.06, v - 0.45, 0.02), pixels), WHITE)
    beam = box(u, v + 0.12, 0.46, 0.025)
    return over(canvas, 0.6 * fill(beam, pixels), DARK), cover


def mug(canvas: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Result:
    """A mug of coffee: body, handle, rim, two bands."""
    handle = ellipse(u - 0.46, v - 0.08, 0.19, 0.24).abs() - 0.055
    body = rounded_box(u, v - 0.08, 0.44, 0.46, 0.12)
    cover = fill(body, pixels)
    canvas = over(canvas, fill(handle, pixels), n["skin_color"] * 0.75)
    canvas = over(canvas, cover, n["skin_color"])
    bands = torch.minimum((v - 0.02).abs() - 0.035, (v - 0.30).abs() - 0.035)
    canvas = over(canvas, cover * fill(bands, pixels), n["hair_color"])
    spots = disc(u.abs() - 0.2, v - 0.16, 0.055)
    canvas = over(canvas, fill(torch.minimum(spots, disc(u, v - 0.16, 0.055)), pixels),
                  n["lip_color"])  # fmt: skip
    canvas = over(canvas, fill(ellipse(u, v + 0.36, 0.44, 0.13), pixels), MOUTH_INSIDE)
    foam = ellipse(u, v + 0.44, 0.42, 0.14)
    for x, y, radius in ((-0.17, 0.55, 0.17), (0.18, 0.56, 0.16), (0.0, 0.68, 0.17)):
        foam = torch.minimum(foam, disc(u - x, v + y, radius))
    puff = fill(foam, pixels)
    canvas = over(canvas, puff, n["hair_color"] * (1 + 0.5 * (-0.45 - v).clamp(-0.3, 0.4)))
    return canvas, torch.maximum(cover, puff)


def flower(canvas: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Result:
    """A sunflower: twelve petals around a big heart with seeds, a stem, two leaves."""
    stem = segment(u, v, 0.0, 0.0, 0.04, 0.75) - 0.045
    leaves = ellipse(u.abs() - 0.24, v - 0.58 - 0.4 * u.abs() + 0.1, 0.22, 0.08)
    canvas = over(canvas, fill(torch.minimum(stem, leaves), pixels), LEAF)
    y = v + 0.10
    shape = disc(u, y, 0.40)
    for c, s in ((1.0, 0.0), (0.8660254, 0.5), (0.5, 0.8660254)):  # petals every 30 degrees
        p, q = (u * c + y * s).abs(), (y * c - u * s).abs()
        shape = torch.minimum(shape, ellipse(p - 0.44, q, 0.18, 0.12))
        shape = torch.minimum(shape, ellipse(p, q - 0.44, 0.12, 0.18))
    petals = fill(shape, pixels)
    canvas = over(canvas, petals, n["hair_color"])
    canvas = over(canvas, 0.35 * soft(disc(u, y, 0.36), 0.08), DARK)
    canvas = over(canvas, fill(disc(u, y, 0.35), pixels), n["skin_color"])
    ring = torch.minimum(disc(u.abs() - 0.16, y.abs() - 0.10, 0.05), disc(u, y.abs() - 0.21, 0.05))
    canvas = over(canvas, fill(ring, pixels), n["lip_color"])
    canvas = over(canvas, fill(disc(u, y, 0.055), pixels), n["eye_color"])
    return canvas, petals


def car(canvas: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs) -> Result:
    """A car from the side: body, cabin, windows, wheels, lamps, bumper."""
    v = (v - 0.12) * 0.85 + 0.12
    body = rounded_box(u, v - 0.12, 0.60, 0.24, 0.12)
    cabin = rounded_box(u + 0.03, v + 0.24, 0.40, 0.28, 0.14)
    cover = fill(torch.minimum(body, cabin), pixels)
    canvas = over(canvas, fill(cabin, pixels), n["hair_color"])
    panes = rounded_box((u + 0.03).abs() - 0.17, v + 0.20, 0.13, 0.13, 0.04)
    canvas = over(canvas, fill(panes, pixels), WHITE)
    canvas = over(canvas, fill(panes + 0.02, pixels) * soft(u * 0.5 + v, 0.3), n["eye_color"])
    canvas = over(canvas, fill(body, pixels), n["skin_color"])
    door = rounded_box(u + 0.03, v - 0.10, 0.17, 0.18, 0.04).abs() - 0.012
    canvas = over(canvas, 0.6 * fill(door, pixels), DARK)
    stripe = torch.maximum(body, (v - 0.24).abs() - 0.03)
    canvas = over(canvas, fill(stripe, pixels), n["lip_color"])
    wheels = disc(u.abs() - 0.34, v - 0.36, 0.0)
    canvas = over(canvas, fill(wheels - 0.155, pixels), DARK)
    canvas = over(canvas, fill(wheels - 0.07, pixels), n["hair_color"] * 0.5 + 0.4)
    canvas = over(canvas, fill(disc(u - 0.55, v - 0.10, 0.05), pixels), WHITE)
    return canvas, cover


DrawObject = Callable[[Tensor, Tensor, Tensor, Tensor, Inputs], Result]


def _layer(name: str, draw_object: DrawObject) -> Layer:
    """An object as the one layer of its subject."""

    def draw(
        canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs
    ) -> Result:
        u, v = u * STRETCH, (v - DROP) * STRETCH
        # as dark in the middle as eyes and mouth make a head, as bright below as its throat
        tone = 0.85 + 0.4 * (v - 0.2).clamp(0, 0.5)
        return draw_object(canvas, u, v, pixels, n.replaced(skin_color=n["skin_color"] * tone))

    return Layer(name=name, draw=draw, box=_box)


def _box(pixels: Tensor, n: Inputs) -> Box:
    edge = 1 / pixels  # generous: half a pixel, stretched
    return -edge - 0.83, edge + 0.83, -edge - 0.96, edge + 0.96


OBJECTS = {
    name: _layer(name, draw)
    for name, draw in {
        "clock": clock, "house": house, "mug": mug, "flower": flower, "car": car,
    }.items()
}  # fmt: skip
"""Subject -> its layer."""
