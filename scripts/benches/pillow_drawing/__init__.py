"""The lab's pictures as a competent user of Pillow would draw them: what the bench compares with.

Frozen: written for the person world faces-4097712c5db6, and not changed with the drawing. It takes
over what the lab computes once per face (sizes, places, colors), so that only drawing is compared.

One face at a time, 4x supersampled: `ImageDraw` lays polygons and discs, cached brushes give soft
edges, `reduce` brings the picture to its size, and NumPy shades it there, once for each pixel.
"""

from benches.pillow_drawing.picture import draw

WRITTEN_FOR = "faces-4097712c5db6"
"""The version of the pictures that this drawing is like: see `lab.worlds.world_version`."""

__all__ = ["WRITTEN_FOR", "draw"]
