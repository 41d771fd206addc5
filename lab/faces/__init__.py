"""Attributes in, pixels out: what a face is and how it is drawn. Knows no models and no labels."""

from lab.faces.attributes import ATTRIBUTES, PARTS, STRAYS, Attribute, attribute
from lab.faces.batch import Faces, sample, sample_at
from lab.faces.render import masks, render

__all__ = [
    "ATTRIBUTES", "PARTS", "STRAYS", "Attribute", "Faces", "attribute", "masks", "render",
    "sample", "sample_at",
]  # fmt: skip
