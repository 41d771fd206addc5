"""The lab's pictures as a competent user of Pillow would draw them: what the bench compares with.

One face at a time, 4x supersampled: `ImageDraw` lays polygons and discs, cached brushes give soft
edges, `reduce` brings the picture to its size, and NumPy shades it there, once for each pixel.
"""

from benches.pillow_drawing.picture import draw

__all__ = ["draw"]
