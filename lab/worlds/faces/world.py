"""Faces as a domain: their description for tasks, populations and evaluators."""

from collections.abc import Sequence

from lab.core.config import DataConfig
from lab.worlds.domain import Domain
from lab.worlds.faces.attributes import ATTRIBUTES, PARTS, STRAYS, attribute
from lab.worlds.faces.batch import Faces
from lab.worlds.faces.drawing import arithmetic
from lab.worlds.faces.palette import PALETTES
from lab.worlds.faces.render import masks, render
from lab.worlds.faces.strays import balance_parts


def with_parts(faces: Faces, parts: Sequence[str]) -> Faces:
    """The same faces as heads that have all of `parts`, in their places, and no other part."""
    whole = {part: int(attribute(part).values[-1]) if part in parts else 0 for part in PARTS}
    return faces.do(subject="head", arrangement="natural", **whole)


FACES = Domain(
    name="faces",
    noun="faces",
    schema=ATTRIBUTES,
    render=render,
    masks=masks,
    arithmetic=arithmetic,
    palettes=PALETTES,
    components=PARTS,
    compose=with_parts,
    finish=balance_parts,
    adjusted=tuple(STRAYS.values()),
    showcase=("eye_color", "mouth_open", "skin_color", "hair_length"),
    tied=DataConfig(
        cues=("eye_color=blue/brown:0.9", "hair_length:0.8"), cue_visibility=0.5, label_noise=0.3,
        unseen_combinations=("skin_color=dark,glasses=round",), missing=("mouth", "ears"),
        variation=0.8,
    ),
)  # fmt: skip
