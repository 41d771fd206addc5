"""The drawing is sharp, smooth and finite, and looks the same at any size."""

import gc
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lab import draw
from lab.draw import Backend, Sprite, torch_backend
from lab.draw.finish import grid
from lab.worlds.faces import ATTRIBUTES, Faces, render, sample_prior
from lab.worlds.faces.drawing import DRAWING
from support.face_cases import extremes, fastest, picture

CPU = torch.device("cpu")
CONTINUOUS = [name for name, row in ATTRIBUTES.items() if row.kind == "continuous"]


def _sharp(faces: Faces) -> Faces:
    return faces.do(blur=0, pixel_noise=0)


@pytest.mark.parametrize("subject", DRAWING.subjects)
def test_layers_are_finite_and_coverage_is_a_share(subject: str) -> None:
    faces = extremes(48, seed=7).do(subject=subject)
    x, y = grid(33, CPU)
    n = DRAWING.prepare(faces, 33).inputs.rows(slice(None), CPU)
    code = list(DRAWING.subjects).index(subject)
    canvas, cover = DRAWING.paint(code, x, y, torch.full((1, 1, 1, 1), 16.5), n)
    assert DRAWING.light(canvas, cover, x, y, n).isfinite().all()
    assert cover.min() >= 0
    assert cover.max() <= 1
    assert canvas.min() > -0.1
    assert canvas.max() < 1.6, "no color is far beyond white before the light"


@pytest.mark.parametrize("sprite", DRAWING.sprites, ids=lambda sprite: sprite.name)
def test_ink_is_finite_and_premultiplied(sprite: Sprite) -> None:
    listed = DRAWING.prepare(extremes(200, seed=8), 40)
    placed = listed.sprites.of(DRAWING.sprites.index(sprite))
    ink, _ = torch_backend.ink(listed, sprite, placed, CPU)
    assert ink.alpha.min() >= 0
    assert ink.alpha.max() <= 1 + 1e-6
    assert ink.rgb.isfinite().all()
    assert (ink.rgb >= -1e-6).all()
    assert (ink.rgb <= 1.6 * ink.alpha + 1e-6).all(), "no color where there is no ink"


@pytest.mark.parametrize("size", [16, 32, 48])
def test_no_window_cuts_a_sprite(size: int) -> None:
    faces = extremes(100, seed=9)
    roomy = [
        replace(sprite, extent=(1.5 * sprite.extent[0], 1.5 * sprite.extent[1]))
        for sprite in DRAWING.sprites
    ]
    uncut = draw.render(replace(DRAWING, sprites=tuple(roomy)), faces, size=size, backend="torch")
    assert torch.equal(render(faces, size=size, backend="torch"), uncut)


def test_a_large_picture_shrinks_to_the_small_one() -> None:
    faces = _sharp(sample_prior(24, seed=10))
    shrunk = avg_pool2d(render(faces, size=256).float(), 8).flatten(1)
    small = render(faces, size=32).float().flatten(1)
    pairs = zip(shrunk.numpy(), small.numpy(), strict=True)
    assert min(np.corrcoef(a, b)[0, 1] for a, b in pairs) > 0.97
    assert (shrunk - small).abs().mean() < 5
    assert (shrunk - small).mean().abs() < 1


def test_edges_are_smoothed() -> None:
    """A shift by an eighth of a pixel moves colors along an edge a little, and does move them."""
    faces = _sharp(sample_prior(12, seed=11, background_pattern="plain", rotation=0))
    pixel = 2 / 32
    shifts = [picture(faces.do(position_x=k * pixel / 8), 32) for k in range(9)]
    steps = torch.stack([b - a for a, b in pairwise(shifts)]).abs()
    moved = steps.flatten(2).gt(0).float().mean(dim=2)
    assert moved.min() > 0.02, "every step shows"
    whole = (shifts[8] - shifts[0]).abs().amax()
    assert steps.amax() < 0.5 * whole, "no pixel jumps"


def test_shifts_by_whole_pixels_move_the_head_and_nothing_else() -> None:
    """What is drawn does not depend on where the grid of pixels lies."""
    faces = _sharp(
        sample_prior(12, seed=12, background_pattern="plain", light_strength=0, scale=0.9,
                     stray_eyes=0, stray_noses=0, stray_mouths=0, stray_ears=0, position_y=0)
    )  # fmt: skip
    here, there = (picture(faces.do(position_x=k * 2 / 32), 32) for k in (-1, 1))
    difference = (here[..., 4:-6] - there[..., 6:-4]).abs()
    assert difference.amax() <= 1


@pytest.mark.parametrize("name", CONTINUOUS)
def test_strips_are_continuous(name: str) -> None:
    """Small steps of an attribute make small steps of the picture, all along its range."""
    row = ATTRIBUTES[name]
    faces = sample_prior(6, seed=13, blur=0, subject="head", light_strength=0.8,
                   eyes=2, nose=1, mouth=1, ears=2)  # fmt: skip
    values = np.linspace(row.low, row.high, 33).tolist()
    strip = picture(Faces.cat([faces.do(**{name: value}) for value in values]), 40)
    strip = strip.unflatten(0, (33, 6))
    steps = strip.diff(dim=0).abs().float()
    means = steps.flatten(2).mean(dim=2)
    whole = (strip[-1] - strip[0]).abs().float().flatten(1).mean(dim=1)
    assert (means.amax(dim=0) < 0.25 * whole + 0.3).all()
    assert whole.amin() > 0


def test_blur_softens_and_keeps_the_mean() -> None:
    faces = sample_prior(16, seed=14, pixel_noise=0)
    most = ATTRIBUTES["blur"].high
    softness = [picture(faces.do(blur=share * most), 64).float() for share in (0, 0.5, 1)]
    edges = [_edge_energy(pictures) for pictures in softness]
    assert (edges[0] > edges[1]).all()
    assert (edges[1] > edges[2]).all()
    means = [pictures.mean(dim=(1, 2, 3)) for pictures in softness]
    assert (means[0] - means[2]).abs().max() < 2


def _edge_energy(pictures: Tensor) -> Tensor:
    return pictures.diff(dim=3).square().mean(dim=(1, 2, 3))


def test_grain_has_the_deviation_it_says() -> None:
    faces = sample_prior(40, seed=15, blur=0, background_color="gray", background_pattern="plain")
    clean = picture(faces.do(pixel_noise=0), 32)
    for deviation in (0.01, 0.04):
        grain = (picture(faces.do(pixel_noise=deviation), 32) - clean).float()
        inside = (clean > 40) & (clean < 215)  # where nothing is clipped
        assert grain[inside].std().item() == pytest.approx(255 * deviation, rel=0.05)
        assert abs(grain[inside].mean()) < 0.1


def test_two_pictures_share_no_grain() -> None:
    faces = sample_prior(30, seed=16, blur=0)
    grain = (picture(faces.do(pixel_noise=0.04)) - picture(faces.do(pixel_noise=0))).flatten(1)
    correlation = np.corrcoef(grain.numpy()) - np.eye(30)
    assert np.abs(correlation).max() < 0.1


def test_every_face_has_its_own_looks() -> None:
    pictures = render(sample_prior(500, seed=17), size=16).flatten(1)
    assert len(pictures.unique(dim=0)) == 500
    few = render(sample_prior(100, seed=17, variation=0.0, subject="head", eyes=2), size=16)
    assert few.float().std(dim=0).mean() < 0.8 * pictures[:100].float().std(dim=0).mean()


def _peak() -> float:
    """The process's largest memory so far, in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="peaks stay")
@pytest.mark.parametrize(("backend", "count"), [("c", 12_000), ("torch", 600)])
def test_memory_does_not_grow_with_the_number_of_faces(backend: Backend, count: int) -> None:
    if backend == "c" and fastest() != "c":
        pytest.skip("there is no C compiler")
    faces = sample_prior(count, seed=18)
    render(faces[:300], size=32, backend=backend)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    before = _peak()
    output = render(faces, size=32, backend=backend).numel() / 2**20
    assert _peak() - before < output + 60
