"""Attributes in, pixels out: what a face is and how it is drawn. Knows no models and no labels."""

from lab.worlds.faces.attributes import ATTRIBUTES, PARTS, STRAYS, attribute
from lab.worlds.faces.batch import Faces, sample_at, sample_prior
from lab.worlds.faces.render import masks, render
from lab.worlds.schema import Attribute

__all__ = [
    "ATTRIBUTES", "PARTS", "STRAYS", "Attribute", "Faces", "attribute", "masks", "render",
    "sample_at", "sample_prior",
]  # fmt: skip
