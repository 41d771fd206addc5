"""The colors behind the names of the attribute table, as sRGB in 0..1."""

from collections.abc import Mapping

import torch
from torch import Tensor

from lab.worlds.faces.attributes import ATTRIBUTES

_HEX: dict[str, dict[str, str]] = {
    "skin_color": {
        "light": "f3cfb3", "fair": "e8b995", "tan": "d6a07a", "olive": "bd8a61",
        "brown": "94623f", "dark": "6b432b",
    },
    "hair_color": {
        "brown": "4f3423", "black": "262122", "blond": "d2ab62", "red": "a8522a", "gray": "9c9a9b",
        "chestnut": "6e4127",
    },
    "eye_color": {
        "brown": "6f4322", "blue": "3f86d6", "green": "4c9a4f", "gray": "8494a2",
        "amber": "c08a2b",
    },
    "lip_color": {"rose": "cc7565", "red": "c0493c", "brown": "9c603f", "plum": "98505e"},
    "clothes_color": {
        "navy": "2f4468", "red": "a83f3c", "green": "3f7258", "white": "e6e2da",
        "mustard": "c99a3a", "black": "35343a",
    },
    "background_color": {
        "blue": "98b2c6", "sand": "d9c6a0", "green": "b0b67a", "pink": "dfa9a6", "gray": "c0ac96",
        "lilac": "bd9db4", "rust": "c4805a", "brown": "936c50",
    },
}  # fmt: skip


def _table(name: str) -> Tensor:
    rows = [_HEX[name][str(value)] for value in ATTRIBUTES[name].values]
    return torch.tensor([rgb(row) for row in rows])


def rgb(code: str) -> tuple[float, float, float]:
    """An "rrggbb" code as three numbers in 0..1."""
    return tuple(int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))  # type: ignore[return-value]


PALETTES = {name: _table(name) for name in _HEX}
"""Attribute -> (number of values, 3) colors, in the table's order."""


def palette(name: str, visibility: Mapping[str, float]) -> Tensor:
    """The colors (K, 3) of an attribute; a visibility below 1 moves them towards their mean."""
    colors, share = PALETTES[name], visibility.get(name, 1.0)
    if share == 1:
        return colors
    mean = colors.mean(dim=0)
    return mean + share * (colors - mean)


WHITE = rgb("f7f4ee")
EYE_WHITE = rgb("fde3c0")  # as warm as skin: the color of the middle must not reveal a face
DARK = rgb("2b201d")
MOUTH_INSIDE = rgb("4d1a1e")
LEAF = rgb("4f8f4a")
