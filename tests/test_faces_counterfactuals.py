"""Counterfactuals differ only where they must: `do(attribute)` stays in its region, or changes
nothing."""

import pytest
import torch
from torch import Tensor

from lab.worlds.faces import ATTRIBUTES, PARTS, STRAYS, Faces, sample_prior
from support.face_cases import MOST_STRAYS, NO_STRAYS, Drawn, counterfactuals, extremes

OF_PART = {
    "eyes": ("eyes", "stray_eyes", "eye_color", "eye_size", "gaze"),
    "nose": ("nose", "stray_noses", "nose_size"),
    "mouth": ("mouth", "stray_mouths", "lip_color", "mouth_open", "smile"),
    "ears": ("ears", "stray_ears", "ear_size"),
}
"""Part -> the attributes that show in it alone."""

THINGS = ("clock", "house", "mug", "flower", "car")
PAINTS = {"eye_color", "lip_color", "hair_color", "skin_color"}  # things are painted with them
pairs = pytest.mark.parametrize(
    ("part", "name"), [(part, name) for part, names in OF_PART.items() for name in names]
)


@pytest.fixture(scope="module")
def everybody() -> Faces:
    """Heads and things, ordinary and extreme, strays included; blur would spread a region."""
    return Faces.cat([sample_prior(12, seed=1), extremes(24, seed=1)]).do(blur=0)


@pytest.fixture(scope="module")
def heads(everybody: Faces) -> Faces:
    """Those of them that are heads, whatever their parts."""
    return everybody.do(subject="head")


@pytest.fixture(scope="module")
def persons() -> Faces:
    """Faces with all parts in place."""
    return sample_prior(24, seed=2, subject="head", arrangement="natural", blur=0,
                  eyes=2, nose=1, mouth=1, ears=2, **NO_STRAYS)  # fmt: skip


@pytest.fixture(scope="module")
def things() -> Faces:
    """Objects with nothing beside them, of heads that would be extreme."""
    return extremes(40, seed=3).do(subject=THINGS * 8, **NO_STRAYS)


def _region(one: Drawn, other: Drawn, names: tuple[str, ...]) -> Tensor:
    """Where any of these parts is in either of two counterfactuals."""
    return torch.stack([drawn.parts[name] for drawn in (one, other) for name in names]).any(dim=0)


@pairs
@pytest.mark.parametrize("size", [16, 48])
def test_attributes_of_a_part_stay_in_the_part(
    everybody: Faces, heads: Faces, part: str, name: str, size: int
) -> None:
    faces = heads if name in PAINTS else everybody
    for one, other, changed in counterfactuals(faces, name, size):
        assert not changed[~_region(one, other, (part, STRAYS[part]))].any()


def test_the_arrangement_moves_parts_and_nothing_else(everybody: Faces) -> None:
    for one, other, changed in counterfactuals(everybody, "arrangement"):
        assert not changed[~_region(one, other, PARTS)].any()


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_every_attribute_shows(persons: Faces, name: str) -> None:
    faces = persons.do(light_strength=0.8) if name == "light_direction" else persons
    for one, other, changed in counterfactuals(faces, name):
        seen = (changed.flatten(1).amax(dim=1) >= 10).float().mean()
        assert seen > 0.8, (one.faces.names(name)[0], other.faces.names(name)[0])


@pytest.mark.parametrize("part", OF_PART)
def test_a_part_that_is_not_there_has_no_attributes(heads: Faces, part: str) -> None:
    without = heads.do(**{part: 0, STRAYS[part]: 0})
    for name in OF_PART[part][2:]:
        for _, _, changed in counterfactuals(without, name):
            assert not changed.any(), name


@pytest.mark.parametrize(
    "name",
    [name for name, row in ATTRIBUTES.items()
     if row.group in ("structure", "face") and name not in PAINTS | {"subject"}],
)  # fmt: skip
def test_a_thing_has_no_face(things: Faces, name: str) -> None:
    for _, _, changed in counterfactuals(things, name):
        assert not changed.any()


@pytest.mark.parametrize("name", sorted(PAINTS))
def test_things_wear_the_colors_of_faces(things: Faces, name: str) -> None:
    shown = torch.stack(
        [changed.flatten(1).any(dim=1) for _, _, changed in counterfactuals(things, name)]
    )
    by_thing = shown.any(dim=0).view(-1, len(THINGS)).any(dim=0)
    assert by_thing.sum() >= 3, dict(zip(THINGS, by_thing.tolist(), strict=True))


@pytest.mark.parametrize(
    ("part", "name"),
    [(part, name) for part, names in OF_PART.items() for name in names[2:] if name not in PAINTS],
)
def test_stray_parts_beside_a_thing_have_attributes(things: Faces, part: str, name: str) -> None:
    for one, other, changed in counterfactuals(things.do(blur=0, **MOST_STRAYS), name):
        assert not changed[~_region(one, other, (STRAYS[part],))].any()
        assert changed.flatten(1).any(dim=1).float().mean() > 0.8


def test_without_parts_there_is_nothing_to_arrange(everybody: Faces) -> None:
    bare = everybody.do(eyes=0, nose=0, mouth=0, ears=0)
    for _, _, changed in counterfactuals(bare, "arrangement"):
        assert not changed.any()


def test_without_light_its_direction_does_not_matter(everybody: Faces) -> None:
    for _, _, changed in counterfactuals(everybody.do(light_strength=0), "light_direction"):
        assert not changed.any()
