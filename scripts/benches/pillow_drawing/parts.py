"""Ears, noses, mouths and eyes: outlines made once, moved into place for each face."""

from typing import Any

import numpy as np

from benches.pillow_drawing.pen import CIRCLES, Pen, Points, oval, tone

WHITE, SHINE, DARK, INSIDE = (247, 244, 238), (255, 250, 240), (43, 32, 29), (77, 26, 30)

Numbers = dict[str, Any]


class Stencil:
    """Several outlines that move together, so that placing them is one multiplication."""

    def __init__(self, **outlines: Points) -> None:
        self.points = np.concatenate(list(outlines.values()))
        ends = 2 * np.cumsum([len(outline) for outline in outlines.values()])
        self._spans = list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))

    def at(self, pen: Pen, *, mirror: bool = False) -> list[list[float]]:
        """The outlines in pixels, in order."""
        flat = pen.at(-self.points.conj() if mirror else self.points)
        return [flat[start:end] for start, end in self._spans]


def _lid(thick: float, low: float, high: float, level: float) -> Points:
    """An eyelid: a rim on the eyeball that tapers towards the height `level`, angles in degrees."""
    turn = np.exp(1j * np.radians(np.linspace(low, high, 13)))
    rim = thick * (0.5 + np.abs(turn.imag * 0.66 - level) * 2.5).clip(0, 1)
    outer = turn.real * (1 + rim) + 1j * turn.imag * (0.66 + rim)
    inner = turn.real * (1 - rim) + 1j * turn.imag * (0.66 - rim)
    return np.concatenate([outer, inner[::-1]])


def _below(outline: Points, level: float) -> Points:
    return outline[outline.imag >= level]


_EAR = Stencil(
    rim_top=oval(0.06, -0.30, 0.92, 1.12, 16),
    rim_lobe=oval(-0.16, 0.85, 0.55, 0.62, 12),
    top=oval(0.03, -0.30, 0.84, 1.02, 16),
    lobe=oval(-0.18, 0.83, 0.46, 0.53, 12),
)


def ear(pen: Pen, masks: Pen, mirror: bool, n: Numbers) -> None:
    """An outer rim, a darker bowl and a lobe."""
    skin = n["skin_color"]
    rim_top, rim_lobe, top, lobe = _EAR.at(pen, mirror=mirror)
    rim, inner = tone(skin, 0.73), tone(skin, 0.97)
    pen.solid(rim_top, rim)
    pen.solid(rim_lobe, rim)
    masks.solid(rim_top, 0)
    masks.solid(rim_lobe, 0)
    pen.solid(lobe, inner)
    pen.solid(top, inner)
    pen.glow(-0.05 if mirror else 0.05, -0.22, 0.75, 0.95, tone(skin, 0.60), 1.0)
    pen.glow(0.10 if mirror else -0.10, -0.05, 0.45, 0.60, tone(skin, 0.40), 0.60)


def _bridge() -> dict[str, Points]:
    """The bridge of the nose in four pieces, the upper ones to be drawn fainter."""
    edges = np.array([-1.55, -1.25, -0.95, -0.65, 0.5])
    left = 1j * edges - (0.22 + 0.16 * (edges + 1.5))
    return {
        f"bridge_{k}": np.array([left[k], -left[k].conj(), -left[k + 1].conj(), left[k + 1]])
        for k in range(4)
    }


_NOSE = Stencil(
    **_bridge(),
    edge=np.array([0.29 - 1j, 0.38 - 1j, 0.63 + 0.5j, 0.46 + 0.5j]),
    edge_ball=oval(0.03, 0.50, 0.68, 0.59, 16),
    edge_left=oval(-0.53, 0.62, 0.38, 0.43, 12),
    edge_right=oval(0.57, 0.62, 0.41, 0.43, 12),
    ball=oval(0.0, 0.50, 0.59, 0.48, 16),
    left=oval(-0.55, 0.62, 0.32, 0.33, 12),
    right=oval(0.54, 0.62, 0.29, 0.32, 12),
    below=_below(oval(0.0, 0.55, 0.84, 0.44, 16), 0.58),
    nostril_left=oval(-0.42, 0.80, 0.20, 0.13, 12),
    nostril_right=oval(0.42, 0.80, 0.20, 0.13, 12),
)


def nose(pen: Pen, masks: Pen, mirror: bool, n: Numbers) -> None:
    """A bridge that widens into a ball with wings, nostrils, a lit tip and a shadow below."""
    skin = n["skin_color"]
    (b0, b1, b2, b3, edge, edge_ball, edge_left, edge_right, ball, left, right, below,
     hole_left, hole_right) = _NOSE.at(pen)  # fmt: skip
    light, line = tone(skin, 1.05), tone(skin, 0.76)
    pen.glow(0.0, 0.84, 1.08, 0.75, tone(skin, 0.42), 0.85)
    pen.solid(edge_left, tone(skin, 0.84))
    pen.solid(edge_right, tone(skin, 0.66))
    pen.solid(edge_ball, line)
    for piece, alpha in ((b0, 51), (b1, 110), (b2, 175)):
        pen.glaze(piece, (*light, alpha))
    pen.solid(b3, light)
    pen.solid(left, light)
    pen.solid(right, light)
    pen.solid(ball, light)
    pen.glaze(edge, (*tone(skin, 0.5), 85))
    masks.solid(b3, 0)
    masks.solid(edge_ball, 0)
    pen.glaze(below, (*tone(skin, 0.62), 110))
    pen.solid(hole_left, tone(skin, 0.30))
    pen.solid(hole_right, tone(skin, 0.30))
    pen.glow(-0.08, 0.32, 0.32, 0.32, SHINE, 0.60)
    pen.glow(-0.05, -0.55, 0.17, 0.65, SHINE, 0.28)


_LIPS = CIRCLES[24]
_INNER = CIRCLES[16]
_TEETH = np.linspace(-0.62, 0.62, 9)


def mouth(pen: Pen, masks: Pen, mirror: bool, n: Numbers) -> None:
    """Lips along a curve, with teeth and a dark inside as far as it is open."""
    lips, gap, bend = n["lips"], n["mouth_open"], n["smile"] * 0.34

    def curved(x: Any, w: Any) -> Points:
        points: Points = x + 1j * (w - bend * (x * x - 0.45))
        return points

    shadow = tone(n["skin_color"], 0.5)
    pen.glow(0.0, 0.36 + 0.30 * gap + 0.40 * bend, 0.70, 0.20, shadow, 0.45)
    thick = 0.24 + 0.30 * gap
    outer = curved(_LIPS.real, 0.06 * gap + thick * _LIPS.imag)
    flat = pen.at(outer)
    pen.solid(flat, tone(lips, 0.84))
    masks.solid(flat, 0)
    lower = _LIPS[:13]
    pen.fill(
        curved(lower.real, 0.06 * gap + thick * lower.imag), tone(lips, 1.0 + 0.1 * round(gap, 1))
    )
    thin = 0.045 + 0.27 * gap
    pen.fill(curved(_INNER.real * 0.80, 0.05 * gap + thin * _INNER.imag), INSIDE)
    show = min(1.0, gap * 4 - 0.3)
    if show > 0:
        roof = 0.05 * gap - thin * np.sqrt(1 - (_TEETH / 0.80) ** 2)
        bow = (0.02 + 0.22 * gap) * np.sqrt(1 - (_TEETH / 0.66) ** 2)
        top, bottom = np.maximum(roof, -0.20 * gap - bow), np.maximum(roof, -0.20 * gap + bow)
        both = np.concatenate([_TEETH, _TEETH[::-1]])
        pen.veil(curved(both, np.concatenate([top, bottom[::-1]])), WHITE, show)
    pen.glow(-0.15, 0.19 + 0.30 * gap + 0.42 * bend, 0.36, 0.09, WHITE, 0.45)


_BALL = oval(0, 0, 1.0, 0.66, 24)
_EYE = Stencil(
    ball=_BALL,
    middle=_below(_BALL, -0.34),
    lower=_below(_BALL, -0.08),
    lid=_lid(0.10, 182, 358, -0.02),
    under=_lid(0.05, 9, 171, 0.10),
)
_IRIS = CIRCLES[16]


def eye(pen: Pen, masks: Pen, mirror: bool, n: Numbers) -> None:
    """Socket shadow, white, iris, pupil, catch light and upper lid."""
    skin, iris = n["skin_color"], n["eye_color"]
    ball, middle, lower, lid, under = _EYE.at(pen)
    pen.glow(0.0, -0.04, 1.28, 0.95, tone(skin, 0.50), 0.60)
    pen.solid(ball, tone(WHITE, 0.82))
    masks.solid(ball, 0)
    pen.solid(middle, tone(WHITE, 0.92))
    pen.solid(lower, tone(WHITE, 0.99))
    x = 0.36 * n["gaze"]
    ring = _IRIS * 0.54 + (x - 0.02j)
    high = 0.66 * np.sqrt(np.maximum(1 - ring.real**2, 0))
    ring = ring.real + 1j * ring.imag.clip(-high, high)
    pen.fill(ring, tone(iris, 0.50))
    pen.disc(x, -0.02, 0.46, tone(iris, 0.78))
    pen.disc(x, 0.10, 0.32, tone(iris, 0.95))
    pen.disc(x, -0.02, 0.23, DARK)
    pen.disc(x - 0.18, -0.22, 0.14, (252, 252, 252))
    pen.solid(lid, DARK)
    pen.glaze(under, (*tone(skin, 0.45), 110))


DRAW = {"ears": ear, "nose": nose, "mouth": mouth, "eyes": eye}
"""Part -> its drawing, in the order in which they are laid over a head."""
