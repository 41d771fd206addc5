"""Faces: their attributes and their drawing. Independent of models."""

from lab.worlds.faces.attributes import ATTRIBUTES, PARTS, STRAYS, attribute
from lab.worlds.faces.batch import Faces, sample_at, sample_prior
from lab.worlds.faces.render import masks, render
from lab.worlds.schema import Attribute

__all__ = [
    "ATTRIBUTES", "PARTS", "STRAYS", "Attribute", "Faces", "attribute", "masks", "render",
    "sample_at", "sample_prior",
]  # fmt: skip
