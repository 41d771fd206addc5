"""Where attributes of the head, the scene and the camera may show; masks against the pictures."""

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from torch import Tensor

from lab.worlds.faces import ATTRIBUTES, PARTS, STRAYS, Faces, masks, sample_prior
from support.face_cases import MOST_STRAYS, counterfactuals, extremes, picture

SIZE = 48
STRAY = tuple(STRAYS.values())
Box = tuple[float, float, float]
"""In the frame of the head: |u| up to the first number, v between the others."""

HEAD, THING = (0.75, -1.0, 1.0), (0.84, -1.0, 1.0)
BROWS, GLASSES = (0.38, -0.29, -0.14), (0.58, -0.25, 0.18)
CLOTH = (0.90, 0.58, 9.0)
ALL = (9.0, -9.0, 9.0)

REGIONS: dict[str, tuple[tuple[Box, ...], tuple[str, ...]]] = {
    "eye_spacing": ((BROWS, GLASSES), ("eyes",)),  # brows and glasses move along
    "eyebrows": ((BROWS,), ()),
    "glasses": ((GLASSES,), ()),
    "blush": (((0.48, -0.04, 0.35),), ()),
    "beard": (((0.56, -0.26, 0.68),), ()),
    "hair_style": ((HEAD,), ()),
    "hair_length": ((HEAD,), ()),
    "hair_color": ((HEAD,), ()),
    "skin_color": ((HEAD,), (*PARTS, *STRAY)),
    "head_width": ((HEAD,), PARTS),
    "head_height": ((HEAD,), PARTS),
    "subject": ((HEAD, THING), PARTS),
    "clothes_color": ((CLOTH,), ()),
    "background_color": ((ALL,), ()),
    "background_pattern": ((ALL,), ()),
    "position_x": ((HEAD, CLOTH), PARTS),
    "position_y": ((HEAD, CLOTH), PARTS),
    "scale": ((HEAD, CLOTH), (*PARTS, *STRAY)),
    "rotation": ((HEAD, CLOTH), (*PARTS, *STRAY)),
}
"""Attribute -> where on a head it may show: boxes, and the parts that it changes or uncovers."""

MIDDLE = {"hair_style", "hair_length", "hair_color"}  # leave the middle of the face as it is
COVERED = {"background_color", "background_pattern"}  # do not show through skull and cloth
ANYWHERE = {"light_direction", "light_strength", "blur", "pixel_noise"}


@pytest.fixture(scope="module")
def heads() -> Faces:
    """Heads, ordinary and extreme, without what spreads a region."""
    faces = Faces.cat([sample_prior(12, seed=1), extremes(24, seed=1)])
    return faces.do(blur=0, subject="head", beard="none")


def _frame(faces: Faces, size: int) -> tuple[Tensor, Tensor]:
    """Coordinates (N, size, size) of the pixels in the frames of the heads, on their own terms."""
    centers = (torch.arange(size, dtype=torch.float64) + 0.5) * 2 / size - 1
    y, x = torch.meshgrid(centers, centers, indexing="ij")
    dx = x - faces["position_x"].double()[:, None, None]
    dy = y - faces["position_y"].double()[:, None, None]
    away = torch.polar(
        faces["scale"].double(), torch.deg2rad(faces["rotation"].double())
    )[:, None, None]  # fmt: skip
    frame = torch.complex(dx, dy) / away
    return frame.real, frame.imag


def _inside(faces: Faces, box: Box, margin: float) -> Tensor:
    u, v = _frame(faces, SIZE)
    wide, top, bottom = box
    return (u.abs() < wide + margin) & (v > top - margin) & (v < bottom + margin)


def _covered(faces: Faces) -> Tensor:
    """Where skull or cloth surely hide the background."""
    u, v = _frame(faces, SIZE)
    wide = 0.47 * 0.82 * faces["head_width"].double()[:, None, None]
    tall = 0.60 * 0.88 * faces["head_height"].double()[:, None, None]
    skull = (u / wide) ** 2 + ((v + 0.08) / tall) ** 2 < 1
    cloth = (u / 0.78) ** 2 + ((v - 1.2) / 0.52) ** 2 < 1
    return skull | cloth


def test_every_attribute_has_a_region() -> None:
    parts_own = {"eye_color", "eye_size", "gaze", "nose_size", "mouth_open", "smile", "lip_color",
                 "ear_size", "arrangement", *PARTS, *STRAY}  # fmt: skip
    assert REGIONS.keys() | ANYWHERE | parts_own == ATTRIBUTES.keys()


@pytest.mark.parametrize("name", REGIONS)
def test_an_attribute_shows_in_its_region_alone(heads: Faces, name: str) -> None:
    boxes, parts = REGIONS[name]
    pixel = 2 / SIZE / ATTRIBUTES["scale"].low
    seen = False
    for one, other, changed in counterfactuals(heads, name, SIZE):
        both = [_inside(drawn.faces, box, pixel) for drawn in (one, other) for box in boxes]
        both += [drawn.parts[part] for drawn in (one, other) for part in parts]
        region = torch.stack(both).any(dim=0)
        if name in MIDDLE:
            region &= ~_inside(one.faces, (0.22, 0.02, 0.42), -pixel)
        if name in COVERED:
            region &= ~_covered(one.faces)
        assert not changed[~region].any()
        seen |= bool(changed[region].any())
    assert seen


@pytest.mark.parametrize("name", ["position_x", "position_y", "head_width", "arrangement"])
def test_strays_stay_where_they_are(heads: Faces, name: str) -> None:
    for one, other, _ in counterfactuals(heads.do(**MOST_STRAYS), name, SIZE):
        for stray in STRAY:
            assert torch.equal(one.parts[stray], other.parts[stray])


@pytest.fixture(scope="module")
def plain() -> Faces:
    """Faces in even light, sharp and without grain, so that a part's ink is all that differs."""
    faces = Faces.cat([sample_prior(24, seed=4), extremes(24, seed=4)])
    return faces.do(blur=0, pixel_noise=0, light_strength=0)


@pytest.mark.parametrize("name", [*PARTS, *STRAY])
def test_masks_are_where_a_part_makes_a_difference(plain: Faces, name: str) -> None:
    shown = plain.do(**{name: len(ATTRIBUTES[name].values) - 1})
    without = picture(plain.do(**{name: 0}), 64)
    changed = (picture(shown, 64) - without).abs().amax(dim=1) > 0
    mask = masks(shown, size=64)[name]
    assert not changed[~mask].any()
    assert (changed & mask).sum() > 0.75 * mask.sum(), "what is marked makes a difference"


def test_masks_tell_what_is_there(plain: Faces) -> None:
    regions = masks(plain, size=40)
    assert regions.keys() == {*PARTS, *STRAY}
    for name, region in regions.items():
        assert region.dtype == torch.bool
        assert region.shape == (len(plain), 40, 40)
        shown = plain[name] > 0
        if name in PARTS:
            shown &= plain["subject"] == 0
        assert torch.equal(region.flatten(1).any(dim=1), shown), name


@pytest.mark.parametrize("size", [17, 64])
def test_masks_know_no_batch_and_no_light(size: int) -> None:
    faces = extremes(300, seed=5)
    whole = masks(faces, size=size)
    order = np.random.default_rng(0).permutation(300)[:40].tolist()
    dark = faces.do(light_strength=0, blur=0, pixel_noise=0, background_color="gray")
    for some in (faces[order], dark[order]):
        for name, region in masks(some, size=size).items():
            assert torch.equal(region, whole[name][order]), name


def test_masks_hold_as_many_parts_as_there_are() -> None:
    """Separate areas, counted, where parts do not touch."""
    faces = sample_prior(40, seed=6, subject="head", arrangement="natural", eye_size=0.8,
                   eye_spacing=1.14, position_x=0, **MOST_STRAYS)  # fmt: skip
    for part in ("eyes", "ears"):
        region = masks(faces, size=96)[part]
        counted = [label(one)[1] for one in region.numpy()]
        assert counted == faces[part].tolist()
