"""The scene: background, shoulders or cushion, and light, the same whatever the subject."""

from torch import Tensor

from lab.draw import Box, Inputs, Layer, grown
from lab.draw.layers import Case
from lab.draw.shapes import ellipse, fill, over, round_wave, triangle_wave


def background(x: Tensor, y: Tensor, pixels: Tensor, n: Inputs) -> Tensor:
    """A wall in two colors, (N, 3, S, S): plain, stripes, waves, checks or dots."""
    s = x * n["pattern_cos"] + y * n["pattern_sin"] + n["pattern_phase"]
    t = y * n["pattern_cos"] - x * n["pattern_sin"]
    s = s + n["waves"] * round_wave(t * 0.8)
    a, b = triangle_wave(s), triangle_wave(t)
    product = a * b
    spot = 0.30 - (1 - a) * (1 - a) - (1 - b) * (1 - b)
    level = n["stripes"] * a + n["checks"] * product + n["dots"] * spot - n["plain"]
    alpha = (level * (pixels * 0.12) + 0.5).clamp(0, 1)
    return n["background_color"] + alpha * (n["pattern"] - n["background_color"])


BACKGROUND_CASES: tuple[Case, ...] = (
    {"stripes": 0, "waves": 0, "checks": 0, "dots": 0, "plain": 1},
    {"stripes": 1, "waves": 0, "checks": 0, "dots": 0, "plain": 0},
    {"stripes": 1, "checks": 0, "dots": 0, "plain": 0},
    {"stripes": 0, "waves": 0, "checks": 1, "dots": 0, "plain": 0},
    {"stripes": 0, "waves": 0, "checks": 0, "dots": 1, "plain": 0},
)
"""Specializations of the background, one for each pattern."""


def cloth(
    canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, pixels: Tensor, n: Inputs
) -> tuple[Tensor, Tensor]:
    """Shoulders under a head, or the cushion under an object, in the color of the clothes."""
    shape = ellipse(u, v - 1.20, 0.86, 0.60)
    folds = 1 + 0.10 * round_wave(u * 1.7 + 0.25) - 0.25 * (v - 0.75).clamp(0, 0.6)
    return over(canvas, fill(shape, pixels), n["clothes_color"] * folds), cover


def _box_cloth(pixels: Tensor, n: Inputs) -> Box:
    times = grown(0.86, 0.60, 0.5 * (1 / pixels))
    return times * -0.86, times * 0.86, 1.20 - times * 0.60, times * 0.60 + 1.20


CLOTH = Layer(name="cloth", draw=cloth, box=_box_cloth)


def light(
    canvas: Tensor, cover: Tensor, u: Tensor, v: Tensor, x: Tensor, y: Tensor, n: Inputs
) -> Tensor:
    """Shade the picture: a ball where the subject is (Lambert's law), a soft slope elsewhere."""
    px, py = u / (n["rx"] * n["ball"]), (v + 0.08) / (n["ry"] * n["ball"])
    toward = (1 - px * px - py * py).clamp_min(0)  # a bowl for a ball, without the root
    lambert = px * n["light_x"] + py * n["light_y"]
    ball = 0.58 * lambert + 0.36 * toward - 0.20
    slope = 0.32 * (x * n["light_x"] + y * n["light_y"]) - 0.03
    return canvas * (1 + n["light"] * (slope + cover * (ball - slope)))
