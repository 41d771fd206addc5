"""`DRAWING`: the description of the faces' pictures that the drawing engine executes."""

from lab.draw import Drawing, codegen
from lab.draw.display_list import DisplayList
from lab.draw.finish import blur_weights, noise_start
from lab.worlds.faces.attributes import ATTRIBUTES
from lab.worlds.faces.batch import Faces, sample_prior
from lab.worlds.faces.geometry import inputs_of
from lab.worlds.faces.head import HEAD
from lab.worlds.faces.objects import OBJECTS
from lab.worlds.faces.parts import SPRITES
from lab.worlds.faces.placement import REGIONS, placements_of
from lab.worlds.faces.scene import BACKGROUND_CASES, CLOTH, background, light

SUBJECTS = ATTRIBUTES["subject"].values


def prepare(faces: Faces, size: int) -> DisplayList:
    """The display list of some faces at `size` pixels."""
    return DisplayList(
        size=size,
        subjects=tuple(faces.values["subject"].tolist()),
        inputs=inputs_of(faces),
        sprites=placements_of(faces, size),
        blur=blur_weights(faces.values["blur"], size, most=ATTRIBUTES["blur"].high),
        noise_start=noise_start(faces.identity),
    )


def examples() -> Faces:
    """A few faces of every subject."""
    faces = sample_prior(8 * len(SUBJECTS), seed=0, split="compare drawings")
    return faces.do(subject=[*SUBJECTS] * 8)


DRAWING = Drawing[Faces](
    name="faces",
    subject_of=lambda faces: faces.values["subject"],
    prepare=prepare,
    examples=examples,
    background=background,
    background_cases=BACKGROUND_CASES,
    base=(CLOTH,),
    subjects={"head": HEAD, **{name: (layer,) for name, layer in OBJECTS.items()}},
    sprites=SPRITES,
    shade=light,
    regions=REGIONS,
)
assert tuple(DRAWING.subjects) == SUBJECTS, "codes are positions in the attribute's values"


def arithmetic() -> str:
    """The traced arithmetic of the pictures: see `lab.draw.codegen.arithmetic`."""
    return codegen.arithmetic(DRAWING)
