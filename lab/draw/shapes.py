"""Signed distance functions and blends, built from operations that IEEE 754 rounds exactly.

Only + - * / sqrt min max abs floor and comparisons touch pixels: torch and C give the same bits, in
any batch and any order, where exp or sin would not. Distances are negative inside, in picture units
(half the picture is 1), exact or first-order near the outline as marked; formulas after Inigo
Quilez, "2D distance functions" (iquilezles.org/articles/distfunctions2d).
"""

import numpy as np
import torch
from torch import Tensor

Color = Tensor | tuple[float, float, float]


def root(x: Tensor) -> Tensor:
    """The square root, correctly rounded: torch's own is up to one unit off on some CPUs."""
    if isinstance(x, Tensor) and x.device.type == "cpu":
        return torch.from_numpy(np.sqrt(x.numpy()))
    return torch.sqrt(x)


def ellipse(x: Tensor, y: Tensor, rx: Tensor | float, ry: Tensor | float) -> Tensor:
    """Distance to an axis-parallel ellipse at the origin; first-order near the outline.

    f / |grad f| with f = (x / rx)² + (y / ry)² - 1 (Quilez, "distance to implicits").
    """
    a, b = 1 / (rx * rx), 1 / (ry * ry)
    p, q = x * a, y * b
    return (x * p + y * q - 1) / (root(p * p + q * q) * 2 + 1e-6)


def glow(x: Tensor, y: Tensor, rx: float | Tensor, ry: float | Tensor) -> Tensor:
    """A smooth hill on an ellipse at the origin: 1 at its center, 0 from its outline on."""
    t = (1 - (x * x * (1 / (rx * rx)) + y * y * (1 / (ry * ry)))).clamp_min(0)
    return t * t * (3 - 2 * t)


def disc(x: Tensor, y: Tensor, radius: Tensor | float) -> Tensor:
    """Distance to a disc at the origin; exact."""
    return root(x * x + y * y) - radius


def box(x: Tensor, y: Tensor, hx: Tensor | float, hy: Tensor | float) -> Tensor:
    """Distance to a box of half sizes `hx`, `hy` at the origin; exact inside, a bound outside."""
    return torch.maximum(x.abs() - hx, y.abs() - hy)


def rounded_box(
    x: Tensor, y: Tensor, hx: Tensor | float, hy: Tensor | float, radius: float | Tensor
) -> Tensor:
    """Distance to a box with rounded corners at the origin; exact outside the inner box."""
    qx = (x.abs() - (hx - radius)).clamp_min(0)
    qy = (y.abs() - (hy - radius)).clamp_min(0)
    return root(qx * qx + qy * qy) - radius


def segment(x: Tensor, y: Tensor, x0: float, y0: float, x1: float, y1: float) -> Tensor:
    """Distance to the line from (x0, y0) to (x1, y1); exact."""
    dx, dy = x1 - x0, y1 - y0
    px, py = x - x0, y - y0
    along = ((px * dx + py * dy) * (1 / (dx * dx + dy * dy))).clamp(0, 1)
    px, py = px - along * dx, py - along * dy
    return root(px * px + py * py)


def fill(distance: Tensor, pixels: Tensor | float) -> Tensor:
    """Coverage in [0, 1] of a shape, anti-aliased over one pixel of size 1 / `pixels`."""
    return (0.5 - distance * pixels).clamp(0, 1)


def soft(distance: Tensor, reach: float | Tensor) -> Tensor:
    """A smooth 0..1 glow of a shape: 1 deep inside, 0 from `reach` outside (smoothstep)."""
    t = (0.5 - distance * (0.5 / reach)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def solid(color: tuple[float, float, float], like: Tensor) -> Tensor:
    """A fixed color as (1, 3, 1, 1), on the device of `like`."""
    return like.new_tensor(color).view(1, 3, 1, 1)


def over(canvas: Tensor, alpha: Tensor, color: Color) -> Tensor:
    """`canvas` (N, 3, h, w) with `color` laid over it at coverage `alpha` (N, 1, h, w)."""
    if isinstance(color, tuple):
        color = solid(color, alpha)
    return canvas + alpha * (color - canvas)


def triangle_wave(t: Tensor) -> Tensor:
    """A wave of period 1 between -1 and 1, with straight flanks: 1 at whole t."""
    return ((t - torch.floor(t)) - 0.5).abs() * 4 - 1


def round_wave(t: Tensor) -> Tensor:
    """A sine-like wave of period 1 between -1 and 1, made of parabolas: 0 at whole t, then up."""
    f = t - torch.floor(t)
    g = f - 0.5
    return -g * (2 - 4 * g.abs()) * 4


def turned(degrees: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin of -180..180 degrees, by Taylor's series and the half-angle formula.

    In float64, with operations that IEEE 754 rounds exactly (error below 1e-9).
    """
    x = torch.stack([degrees.double(), degrees.double() / 2]) * (torch.pi / 180)
    square = x * x
    term, total = x.clone(), x
    for k in range(1, 12):
        term = term.mul_(square).div_((2 * k) * (2 * k + 1))
        total = total - term if k % 2 else total + term
    sine, half = total
    return 1 - 2 * half * half, sine
