"""Pictures have addresses: image i is a pure function of (seed, split, i). Training sets nest."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.draw import Backend
from lab.draw.render import can_draw_in_c
from lab.worlds.faces import ATTRIBUTES, Faces, masks, render, sample_prior
from lab.worlds.faces.batch import sample_at
from lab.worlds.faces.drawing import DRAWING
from support.face_cases import extremes, same


@pytest.fixture(params=["torch", "c"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend."""
    if request.param == "c":
        _need_compiler()
    return request.param


@pytest.fixture(params=[2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """A number of threads, in force."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def _need_compiler() -> None:
    if not can_draw_in_c(DRAWING):
        pytest.skip("there is no C compiler")


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=9), st.integers(0, 2**40))
def test_a_face_is_a_function_of_its_address(indices: list[int], seed: int) -> None:
    batch = sample_at(np.array(indices), seed=seed, split="train")
    alone = [sample_prior(1, seed=seed, split="train", start=i) for i in indices]
    assert same(batch, Faces.cat(alone))


@settings(max_examples=15)
@given(st.permutations(range(14)), st.integers(1, 14), st.sampled_from([16, 17, 32, 40]))
def test_a_picture_knows_no_batch(order: list[int], cut: int, size: int) -> None:
    faces = sample_prior(14, seed=3)
    pictures = render(faces, size=size, backend="torch")
    mixed = [render(faces[order[:cut]], size=size, backend="torch"),
             render(faces[order[cut:]], size=size, backend="torch")]  # fmt: skip
    assert torch.equal(torch.cat(mixed), pictures[order])


def test_order_slices_and_start(backend: Backend) -> None:
    faces = sample_prior(150, seed=1, split="train")
    pictures = render(faces, size=32, backend=backend)
    order = torch.randperm(150, generator=torch.Generator().manual_seed(0))
    assert torch.equal(render(faces[order], size=32, backend=backend), pictures[order])
    assert torch.equal(render(faces[40:97], size=32, backend=backend), pictures[40:97])
    later = sample_prior(57, seed=1, split="train", start=40)
    assert torch.equal(render(later, size=32, backend=backend), pictures[40:97])
    for i, face in zip(range(9), faces, strict=False):
        assert torch.equal(render(face, size=32, backend=backend), pictures[i : i + 1])


def test_blocks_leave_no_seams(backend: Backend) -> None:
    faces = sample_prior(4200, seed=2)
    pictures = render(faces, size=16, backend=backend)
    assert torch.equal(render(faces[4090:4101], size=16, backend=backend), pictures[4090:4101])
    every = torch.arange(7, 4200, 131)
    assert torch.equal(render(faces[every], size=16, backend=backend), pictures[every])


def test_threads_do_not_show(backend: Backend, threads: int) -> None:
    count = 130 if backend == "c" else 24  # C starts a thread for every 64 pictures
    faces = sample_prior(count, seed=4)
    pictures = render(faces, size=32, backend=backend)
    torch.set_num_threads(1)
    assert torch.equal(render(faces, size=32, backend=backend), pictures), threads


@pytest.mark.parametrize(("size", "count"), [(16, 160), (17, 160), (32, 160), (48, 96), (96, 48)])
def test_both_backends_give_the_same_bytes(size: int, count: int) -> None:
    _need_compiler()
    for faces in (sample_prior(count, seed=5), extremes(count)):
        expected = render(faces, size=size, backend="torch")
        assert torch.equal(render(faces, size=size, backend="c"), expected)


def test_both_backends_give_the_same_bytes_on_large_pictures() -> None:
    _need_compiler()
    subjects = ATTRIBUTES["subject"].values
    faces = extremes(len(subjects), seed=8).do(subject=subjects)
    assert torch.equal(render(faces, size=512, backend="c"),
                       render(faces, size=512, backend="torch"))  # fmt: skip


def test_drawing_leaves_the_faces_alone() -> None:
    faces, fresh = sample_prior(20, seed=6), sample_prior(20, seed=6)
    first = render(faces, size=24)
    masks(faces, size=24)
    assert same(faces, fresh)
    assert torch.equal(render(faces, size=24), first)


def test_nothing_is_drawn_from_global_generators() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = render(sample_prior(8, seed=7), size=24)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(render(sample_prior(8, seed=7), size=24), one)


def test_training_sets_nest() -> None:
    many = sample_prior(1024, seed=0, split="train")
    few = sample_prior(64, seed=0, split="train")
    assert same(many[:64], few)
    assert torch.equal(render(many[:64], size=16), render(few, size=16))


def test_splits_and_seeds_share_no_face() -> None:
    worlds = [("train", 0), ("test", 0), ("train", 1), ("test", 1)]
    batches = [sample_prior(500, seed=seed, split=split) for split, seed in worlds]
    identity = torch.cat([batch.identity for batch in batches])
    assert len(identity.unique()) == 2000
    pictures = torch.cat([render(batch[:100], size=16) for batch in batches])
    assert len(pictures.flatten(1).unique(dim=0)) == 400


def test_nobody_is_drawn_too(backend: Backend) -> None:
    nobody = sample_prior(0, seed=0)
    assert render(nobody, size=20, backend=backend).shape == (0, 3, 20, 20)
    assert {region.shape for region in masks(nobody, size=20).values()} == {(0, 20, 20)}


@pytest.mark.parametrize("size", [15, 513, 0, -32])
def test_sizes_out_of_range_are_refused(size: int) -> None:
    for draw in (render, masks):
        with pytest.raises(ValueError, match="16 to 512 pixels"):
            draw(sample_prior(1, seed=0), size=size)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'torch'"):
        render(sample_prior(1, seed=0), backend="troch")  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"count": -1}, {"start": -1}, {"variation": 1.5}])
def test_wrong_requests_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=str(*wrong)):
        sample_prior(**{"count": 3, "seed": 0} | wrong)
