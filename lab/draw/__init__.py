"""The drawing engine: procedural pictures from attribute values, by torch and C to the same bits.

It knows a `Drawing`, a description of layers and sprites, and nothing of what they show.
"""

from lab.draw.drawing import Drawing
from lab.draw.inputs import Inputs, InputTable
from lab.draw.layers import Box, Layer, greatest, grown
from lab.draw.render import BACKENDS, Backend, masks, render
from lab.draw.sprites import Ink, Placements, Sprite

__all__ = [
    "BACKENDS", "Backend", "Box", "Drawing", "Ink", "InputTable", "Inputs", "Layer", "Placements",
    "Sprite", "greatest", "grown", "masks", "render",
]  # fmt: skip
