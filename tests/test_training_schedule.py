"""When to evaluate, how large a step, which batch, and what augmentation does to it."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from lab.training.augment import RandomAffines, RandomColors, augmentation
from lab.training.batches import Order
from lab.training.schedule import FIRST, LATE, evaluation_steps, learning_rate


@given(st.integers(0, 10_000_000))
def test_evaluations_begin_and_end_the_run_and_are_dense_early(steps: int) -> None:
    due = evaluation_steps(steps)
    assert due[0] == 0
    assert due[-1] == steps
    assert list(due) == sorted(set(due))
    assert len(due) <= LATE + 1 + math.log2(steps + 1)
    for step, after in pairwise(due):
        assert after <= max(2 * step, FIRST) or after - step <= steps / LATE + 1


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_evaluations_come_every_so_many_steps(steps: int, every: int) -> None:
    due = evaluation_steps(steps, every)
    assert set(due) == {s for s in range(steps + 1) if s % every == 0} | {steps}


@given(st.integers(1, 3000), st.floats(1e-6, 10))
def test_the_rate_climbs_then_falls_to_nearly_nothing(steps: int, peak: float) -> None:
    rates = [learning_rate(step, steps=steps, peak=peak) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[top] == pytest.approx(peak)
    assert all(rate > 0 for rate in rates)


@given(st.integers(2, 300), st.integers(1, 400), st.integers(0, 99))
def test_an_epoch_shows_every_face_once(count: int, batch_size: int, seed: int) -> None:
    batches = Order(count, batch_size, seed=seed)
    size = batches.batch_size
    assert size == min(batch_size, count)
    row = torch.cat([batches.positions(step) for step in range(3 * count // size + 1)])
    for epoch in range(3):
        shown = row[epoch * count : (epoch + 1) * count]
        assert shown.sort().values.tolist() == list(range(count))


def test_a_batch_is_a_pure_function_of_its_step() -> None:
    steps = [0, 1, 5000, 3, 2999, 70_000]
    walked = Order(1000, 64, seed=1)
    for step in (*range(0, 9000, 7), *steps):
        fresh = Order(1000, 64, seed=1) if step in steps else walked
        assert torch.equal(walked.positions(step), fresh.positions(step))
    other = Order(1000, 64, seed=2)
    assert not torch.equal(other.positions(0), walked.positions(0))


def test_each_face_is_moved_as_torchvision_would_move_it() -> None:
    torch.manual_seed(0)
    smooth = functional.resize(torch.rand(6, 3, 5, 5), [32, 32]) * 2 - 1
    transform = RandomAffines()
    params = transform.make_params([smooth])
    moved = transform.transform(smooth, params)
    for i in range(len(smooth)):
        face = smooth[i].flip(-1) if params["mirror"][i] else smooth[i]
        right, down = (32 * params["shift"][i]).tolist()
        expected = functional.affine(
            face,
            angle=float(params["angle"][i]),
            translate=[right, down],
            scale=float(params["scale"][i]),
            shear=[0.0, 0.0],
            interpolation=functional.InterpolationMode.BILINEAR,
        )
        inside = (slice(None), slice(6, -6), slice(6, -6))  # borders are filled differently
        torch.testing.assert_close(moved[i][inside], expected[inside], atol=2e-3, rtol=0)


def test_each_face_is_tinted_as_torchvision_would_tint_it() -> None:
    torch.manual_seed(0)
    faces = torch.rand(6, 3, 8, 8)
    transform = RandomColors()
    params = transform.make_params([faces])
    tinted = transform.transform(faces * 2 - 1, params) / 2 + 0.5
    for i in range(len(faces)):
        bright, contrast, vivid = params["factors"][:, i].tolist()
        expected = functional.adjust_brightness(faces[i], bright)
        expected = functional.adjust_contrast(expected, contrast)
        expected = functional.adjust_saturation(expected, vivid)
        torch.testing.assert_close(tinted[i], expected, atol=1e-4, rtol=0)


def test_faces_of_a_batch_are_changed_each_in_its_own_way() -> None:
    torch.manual_seed(0)
    face = torch.rand(3, 16, 16) * 2 - 1
    changed = augmentation()(face.expand(8, -1, -1, -1))
    assert changed.min() >= -1
    assert changed.max() <= 1
    assert len({tuple(picture.flatten().tolist()) for picture in changed}) == 8
    assert isinstance(augmentation(), v2.Transform)
